"""`tunewright review`: files in and out, figures, checks, backups, people and webhooks from the command line."""

import functools
import io
import itertools
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from pipelines import cli, review_commands

pytestmark = pytest.mark.slow


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["review", *arguments])
    said = capsys.readouterr()
    code = stopped.value.code
    return code if isinstance(code, int) else int(code is not None), said.out, said.err


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def filled(home: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    rows = [
        {"id": str(n), "ask": f"Why {n}?", "answer": "So.", "votes": [{"reviewer": "Ada", "decision": "Fine"}]}
        for n in range(3)
    ]
    (home / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "{oops\n")
    arguments = ("--queue", "mine", "--column", "prompt=ask", "--label", "Fine=approve")
    code, out, _ = call(capsys, "import", str(home / "rows.jsonl"), *arguments)
    assert code == 1
    assert "3 added, 0 already there, 1 refused" in out
    assert "votes: 3 recorded" in out
    assert "1 x invalid_json" in out
    rejects = (home / "rows.jsonl.rejects.jsonl").read_text()
    assert json.loads(rejects)["line"] == 4
    return home


def test_items_leave_and_are_added_up(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, options in (("a.csv", ()), ("a.json", ("--shape", "argilla")), ("a.jsonl", ("--train", "sft"))):
        code, out, _ = call(capsys, "export", str(filled / name), "--queue", "mine", *options)
        assert (code, "3 " in out) == (0, True)
    assert json.loads((filled / "a.jsonl").read_text().splitlines()[0])["messages"][-1] == {
        "role": "assistant",
        "content": "So.",
    }
    stats = json.loads(call(capsys, "stats", "--json")[1])[0]
    assert (stats["recipe"], stats["states"], stats["num_week"]) == ("mine", {"decided": 3}, 3)
    assert "import:Ada" in call(capsys, "stats")[1]


def test_a_changed_verdict_is_found(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "verify")
    assert (code, out.startswith("mine: 3 verdicts"), out.endswith(": ok\n")) == (0, True, True)
    with sqlite3.connect(filled / "home" / "review.db") as connection:
        connection.execute("UPDATE review_verdicts SET decision = 'reject' WHERE sequence = 2")
    connection.close()
    code, out, _ = call(capsys, "verify", "--json")
    found = json.loads(out)[0]
    assert (code, found["ok"], "2" in found["problem"]) == (1, False, True)


def test_a_backup_is_made_and_put_back(
    filled: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "3 verdicts of 1 recipes" in call(capsys, "backup", str(filled / "b.tar"))[1]
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(filled / "other"))
    assert call(capsys, "restore", str(filled / "b.tar"))[0] == 0
    assert call(capsys, "verify")[1].startswith("mine: 3 verdicts")
    assert call(capsys, "restore", str(filled / "rows.jsonl"))[0] == 1


def test_people_are_invited(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "user", "add", "--role", "lead")
    assert (code, "http://127.0.0.1:3001/welcome/" in out) == (0, True)
    assert call(capsys, "user", "list")[0] == 0
    assert call(capsys, "user", "disable", "Nobody")[0] == 1
    assert call(capsys, "user", "add", "--role", "king")[0] == 2


def test_webhooks_are_added_and_removed(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = "https://hooks.example.org/x"
    code, out, _ = call(capsys, "webhooks", "add", url, "--queue", "mine", "--event", "verdict")
    assert (code, "secret whsec_" in out) == (0, True)
    hook = out.partition(":")[0]
    assert url in call(capsys, "webhooks", "list")[1]
    assert "0 written, 0 sent" in call(capsys, "webhooks", "deliver")[1]
    assert call(capsys, "webhooks", "deliveries")[0] == 0
    assert call(capsys, "webhooks", "remove", hook)[0] == 0
    refused = ("http://127.0.0.1/", "https://u:p@a.example/")
    assert [call(capsys, "webhooks", "add", bad, "--queue", "mine", "--event", "verdict")[0] for bad in refused] == [1, 1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("import", "x.jsonl", "--queue", "../x"),
        ("import", "x.jsonl", "--queue", "sdk_assistant"),
        ("export", "x.jsonl", "--queue", "none"),
        ("export", "x.jsonl", "--queue", "none", "--shape", "odd"),
        ("stats", "--queue", "none"),
        ("verify", "--queue", "none"),
    ],
)
def test_mistakes_are_named(home: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    code, _, err = call(capsys, *arguments)
    assert (code, "Invalid value" in err) == (2, True)


def test_files_that_cannot_be_read_are_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("nowhere.jsonl", "picture.png"):
        code, _, err = call(capsys, "import", str(home / name), "--queue", "mine")
        assert (code, name in err) == (1, True)


@pytest.mark.parametrize("arguments", [("--port", "4000"), ("serve", "--port", "4000")])
def test_alone_it_starts_the_app(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    started: list[int] = []
    monkeypatch.setattr("curation.review.web.serve.serve", lambda home, port, **_: started.append(port))
    assert call(capsys, *arguments)[0] == 0
    assert started == [4000]
    assert review_commands.QUEUE_NAME.fullmatch("my_queue-1.2")


def test_how_people_reach_the_app_is_passed_on(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[dict[str, Any]] = []
    monkeypatch.setattr("curation.review.web.serve.serve", lambda home, **given: started.append(given))
    monkeypatch.setenv("TUNEWRIGHT_OIDC_SECRET", "s3cret")
    options = ("--no-login", "--recipe", "a", "--proxy", "10.0.0.0/8", "--user-header", "X-User", "--new-people", "reviewer")
    provider = ("--oidc-issuer", "https://login.example.org", "--oidc-client", "us")
    assert call(capsys, "serve", *options, *provider)[0] == 0
    assert (started[0]["login"], started[0]["recipes"], started[0]["new_people"]) == (False, ["a"], "reviewer")
    assert (started[0]["proxies"].user_header, started[0]["oidc"].client_secret) == ("X-User", "s3cret")
    mistakes = (("--user-header", "X"), ("--proxy", "there"), ("--new-people", "king"), ("--oidc-issuer", "http://a.example"))
    assert [call(capsys, "serve", *mistake)[0] for mistake in mistakes] == [2, 2, 2, 2]
    assert call(capsys, "serve", "--tls-cert", "nowhere.pem")[0] == 1
    assert len(started) == 1


def test_progress_shows_rows_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, now = io.StringIO(), itertools.count()
    monkeypatch.setattr(review_commands, "Console", lambda **_: Console(file=screen, force_terminal=True, width=120))
    monkeypatch.setattr(review_commands, "Progress", functools.partial(Progress, get_time=lambda: float(next(now))))
    with review_commands._progress("import rows.jsonl") as step:
        for number in range(1, 5):
            step(500, number / 10)
    shown = screen.getvalue()
    assert "import rows.jsonl" in shown
    assert "2,000 rows" in shown
    assert re.search(r"2,000 rows \S*\d:\d\d:\d\d\S* \S*0:0[01]:\d\d", shown), shown[-300:]
