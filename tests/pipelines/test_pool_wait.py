"""A run that waits for a slot of a pool sleeps meanwhile, and ends when it is cancelled."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from pipelines.pool_wait import PatientClaims, install_patience
from tests.pipelines.dagster_noise import dagster_noise

pytestmark = dagster_noise
PATIENCE = 60.0


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        made.event_log_storage.set_concurrency_slots("gpu", 1)
        assert made.event_log_storage.claim_concurrency_slot("gpu", "another run", "step").is_claimed
        yield made


def waiting(instance: dg.DagsterInstance) -> list[str]:
    pending = instance.event_log_storage.get_concurrency_info("gpu").pending_steps
    return [step.step_key for step in pending if step.run_id != "another run"]


def test_a_step_that_has_to_wait_says_for_how_long(instance: dg.DagsterInstance) -> None:
    with PatientClaims(instance, dg.DagsterRun(job_name="x")) as claims:
        assert not claims.claim("gpu", "train")
        assert claims.interval_to_next_pending_claim_check() > 0
        assert waiting(instance) == ["train"]
    assert waiting(instance) == [], "nobody waits any more"


@pytest.mark.slow
def test_a_run_that_is_cancelled_while_it_waits_ends(instance: dg.DagsterInstance) -> None:
    @dg.op(pool="gpu")
    def train() -> None: ...

    @dg.job
    def once() -> None:
        train()

    install_patience()
    has_ended, begun = threading.Event(), time.monotonic()
    ended_by_itself = []

    def cancel() -> None:
        while not waiting(instance) and time.monotonic() - begun < PATIENCE:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)
        ended_by_itself.append(has_ended.wait(PATIENCE))
        instance.event_log_storage.free_concurrency_slots_for_run("another run")  # or the test would never end

    thread = threading.Thread(target=cancel)
    thread.start()
    result = once.execute_in_process(instance=instance, raise_on_error=False)
    has_ended.set()
    thread.join()
    assert ended_by_itself == [True]
    assert not result.success
    assert waiting(instance) == []
