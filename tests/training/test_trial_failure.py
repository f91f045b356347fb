"""What breaks a range test or a preflight is one sentence with what to do, and no traceback on the terminal."""

from pathlib import Path

import pytest

from curation.errors import EmptyDatasetError
from training.config import StageConfig
from training.health import range_command
from training.launch import SILENT
from training.preflight import command as preflight_command
from training.spec import RunSpec
from training.trial_failure import LOG

COMMANDS = [
    (range_command, "try_rates", "The range test of 'sft'", "Lower"),
    (preflight_command, "inspect_stage", "The preflight of 'sft'", "shorter rows"),
]


class OutOfMemoryError(RuntimeError):
    """Stands for that of torch, which has this name and this class."""


def run_with(error: Exception, module: object, name: str, folder: Path, patch: pytest.MonkeyPatch) -> int:
    spec = RunSpec(config=StageConfig(method="sft"), store_url=str(folder), work_folder=str(folder / "work"))

    def broken(_: RunSpec) -> None:
        raise error

    patch.setattr(module, name, broken)
    patch.setattr(module, "relax_collector", lambda: None, raising=False)
    for silent, value in SILENT.items():
        patch.setenv(silent, value)
    code: int = module.main([str(spec.write(folder / "spec.json"))])  # type: ignore[attr-defined]
    return code


@pytest.mark.parametrize(("module", "name", "said", "advice"), COMMANDS)
@pytest.mark.parametrize("error", [OutOfMemoryError("CUDA out of memory.\nTried to allocate 2.00 GiB."), MemoryError()])
def test_memory_that_runs_out_is_a_sentence_with_advice(
    error: Exception,
    module: object,
    name: str,
    said: str,
    advice: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_with(error, module, name, tmp_path, monkeypatch) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {said} ran out of memory (")
    assert advice.lower() in line.lower()
    assert not (tmp_path / "work" / LOG).exists()


@pytest.mark.parametrize(("module", "name", "said", "advice"), COMMANDS)
def test_an_error_of_a_library_is_a_sentence_and_its_traceback_is_kept(
    module: object,
    name: str,
    said: str,
    advice: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = ValueError("Target modules {'q'} not found\nin the base model \udcff.")
    assert run_with(error, module, name, tmp_path, monkeypatch) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {said} broke off (ValueError: Target modules {{'q'}} not found in the base model")
    log = tmp_path / "work" / LOG
    assert str(log) in line
    assert "in broken" in log.read_text()
    assert advice not in line


@pytest.mark.parametrize(("module", "name", "said", "advice"), COMMANDS)
def test_what_is_known_is_said_as_it_is(
    module: object,
    name: str,
    said: str,
    advice: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    known = EmptyDatasetError(dataset="sft_dataset", reason="all were dropped")
    assert run_with(known, module, name, tmp_path, monkeypatch) == 3
    assert capsys.readouterr().err == f"error: {known}\n"
