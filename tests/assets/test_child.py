"""What is shown of a child that works: its newest line, however many came before."""

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from assets.child import LONGEST_LINE, _child_error, _last_line, _numbers, run_child
from tests.pipelines.dagster_noise import dagster_noise


def test_the_newest_line_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "progress.jsonl"
    file.write_text("".join(json.dumps({"step": step, "loss": 1.5}) + "\n" for step in range(1, 4001)))
    assert file.stat().st_size > 10 * LONGEST_LINE
    assert _numbers(_last_line(file)) == {"step": 4000.0, "loss": 1.5}


@pytest.mark.parametrize(
    ("text", "line"), [("", ""), ("a\n", "a"), ("a\nb", "b"), ("ü" * LONGEST_LINE, "ü" * (LONGEST_LINE // 2))]
)
def test_short_torn_and_long_files_are_read(tmp_path: Path, text: str, line: str) -> None:
    file = tmp_path / "progress.jsonl"
    file.write_text(text, encoding="utf-8")
    assert _last_line(file) == line


def test_a_file_that_is_not_there_shows_nothing(tmp_path: Path) -> None:
    assert _last_line(tmp_path / "none") == ""
    assert _numbers("") == _numbers("[1]") == _numbers('{"step": 4') == {}


@pytest.mark.parametrize(("code", "said"), [(-9, "was killed (SIGKILL), by the kernel if"), (1, "failed with code 1")])
def test_a_child_that_left_no_word_is_explained_by_its_exit(tmp_path: Path, code: int, said: str) -> None:
    context: Any = SimpleNamespace(asset_key=SimpleNamespace(path=["toy", "sft_model"]))
    error = _child_error(context, tmp_path, f"External execution process failed with code {code}")
    assert said in str(error)
    assert str(tmp_path) in str(error), "it says where the checkpoints are"


@pytest.mark.slow
@dagster_noise
def test_a_cancelled_run_begins_no_other_step_though_its_child_does_not_end_in_time(tmp_path: Path) -> None:
    begun: list[str] = []

    class Deaf(dg.PipesSubprocessClient):
        """What Dagster's client does when it has told a child to end, and it goes on."""

        def run(self, **_: Any) -> Any:
            begun.append("training")
            raise subprocess.TimeoutExpired("train", 20)

    @dg.asset
    def a_training(context: dg.AssetExecutionContext) -> None:
        run_child(context, Deaf(), command=["train"], environment={}, work_folder=tmp_path)

    @dg.asset
    def b_other() -> None:
        begun.append("other")

    result = dg.materialize([a_training, b_other], raise_on_error=False)
    assert not result.success
    assert begun == ["training"]
