"""The command line: exit codes, one sentence for a mistake, never a traceback."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from curation.errors import RecipeError
from pipelines import cli
from pipelines.recipe import find_recipe_files, load_recipes, recipe_schema
from tests.pipelines.dagster_noise import dagster_noise
from tests.pipelines.toy_recipe import TOY, write_document, write_toy


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


@pytest.mark.parametrize("id", [r"\[/x]", r"[/bold]", "\x1b[31mred", ""])
def test_what_looks_like_markup_or_steers_a_terminal_is_printed_as_it_stands(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, id: str
) -> None:
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    code, _, err = call(capsys, "trace", id)
    assert code == 1
    assert_one_sentence(err)
    assert f"'{id.replace(chr(27), ' ')}'" in err
    assert "\x1b" not in err


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("TUNEWRIGHT_HOME", "FILE", "TUNEWRIGHT_HOME"),
        ("DAGSTER_HOME", "FILE", "DAGSTER_HOME"),
        ("TUNEWRIGHT_STORE", "foo://bucket", "TUNEWRIGHT_STORE"),
        ("TUNEWRIGHT_DATABASE_URL", "postgres", "TUNEWRIGHT_DATABASE_URL"),
    ],
)
@pytest.mark.slow
@dagster_noise
def test_a_place_that_cannot_be_used_is_one_sentence_that_names_the_variable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, value: str, named: str
) -> None:
    file = tmp_path / "file"
    file.touch()
    write_document(tmp_path, "one.md", "# One\n\nText of one.\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv(variable, str(file) if value == "FILE" else value)
    code, _, err = call(capsys, "status", str(write_toy(tmp_path)))
    assert code == 1
    assert_one_sentence(err)
    assert named in err
    assert not (tmp_path / "postgres").exists(), "a typing error is no new database"


def test_a_file_that_the_machine_refuses_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "x"))

    monkeypatch.setattr("pipelines.recipe.load_recipe", refuse)
    code, _, err = call(capsys, "recipe", "check")
    assert code == 1
    assert_one_sentence(err)
    assert f"'{tmp_path / 'x'}'" in err


@pytest.mark.parametrize("arguments", [("dev", "--port", "65535"), ("dev", "--port", "0"), ("review", "--port", "99999")])
def test_ports_that_there_are_not_are_refused(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    code, _, err = call(capsys, *arguments)
    assert code == 2
    assert "--port" in err


@pytest.mark.parametrize(
    ("variable", "named"), [("TUNEWRIGHT_DAGSTER_LOGIN", "'review' or 'none'"), ("BROKEN", "broken.yaml:2")]
)
def test_nothing_is_started_that_could_not_go_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, named: str
) -> None:
    (tmp_path / "broken.yaml").write_text("name: [\n")
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(variable, "reviewers")
    monkeypatch.setattr("pipelines.dev.load_recipes", lambda: load_recipes(tmp_path))
    monkeypatch.setattr("pipelines.dev._start", lambda *_: pytest.fail("a service was started"))
    code, _, err = call(capsys, "dev", "--port", "3970")
    assert code == 1
    assert_one_sentence(err)
    assert named in err


def test_recipes_are_checked_by_name_or_file_and_every_wrong_one_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    wrong = [tmp_path / name for name in ("one.yaml", "two.yaml")]
    for path in wrong:
        path.write_text("name: [\n")
    code, out, err = call(capsys, "recipe", "check", str(wrong[0]), "sdk_assistant", str(wrong[1]))
    assert code == 1
    assert "sdk_assistant.yaml: fine" in out
    assert [line.startswith(f"error {path}") for line, path in zip(err.splitlines(), wrong, strict=True)] == [True, True]


def test_a_folder_without_recipes_is_not_fine(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="TUNEWRIGHT_RECIPES"):
        find_recipe_files(tmp_path)


def test_schema_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "recipe", "schema")
    assert code == 0
    assert json.loads(out) == json.loads(json.dumps(recipe_schema()))


def test_ctrl_c_says_what_is_kept(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.recipe.load_recipe", interrupt)
    code, _, err = call(capsys, "recipe", "check")
    assert code == 130
    assert "stopped; what was finished is kept" in err


def test_the_review_app_starts_without_what_it_does_not_need() -> None:
    """After a crash people wait for it: Dagster, recipes, Arrow and numpy take longer to import than the app itself."""
    heavy = ("dagster", "numpy", "pyarrow", "polars", "pandas", "lxml", "alembic", "assets.recipe", "authlib")
    code = f"import sys, pipelines.cli, curation.review.web.serve; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
