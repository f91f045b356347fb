"""`tunewright serve` refuses before it starts anything, in one sentence and with exit code 1."""

import shutil
from pathlib import Path

import pytest

from curation.lineage.subject import Subject
from curation.lineage.withdrawals import open_withdrawals
from pipelines import cli
from pipelines.serve_command import warn_withdrawn
from tests.e2e.tiny_recipe import Project, make_project
from tests.pipelines.toy_recipe import toy_home


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = make_project(tmp_path)
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(made.home))
    monkeypatch.setenv("COLUMNS", "400")
    return made


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "'tiny' has no champion yet"),
        (("--host", "0.0.0.0"), "would let everybody who reaches this machine use the model"),
        (("--host", "0.0.0.0", "--allow-public"), "'tiny' has no champion yet"),
        (("--engine", "ollama"), "the program 'ollama' is not on PATH"),
    ],
)
def test_a_refusal_is_one_sentence(
    project: Project, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    if "ollama" in arguments and shutil.which("ollama"):
        pytest.skip("ollama is installed")
    with pytest.raises(SystemExit) as stop:
        cli.main(["serve", str(project.recipe), "--port", "0", *arguments])
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_a_key_makes_a_public_address_safe_and_is_never_printed(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TUNEWRIGHT_SERVE_KEY", "s3cret-value")
    with pytest.raises(SystemExit):
        cli.main(["serve", str(project.recipe), "--port", "0", "--host", "0.0.0.0"])
    said = capsys.readouterr()
    assert "has no champion yet" in said.err
    assert "s3cret-value" not in said.out + said.err


def test_who_serves_a_model_is_told_what_it_learnt_from_that_was_withdrawn(tmp_path: Path) -> None:
    home, model = toy_home(tmp_path), "9f" * 16
    assert warn_withdrawn(home, model) == []
    with open_withdrawals(home) as withdrawals:
        subject = Subject.parse("docs")
        withdrawals.append(action="withdraw", subject=subject, who="Ada", reason="no consent", models=[model])
    (line,) = warn_withdrawn(home, model)
    assert line.startswith("warning: it learnt from source 'docs' withdrawn by Ada")
    assert warn_withdrawn(home, "0" * 32) == []
    for file in home.path.glob("withdrawals.db*"):
        file.unlink()
    (home.path / "withdrawals.db").write_bytes(b"no database" * 1000)
    (line,) = warn_withdrawn(home, model)
    assert "is not known" in line
