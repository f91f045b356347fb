"""When a stage stops, on which rows that is measured, and that an interruption forgets nothing of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import ConfigError, OtherRunError, TrainingFailedError
from curation.records import Example
from curation.store import Store
from tests.training.conftest import Bench, make_example
from tests.training.test_stages import QUICK, logits, read_files, read_manifest
from training.config import EarlyStoppingConfig, StageConfig
from training.early_stopping import judge_curve, steps_between
from training.held_out import is_held_out, split_groups
from training.parent_watch import Stop

pytestmark = pytest.mark.filterwarnings("ignore")
"""The libraries warn about each other."""


@pytest.mark.parametrize(
    ("losses", "patience", "min_improvement", "expected"),
    [
        ([], 1, 0.0, (None, False)),
        ([2.0], 1, 0.0, (10, False)),
        ([2.0, 2.0], 1, 0.0, (10, True)),
        ([2.0, 1.5, 1.6, 1.7], 2, 0.0, (20, True)),
        ([2.0, 1.5, 1.6, 1.4], 2, 0.0, (40, False)),
        ([2.0, 1.95, 1.9, 1.85], 3, 0.1, (40, False)),
        ([2.0, 1.95, 1.96, 1.92], 3, 0.1, (10, True)),
        ([float("nan"), float("nan")], 2, 0.0, (None, True)),
    ],
)
def test_the_curve_says_when_to_stop(losses: list[float], patience: int, min_improvement: float, expected: Any) -> None:
    curve = [(10 * (number + 1), loss) for number, loss in enumerate(losses)]
    assert judge_curve(curve, EarlyStoppingConfig(patience=patience, min_improvement=min_improvement)) == expected


@given(st.lists(st.floats(0, 10), min_size=1, max_size=30), st.integers(1, 5))
def test_nothing_measured_later_undoes_an_end(losses: list[float], patience: int) -> None:
    stopping = EarlyStoppingConfig(patience=patience)
    curve = list(enumerate(losses))
    ends = [judge_curve(curve[:length], stopping).is_over for length in range(1, len(curve) + 1)]
    best = judge_curve(curve, stopping).best_step
    assert best is not None
    assert losses[best] == min(losses)
    if True in ends:
        first = ends.index(True)
        assert first - (judge_curve(curve[: first + 1], stopping).best_step or 0) == patience


@pytest.mark.parametrize(("every", "num_steps", "expected"), [(None, 400, 20), (None, 7, 1), (5, 400, 5)])
def test_a_stage_is_measured_twenty_times(every: int | None, num_steps: int, expected: int) -> None:
    assert steps_between(EarlyStoppingConfig(every_steps=every), num_steps) == expected


@pytest.mark.parametrize(
    "values", [{"patience": 0}, {"min_improvement": -1.0}, {"held_out_share": 0.0}, {"held_out_share": 0.6}, {"every_steps": 0}]
)
def test_bad_values_are_refused_by_name(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"early_stopping.{next(iter(values))}"):
        EarlyStoppingConfig(**values)


def test_a_group_stands_on_one_side(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    examples = [make_example(number % 20, "dates", f"question {number}") for number in range(60)]
    root = store.write_table(Example, examples).root
    learnt, held_out = (list(side.read_table(Example, root)) for side in split_groups(store, share=0.3))
    assert len(learnt) + len(held_out) == 60
    assert 0 < len(held_out) < 36
    assert not {row.group for row in learnt} & {row.group for row in held_out}


@given(st.text(), st.floats(0.01, 0.5), st.floats(0.01, 0.5))
def test_a_larger_share_holds_out_more_and_nothing_else(group: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert is_held_out(group, small) <= is_held_out(group, large)


def test_a_split_without_a_second_side_is_refused(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    root = store.write_table(Example, [make_example(1, "dates")]).root
    with pytest.raises(ConfigError, match="of 1 groups"):
        [list(side.read_table(Example, root)) for side in split_groups(store, share=0.3)]


def stopping_stage(**changes: Any) -> StageConfig:
    early = EarlyStoppingConfig(patience=2, min_improvement=0.1, held_out_share=0.3, every_steps=2)
    values = {**QUICK, "method": "sft", "tuning": "full", "learning_rate": 0.05, "max_steps": 80, "checkpoint_every_steps": 3}
    return StageConfig(**{**values, "early_stopping": early, **changes})


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"tuning": "lora"}, {"method": "dapt", "packing": True, "tokens_per_batch": 256}])
def test_a_stage_stops_and_keeps_its_best_model(bench: Bench, changes: dict[str, Any]) -> None:
    from safetensors.numpy import load_file

    spec = bench.spec(stopping_stage(**changes), name=f"early-{len(changes)}")
    weights = Path("adapter_model.safetensors" if "tuning" in changes else "model.safetensors")
    best: dict[str, Any] = {}

    def look(line: str) -> None:
        if "stopped at step" in line:
            folder = Path(spec.work_folder) / "checkpoints" / f"step-{int(line.rpartition(' ')[2]):08d}"
            best.update(load_file(folder / weights))

    output = bench.run(spec, say=look)
    manifest = read_manifest(output)
    measured = [(int(point["step"]), point["held_out_loss"]) for point in manifest["loss_curve"] if "held_out_loss" in point]
    verdict = judge_curve(measured, EarlyStoppingConfig(patience=2, min_improvement=0.1))
    assert verdict.is_over
    assert manifest["num_steps"] == measured[-1][0] < 80
    kept = load_file(output / ("adapter" if "tuning" in changes else ".") / weights)
    assert kept.keys() == best.keys()
    assert all((kept[name] == best[name]).all() for name in best)


@pytest.mark.slow
def test_an_interruption_forgets_nothing(bench: Bench) -> None:
    unbroken = bench.run(bench.spec(stopping_stage(), name="early-unbroken"))
    spec, stop = bench.spec(stopping_stage(), name="early-stopped"), Stop()
    last = min(12, read_manifest(unbroken)["num_steps"] - 2)

    def interrupt(line: str) -> None:
        stop.signal = 15 if "going on" in line or "loading" in line else stop.signal

    left = 0
    while not (Path(spec.work_folder) / "output").exists() and left < last:
        stop.signal = 0
        try:
            bench.run(spec, say=interrupt, stop=stop)
        except SystemExit:
            left += 1
    assert left >= 3
    stop.signal = 0
    ours = bench.run(spec)
    assert read_files(ours) == read_files(unbroken)
    assert logits(ours).equal(logits(unbroken))


@pytest.mark.slow
def test_a_stage_that_has_stopped_is_not_trained_again(bench: Bench) -> None:
    """Killed while its model was written, it takes the best one up again, with the speed that was measured."""
    spec, said = bench.spec(stopping_stage(), name="early-killed-at-the-end"), list[str]()

    def kill(line: str) -> None:
        if "writing the model" in line:
            raise SystemExit(1)

    with pytest.raises(SystemExit):
        bench.run(spec, say=kill)
    timings = Path(spec.work_folder) / "timings.json"
    timings.unlink()
    output = bench.run(spec, say=said.append)
    assert not [line for line in said if "sft: step " in line]
    assert read_files(output) == read_files(bench.run(bench.spec(stopping_stage(), name="early-to-the-end")))
    told = [json.loads(line) for line in (Path(spec.work_folder) / "progress.jsonl").read_text().splitlines()]
    assert (
        json.loads(timings.read_text())["tokens_per_s"]
        == [round(line["tokens_per_second"], 1) for line in told if "step" in line][-1]
    )


@pytest.mark.slow
def test_a_damaged_best_checkpoint_is_said_and_dropped(bench: Bench) -> None:
    spec = bench.spec(stopping_stage(), name="early-damaged")

    def damage(line: str) -> None:
        if "stopped at step" in line:
            for folder in (Path(spec.work_folder) / "checkpoints").glob("step-*"):
                (folder / "model.safetensors").write_bytes(b"")

    with pytest.raises(TrainingFailedError, match="is damaged"):
        bench.run(spec, say=damage)
    assert read_files(bench.run(spec)) == read_files(bench.run(bench.spec(stopping_stage(), name="early-whole")))


@pytest.mark.slow
def test_another_run_does_not_take_the_checkpoints_of_one_that_was_stopped(bench: Bench) -> None:
    config, stop = stopping_stage(early_stopping=None), Stop()
    spec = bench.spec(config, name="others")

    def interrupt(line: str) -> None:
        stop.signal = 15

    with pytest.raises(SystemExit):
        bench.run(spec, say=interrupt, stop=stop)
    before = read_files(Path(spec.work_folder) / "checkpoints")
    with pytest.raises(OtherRunError, match="other data, settings"):
        bench.run(bench.spec(stopping_stage(early_stopping=None, seed=5), name="others"))
    assert read_files(Path(spec.work_folder) / "checkpoints") == before
