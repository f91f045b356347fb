"""What the plan foretells, beside every peak of our own kernels that was measured on a GPU and recorded."""

import json
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmarks.gpu.architectures import shape_of
from benchmarks.gpu.loop import Setting
from benchmarks.gpu.memory_plan import foretell
from training.config import StageConfig
from training.config.presets import ModelSize, resolve_stage
from training.memory.estimate import GIB, estimate_peak
from training.memory.stage_plan import run_shape_of
from training.scale.config import Layout

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results"
ON_TWO = RESULTS / "scale_h200.json"
LOWEST, HIGHEST = -2.0, 10.0
"""Percent. What is too low ends in an out-of-memory error, what is too high in a card that is too large."""
EXCEPTIONS = {
    "8b LoRA r16, unfused adapters": "-31 %: no stage trains so: without autocast each adapter keeps an fp32 copy of its input",
}
UNPLANNED = {
    "8b DPO 512/512, ours": "the same",
    "8b DPO 1000/200, ours": "attention keeps a shared prompt once for each answer, and a plan does not know its length",
}


class Recorded(NamedTuple):
    """A measured run."""

    name: str
    peak_gib: float
    settings: dict[str, Any]


def read_ours() -> list[Recorded]:
    files = [file for file in sorted(RESULTS.glob("*_h200.json")) if file != ON_TWO]
    rows = [row for file in files for row in json.loads(file.read_text())["rows"]]
    ours = [row for row in rows if "TRL" not in row["name"] and row["peak_gib"]]
    return [Recorded(f"{row['size']} {row['name']}", row["peak_gib"], {**row["settings"], "size": row["size"]}) for row in ours]


def setting_of(recorded: Recorded) -> Setting:
    """Return the configuration of a loop, or of a run of the entry point as one of the loop."""
    known = {name: value for name, value in recorded.settings.items() if name in Setting.__dataclass_fields__}
    if "tokens_per_batch" not in recorded.settings:
        return Setting(**known)
    keys = {"tokens": "tokens_per_batch", "is_checkpointed": "gradient_checkpointing"}
    return Setting(
        name=recorded.name,
        size=recorded.settings["size"],
        tuning=recorded.settings["tuning"],
        **{ours: recorded.settings[theirs] for ours, theirs in keys.items()},
    )


PLANNED = [recorded for recorded in read_ours() if recorded.name not in UNPLANNED]


def percent_off(recorded: Recorded) -> float:
    return 100 * (foretell(setting_of(recorded)) / recorded.peak_gib - 1)


def test_all_that_was_recorded_is_compared() -> None:
    assert len(PLANNED) >= 42
    assert {recorded.name for recorded in read_ours()} >= {*EXCEPTIONS, *UNPLANNED}
    assert {recorded.settings["tuning"] for recorded in PLANNED} == {"full", "lora", "qlora"}


@pytest.mark.parametrize("recorded", [one for one in PLANNED if one.name not in EXCEPTIONS], ids=lambda one: one.name)
def test_a_recorded_peak_was_foretold(recorded: Recorded) -> None:
    assert LOWEST <= percent_off(recorded) <= HIGHEST


@pytest.mark.parametrize("recorded", [one for one in PLANNED if one.name in EXCEPTIONS], ids=lambda one: one.name)
def test_an_exception_is_one(recorded: Recorded) -> None:
    assert not LOWEST <= percent_off(recorded) <= HIGHEST, EXCEPTIONS[recorded.name]


MEASURED_ON_TWO = [row for row in json.loads(ON_TWO.read_text())["rows"] if not row["error"]]


@pytest.mark.parametrize("row", MEASURED_ON_TWO, ids=itemgetter("name"))
def test_peaks_on_two_devices_were_foretold(row: dict[str, Any]) -> None:
    """DDP keeps all gradients twice: 12 GiB of 62 when 3B weights are trained."""
    known = {name: value for name, value in row["settings"].items() if name in StageConfig.__dataclass_fields__}
    shape = shape_of(row["size"])
    size = ModelSize(num_parameters=shape.num_parameters, context_length=8192)
    stage = resolve_stage(StageConfig(**known, precision="bf16"), size).stage
    settings = run_shape_of(stage, Layout(processes=2), is_on_gpu=True, num_layers=shape.num_layers)
    assert LOWEST <= 100 * (estimate_peak(shape, settings).allocated / GIB / row["peak_gib"] - 1) <= HIGHEST


def test_a_count_of_tensors_is_exact_where_the_loop_holds_nothing_else() -> None:
    """The loop holds its last loss during the next forward pass.

    With checkpointed adapters that keeps the embedded tokens and their gradient, which the entry point drops: 0.6 to 1.9 %.
    """
    free = [one for one in PLANNED if one.name not in EXCEPTIONS and not _holds_more(one)]
    assert len(free) >= 24
    assert max(abs(percent_off(one)) for one in free) < 0.2


def _holds_more(recorded: Recorded) -> bool:
    setting = setting_of(recorded)
    return setting.is_checkpointed and setting.tuning != "full"
