"""`tunewright ledger`: replies go to a file and into another home, and what was paid is added up."""

from pathlib import Path

import pytest

from curation.chat_model import ChatReply, ChatRequest, ReplayChatModel, request_id
from curation.home import Home
from curation.records import Message
from curation.synthesis.ledger.request_ledger import open_ledger
from pipelines import cli

MODEL = ReplayChatModel([], provider="p", endpoint="e", model="m", revision="r")


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["ledger", *arguments])
    said = capsys.readouterr()
    code = stopped.value.code
    return code if isinstance(code, int) else int(code is not None), said.out, said.err


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "ours"))
    monkeypatch.setenv("COLUMNS", "200")
    with open_ledger(Home.from_environment(), recipe="[bold]demo", run_id="run-1") as ledger:
        for number in range(3):
            request = ChatRequest(messages=(Message(role="user", content=str(number)),))
            ledger.put(request_id(MODEL, request), MODEL, request, ChatReply(text="x", prompt_tokens=1000, cost_usd=0.1))
    return tmp_path


def test_replies_move_to_another_home(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    file = str(home / "replies.jsonl.zst")
    code, out, err = call(capsys, "export", file, "--recipe", "[bold]demo")
    assert (code, err) == (0, "")
    assert "3 calls" in out
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(home / "theirs"))
    assert "3 added, 0 already there, 0 refused" in call(capsys, "import", file, "--recipe", "demo")[1]
    code, out, err = call(capsys, "import", file)
    assert (code, err) == (0, "")
    assert "0 added, 3 already there, 0 refused" in out
    assert "imported" in call(capsys, "totals")[1]


def test_totals_by_recipe_and_run(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "totals")
    assert code == 0
    line = next(line for line in out.splitlines() if "[bold]demo" in line)
    assert all(text in line for text in ("run-1", "3,000", "0.300000"))
    assert "run-1" not in call(capsys, "totals", "--recipe", "other")[1]


def test_a_file_that_is_no_ledger_is_one_sentence(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "bad.jsonl").write_text("{}\n")
    code, out, err = call(capsys, "import", str(home / "bad.jsonl"))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "no ledger file" in err
