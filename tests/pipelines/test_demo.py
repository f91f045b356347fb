"""What the last page of a run names: commands that work on the release as it stands, and nothing else."""

import shutil
import sys
from pathlib import Path

import pytest

from pipelines import demo
from pipelines.cli import app
from pipelines.demo import program_name, release_steps
from tests.evaluation.release.test_history import history_of


def commands(*actions: str, recipe: str = "sdk_assistant") -> list[list[str]]:
    return [command.split("   ")[0].split()[1:] for _, command in release_steps(recipe, history_of(*actions))]


@pytest.mark.parametrize(
    ("actions", "named"),
    [
        ((), []),
        (("refuse m1",), ["release history"]),
        (("promote m1",), ["serve", "serve", "release live", "release history"]),
        (("promote m1", "promote m2"), ["serve", "serve", "release live", "release history", "release rollback"]),
        (("promote m1", "promote m2", "rollback m1"), ["serve", "serve", "release live", "release history"]),
    ],
)
def test_only_what_works_now_is_named(actions: tuple[str, ...], named: list[str]) -> None:
    found = commands(*actions)
    assert [" ".join(words[:2] if words[0] == "release" else words[:1]) for words in found] == named
    assert all("sdk_assistant" in words for words in found)


def test_every_command_named_is_one_that_the_command_line_has() -> None:
    from typer.main import get_command

    for words in commands("promote m1", "promote m2"):
        command = get_command(app)
        names = words[:2] if words[0] == "release" else words[:1]
        for name in names:
            command = command.commands[name]  # type: ignore[attr-defined]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options


def test_a_recipe_of_another_folder_is_served_by_its_file() -> None:
    served, _, live, *_ = commands("promote m1", recipe="mine")
    assert served == ["serve", "mine.yaml"]
    assert live == ["release", "live", "mine"]


def test_the_program_is_named_as_a_shell_finds_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert program_name() == "tunewright"
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    assert program_name() == "tunewright"
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "tunewright").write_text("")
    monkeypatch.chdir(tmp_path)
    assert program_name() == str(Path(".venv/bin/tunewright"))
    monkeypatch.chdir("/")
    assert demo.program_name() in (str(tmp_path / ".venv/bin/tunewright"), str(tmp_path / ".venv/bin/tunewright").lstrip("/"))
