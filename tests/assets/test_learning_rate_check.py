"""A range test as a check: what it says of a learning rate, what it shows, and what it costs."""

import dataclasses
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets import learning_rate_check
from assets.learning_rate_check import CHECK, build_checks, draw_range, find_range, judge_rate, range_result
from assets.models import build, list_stage_specs
from assets.recipe import Recipe
from curation.errors import ConfigError, TrainingFailedError
from curation.home import Home
from curation.records import Example
from curation.store import Snapshot
from tests.pipelines.toy_recipe import toy_recipe
from tests.training.conftest import PARTS, Bench, bench, make_example  # noqa: F401 - a fixture
from training.config import RlConfig, StageConfig, TrainingConfig
from training.config.methods import RANGE_TESTED
from training.health.range_launch import RangeLaunch
from training.health.range_test import spread_rates
from training.scale.config import ScaleConfig

RATES = spread_rates(1e-7, 1.0, 100)
FOUND: dict[str, Any] = {
    "suggested": 2e-3, "steepest": 2e-3, "best": 1e-2, "diverged": 0.3, "lowest": 1e-5, "highest": 1e-2,
    "curve": [[rate, 4.0 - 3.0 / (1 + (1e-3 / rate)) + (rate / 0.1) ** 2] for rate in RATES], "learning_rate": 1e-3,
    "steps": 100, "tokens": 5000, "seconds": 72.0, "is_reused": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("rate", "passed", "is_error", "said"),
    [
        (1e-3, True, False, "lies in the safe range, 1.0e-05 to 1.0e-02; 2.0e-03 is suggested"),
        (1e-6, False, False, "lies below the safe range"),
        (5e-2, False, False, "lies above the safe range"),
        (0.5, False, True, "is one at which the test diverged (from 3.0e-01 on)"),
    ],
)
def test_a_rate_is_judged_by_the_range(rate: float, passed: bool, is_error: bool, said: str) -> None:
    verdict = judge_rate(rate, FOUND)
    assert (verdict.passed, verdict.is_error) == (passed, is_error)
    assert said in verdict.said


def test_a_loss_that_never_fell_passes_nothing() -> None:
    nothing = {**FOUND, "suggested": None, "lowest": None, "highest": None, "diverged": None}
    result = range_result(nothing)
    assert not result.passed
    assert "did not fall" in str(result.description)
    assert "suggested" not in result.metadata


def test_the_curve_is_drawn_with_the_marks_under_their_rates() -> None:
    lines = draw_range(FOUND).splitlines()
    assert (lines[0], lines[-1]) == ("```", "```")
    assert len(lines[1]) == len("loss  ") + 100
    marks = {line.split("^ ")[1].split()[0]: line.index("^") - len("loss  ") for line in lines if "^" in line}
    assert marks.keys() == {"stage", "suggested", "lowest", "highest"}
    assert RATES[marks["stage"]] == pytest.approx(1e-3, rel=0.1)
    assert marks["lowest"] < marks["stage"] < marks["suggested"] < marks["highest"]
    assert draw_range({**FOUND, "curve": [[1e-7, None]]}) == "No loss was seen."


def test_the_cost_is_shown_and_is_nothing_the_second_time() -> None:
    first = range_result(FOUND, price_per_gpu_hour=2.5).metadata
    assert (first["seconds"].value, first["cost_usd"].value, first["tokens"].value) == (72.0, 0.05, 5000)
    again = range_result({**FOUND, "is_reused": True}, price_per_gpu_hour=2.5).metadata
    assert (again["seconds"].value, again["cost_usd"].value) == (0.0, 0.0)
    assert "cost_usd" not in range_result(FOUND).metadata


def recipe_with(folder: Path, *stages: StageConfig, **training: Any) -> Recipe:
    return dataclasses.replace(toy_recipe(folder), training=TrainingConfig(stages=stages, **training))


ASKED = StageConfig(method="sft", learning_rate_check=True, max_length=128)


def test_only_a_stage_that_asks_for_it_has_it_and_its_model_is_the_same(tmp_path: Path) -> None:
    plain = dataclasses.replace(ASKED, learning_rate_check=False)
    asked, without = (recipe_with(tmp_path, stage) for stage in (ASKED, plain))
    assert build_checks(without) == []
    (check,) = build_checks(asked)
    (spec,) = check.check_specs
    assert (spec.name, spec.asset_key, spec.blocking) == (CHECK, dg.AssetKey([asked.name, "sft_model"]), False)
    versions = [[next(iter(asset.specs)).code_version for asset in build(recipe)] for recipe in (asked, without)]
    assert versions[0] == versions[1], "what is checked is not trained anew"


@pytest.mark.parametrize("method", ["grpo", "rloo"])
def test_a_method_whose_loss_says_nothing_has_none(method: Any) -> None:
    with pytest.raises(ConfigError, match=f"has no effect for method '{method}'; it counts for {', '.join(RANGE_TESTED)}"):
        StageConfig(method=method, rl=RlConfig(), learning_rate_check=True)


def test_another_launcher_is_refused() -> None:
    scale = ScaleConfig(launcher=dataclasses.replace(ScaleConfig().launcher, kind="slurm"))
    with pytest.raises(ConfigError, match="training.scale.launcher: tries rates on the machine of the Dagster run alone"):
        TrainingConfig(stages=(ASKED,), scale=scale)
    TrainingConfig(stages=(dataclasses.replace(ASKED, learning_rate_check=False),), scale=scale)


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (RangeLaunch(3, {}, "a warning\nerror: no rows."), "learning rate failed: no rows"),
        (RangeLaunch(-9, {}, ""), "it was killed by SIGKILL"),
    ],
)
def test_a_test_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: RangeLaunch, said: str) -> None:
    from training.spec import RunSpec

    monkeypatch.setattr(learning_rate_check, "launch_range_test", lambda spec, is_quiet: done)
    with pytest.raises(TrainingFailedError, match=said):
        find_range(RunSpec(config=ASKED, store_url="", work_folder=str(tmp_path)))


@pytest.fixture
def prepared(tmp_path: Path, home: Home, bench: Bench) -> tuple[Recipe, Home]:  # noqa: F811
    settings: dict[str, Any] = {"learning_rate": 0.005, "tuning": "full", "batch_size": 8, "gradient_accumulation": 1}
    recipe = recipe_with(tmp_path, dataclasses.replace(ASKED, **settings), price_per_gpu_hour=1.0)
    store = home.store()
    table = store.write_table(Example, [make_example(number, PARTS[number % 4]) for number in range(32)])
    store.put_snapshot(Snapshot(asset=recipe.asset("sft_dataset"), partition="", version="1", tables={"examples": table}))
    folder = store.put_folder(bench.base)
    store.put_snapshot(Snapshot(asset=recipe.asset("base_model"), partition="", version="1", folders={"model": folder}))
    return recipe, home


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_real_stage_is_tried_once_and_judged_as_often_as_wanted(prepared: tuple[Recipe, Home]) -> None:
    recipe, home = prepared
    (check,) = build_checks(recipe)
    first, again = (run_check(check, home) for _ in range(2))
    assert first.passed, first.description
    assert first.metadata["learning_rate"].value == 0.005
    assert first.metadata["seconds"].value > 0
    assert first.metadata["tokens"].value > 0
    assert "^ suggested" in str(first.metadata["curve"].value)
    assert again.metadata["reused"].value is True
    assert (again.passed, again.metadata["seconds"].value) == (True, 0.0)
    fast = recipe_with(home.path, dataclasses.replace(recipe.training.stages[0], learning_rate=0.9))
    (spec,) = list_stage_specs(home, fast, folder="lr", stage="sft_model")
    assert spec.fingerprint != list_stage_specs(home, recipe, folder="lr", stage="sft_model")[0].fingerprint


def run_check(check: dg.AssetChecksDefinition, home: Home) -> Any:
    """Evaluate a check as a run of Dagster does, without making its asset."""
    job = dg.Definitions(
        asset_checks=[check],
        resources={"home": dg.ResourceDefinition.hardcoded_resource(home)},
        jobs=[dg.define_asset_job("only_checks", selection=dg.AssetSelection.all_asset_checks())],
    ).resolve_job_def("only_checks")
    result = job.execute_in_process()
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation
