"""What `tunewright run` runs, and what it says about a stage that was stopped."""

import os
import signal
import time
from typing import Any

import dagster as dg
import pytest

from pipelines import runner
from pipelines.runner import RunTally, failed_check, run_recipe
from pipelines.staleness import Target, find_stale
from tests.pipelines.conftest import Toy
from tests.pipelines.dagster_noise import dagster_noise

pytestmark = dagster_noise


def evaluation(asset: str, check: str, *, passed: bool = False, blocking: bool = True) -> dg.AssetCheckEvaluation:
    key = dg.AssetKey(["toy", asset])
    return dg.AssetCheckEvaluation(
        asset_key=key, check_name=check, passed=passed, metadata={}, blocking=blocking, description=f"{check} of {asset}"
    )


def test_a_blocking_check_that_failed_is_named_with_its_asset_not_with_the_step_that_evaluates_it() -> None:
    given = [
        evaluation("eval_set", "row_count"),
        evaluation("eval_set", "advice", blocking=False),
        evaluation("sft_dataset", "unique", passed=True),
    ]
    assert str(failed_check(given)) == "eval_set: row_count of eval_set (check row_count)"


def test_every_stale_shard_is_run_and_what_is_stale_is_looked_up_once_for_all_of_them(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    run: list[str] = []

    def look(*given: Any) -> list[Target]:
        looked.append(len(run))
        return find_stale(*given)

    monkeypatch.setattr(runner, "find_stale", look)
    monkeypatch.setattr(runner, "_execute", lambda *_, partition="": run.append(partition))
    run_recipe(toy.recipe, toy.definitions, toy.home, toy.instance, lambda _: None)
    keys = [shard.key for shard in toy.shards()]
    assert len(keys) > 1
    assert run == [*keys, ""]
    assert looked == [0, len(keys)], "before the shards, and before what follows them"


@pytest.mark.slow
def test_ctrl_c_in_a_stage_is_no_stage_that_failed(toy: Toy) -> None:
    @dg.asset
    def interrupted() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

    defs = dg.Definitions(assets=[interrupted], loggers=toy.definitions.loggers)
    job = defs.resolve_implicit_global_asset_job_def()
    with pytest.raises(KeyboardInterrupt):
        runner._execute(job, toy.recipe, toy.instance, ["interrupted"], RunTally())
