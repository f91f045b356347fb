"""The command line: exit codes, one sentence for a mistake, never a traceback."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import cli
from pipelines.recipe import recipe_schema
from tests.pipelines.toy_recipe import TOY, write_toy


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        cli.main(list(arguments))
    said = capsys.readouterr()
    code = stopped.value.code
    return code if isinstance(code, int) else int(code is not None), said.out, said.err


def assert_one_sentence(error: str) -> None:
    assert error.count("\n") == 1, error
    assert error.startswith("error ")
    assert "Traceback" not in error


def test_help_names_the_commands() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "pipelines.cli", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("run", "demo", "dev", "review", "trace", "check", "history", "rollback", "status", "recipe"):
        assert f" {name} " in done.stdout


def test_good_recipes_pass(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = write_toy(tmp_path)
    code, out, err = call(capsys, "recipe", "check", str(path))
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert out.startswith(f"{path}: fine.")
    code, out, _ = call(capsys, "recipe", "check")
    assert code == 0
    assert "sdk_assistant.yaml: fine." in out


def test_bad_recipe_is_one_sentence_and_exit_code_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = write_toy(tmp_path, "teacher: {kind: '[bold]extractve'}\n")
    code, out, err = call(capsys, "recipe", "check", str(path))
    assert (code, out) == (1, "")
    assert_one_sentence(err)
    line = TOY.count("\n") + 1
    assert f"{path}:{line}: 'teacher.kind'" in err
    assert "'[bold]extractve'" in err, "brackets of the user are no markup"


def test_several_problems_are_one_line_each(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = call(capsys, "recipe", "check", str(write_toy(tmp_path, "trainng: {}\nevalution: {}\n")))
    assert (code, err.count("\n")) == (1, 2)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"a: [", b"name: \x07"])
def test_file_that_is_no_recipe_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(data)
    code, _, err = call(capsys, "recipe", "check", str(path))
    assert code == 1
    assert_one_sentence(err)


@pytest.mark.parametrize("command", ["run", "status", "check", "history"])
def test_unknown_recipe_suggests_the_nearest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    code, _, err = call(capsys, command, "sdk_asistant")
    assert code == 1
    assert_one_sentence(err)
    assert "did you mean 'sdk_assistant'?" in err


def test_missing_file_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = call(capsys, "run", str(tmp_path / "none.yaml"))
    assert code == 1
    assert_one_sentence(err)


def test_unknown_command_and_option_exit_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "rnu")[0] == 2
    assert call(capsys, "dev", "--prot", "1")[0] == 2


def test_unknown_id_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    code, _, err = call(capsys, "trace", "no-such-id")
    assert code == 1
    assert_one_sentence(err)


def test_schema_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "recipe", "schema")
    assert code == 0
    assert json.loads(out) == json.loads(json.dumps(recipe_schema()))


def test_ctrl_c_says_what_is_kept(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "load_recipe", interrupt)
    code, _, err = call(capsys, "recipe", "check")
    assert code == 130
    assert "stopped; what was finished is kept" in err
