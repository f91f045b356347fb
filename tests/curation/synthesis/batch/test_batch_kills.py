"""A process that dies between any two steps of a batch neither loses a reply nor pays for one twice."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curation.chat_model import ChatRequest
from curation.database import Database
from curation.synthesis.batch import BatchStore, poll_batches, submit_batch
from curation.synthesis.batch.client import BatchClient
from curation.synthesis.batch.store import MIGRATIONS
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.teachers.config import TeacherConfig
from tests.curation.synthesis.batch.batch_server import BatchServer
from tests.curation.synthesis.batch.conftest import Clock
from tests.curation.synthesis.fault_server import hang_up, refuse

pytestmark = pytest.mark.slow


class Killed(BaseException):
    """Stands for SIGKILL: nothing that would run afterwards has an effect."""


class Doomed:
    """Counts the steps (calls of the endpoint and commits); after so many of them the process is dead."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, at: int) -> None:
        self.num_steps = 0
        self._at = at
        for owner, name in ((Database, "write"), (BatchClient, "_call")):
            monkeypatch.setattr(owner, name, self._wrap(getattr(owner, name)))

    def _wrap(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **more: Any) -> Any:
            self.num_steps += 1
            if self.num_steps > self._at:
                raise Killed
            result = step(*arguments, **more)
            if self.num_steps == self._at:
                raise Killed  # the effect was had, and its answer is lost
            return result

        return counted


def open_store(path: Path, clock: Clock) -> BatchStore:
    return BatchStore(Database.open(path / "batch.db", concern="batch", migrations=MIGRATIONS), now=clock)


def finish_all(server: BatchServer) -> None:
    for name, batch in server.batches.items():
        if batch["status"] == "validating":
            server.finish(batch_id=name)


@pytest.mark.parametrize("at", range(10))
def test_killed_while_submitting(
    requests: list[ChatRequest],
    ids: list[str],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    server: BatchServer,
    tmp_path: Path,
    clock: Clock,
    at: int,
) -> None:
    store = open_store(tmp_path, clock)
    with pytest.MonkeyPatch.context() as patch:
        doomed = Doomed(patch, at=at)
        if at <= 8:  # the plan, the file, its id, the lease, the attempt, the batch, its id, the lease given back
            with pytest.raises(Killed):
                submit_batch(requests, teacher, ledger, store)
        else:
            submit_batch(requests, teacher, ledger, store)
            assert doomed.num_steps == 8
    clock.now += 1000.0  # the lease of the dead runs out
    with open_store(tmp_path, clock) as other:
        poll_batches(other, ledger)
        submit_batch(requests, teacher, ledger, other)
        assert len(server.batches) == 1, "nothing is paid twice"
        finish_all(server)
        assert poll_batches(other, ledger).num_open == 0
    assert len(ledger.get_many(ids)) == 10
    assert len(server.batches) == 1
    store.close()


@pytest.mark.parametrize("at", range(8))
def test_killed_while_harvesting(
    requests: list[ChatRequest],
    ids: list[str],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    server: BatchServer,
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    at: int,
) -> None:
    monkeypatch.setattr("curation.synthesis.batch.harvest.LINES_PER_COMMIT", 6)
    store = open_store(tmp_path, clock)
    submit_batch(requests, teacher, ledger, store)
    server.finish(skip={ids[0]})
    with pytest.MonkeyPatch.context() as patch:
        Doomed(patch, at=at)  # lease, look, note, replies, marks, replies, marks, settled
        with pytest.raises(Killed):
            poll_batches(store, ledger)
    clock.now += 1000.0
    with open_store(tmp_path, clock) as other:
        poll_batches(other, ledger)
        assert other.list_open() == []
        assert ledger.totals().num_calls == 9
        assert submit_batch(requests, teacher, ledger, other).num_submitted == 1
        assert [line["custom_id"] for line in server.lines()] == [ids[0]]
    store.close()


def test_nobody_works_on_a_batch_that_another_works_on(
    requests: list[ChatRequest],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    server: BatchServer,
    tmp_path: Path,
    clock: Clock,
) -> None:
    with open_store(tmp_path, clock) as dead, open_store(tmp_path, clock) as other:
        dead.plan({"a" * 32: "{}"}, teacher=teacher, deadline=clock.now + 1e6, recipe="", run_id="")
        num_calls = len(server.calls)
        assert poll_batches(other, ledger).num_open == 1
        assert len(server.calls) == num_calls
        (job,) = other.list_open()
        clock.now += 1000.0
        assert other.lease(job.key) is not None
        assert dead.lease(job.key) is None
        dead.record(job, batch_id="batch_of_the_dead")
        assert other.list_open()[0].batch_id == "", "who lost the lease writes nothing"


def test_an_answer_that_is_lost_is_found_again_among_other_batches(
    requests: list[ChatRequest],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    server: BatchServer,
    store: BatchStore,
    clock: Clock,
) -> None:
    def lose_answer(handler: Any) -> None:
        body = {"input_file_id": "file-1", "endpoint": "x", "completion_window": "24h"}
        for number in range(7):
            metadata = {"tunewright_batch": store.list_open()[0].key} if number == 2 else {"other": "batch"}
            server.batches[f"batch_{number}"] = body | {"id": f"batch_{number}", "status": "validating", "metadata": metadata}
            server.batches[f"batch_{number}"] |= {"output_file_id": None, "error_file_id": None, "created_at": int(clock.now)}
        hang_up(handler)

    server.page_size = 2
    server.failures["POST /v1/batches"] = [lose_answer]
    assert len(submit_batch(requests, teacher, ledger, store).problems) == 1
    poll_batches(store, ledger)
    assert store.list_open()[0].batch_id == "batch_2"
    assert sum(call.name == "POST /v1/batches" for call in server.calls) == 1


def test_a_batch_that_may_be_on_its_way_is_not_created_again(
    requests: list[ChatRequest],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    server: BatchServer,
    store: BatchStore,
    clock: Clock,
) -> None:
    server.failures["POST /v1/batches"] = [hang_up, refuse(503, "try later")]
    submit_batch(requests, teacher, ledger, store)
    assert "on its way" in poll_batches(store, ledger).problems[0]
    assert server.batches == {}
    clock.now += 400.0
    assert "try later" in poll_batches(store, ledger).problems[0]
    clock.now += 400.0
    assert poll_batches(store, ledger).problems == []
    assert len(server.batches) == 1
    posts = [call for call in server.calls if call.name == "POST /v1/batches"]
    assert len({call.headers["idempotency-key"] for call in posts}) == 1
    assert sum(call.name == "POST /v1/files" for call in server.calls) == 1


def test_what_was_never_sent_by_its_deadline_goes_live(
    requests: list[ChatRequest],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    server: BatchServer,
    store: BatchStore,
    clock: Clock,
) -> None:
    server.failures["POST /v1/files"] = [hang_up]
    submit_batch(requests, teacher, ledger, store)
    clock.now += 25 * 3600.0
    report = poll_batches(store, ledger)
    assert (report.num_returned, report.num_open) == (10, 0)
    assert server.batches == {}


CHILD = """
import os, sys
from pathlib import Path
from curation.chat_model import ChatRequest
from curation.database import Database
from curation.records import Message
from curation.synthesis.batch import BatchStore, poll_batches, submit_batch
from curation.synthesis.batch import store as stores
from curation.synthesis.ledger import request_ledger as ledgers
from curation.synthesis.teachers.config import TeacherConfig

folder, url = Path(sys.argv[1]), sys.argv[2]
store = BatchStore(Database.open(folder / "batch.db", concern="batch", migrations=stores.MIGRATIONS))
ledger = ledgers.RequestLedger(Database.open(folder / "ledger.db", concern="ledger", migrations=ledgers.MIGRATIONS))
requests = [ChatRequest(messages=(Message(role="user", content=f"question {number}"),)) for number in range(10)]
submit_batch(requests, TeacherConfig(kind="openai", model="m", base_url=url, price_input_usd_per_million=10.0,
    price_output_usd_per_million=100.0, price_batch_factor=0.5), ledger, store)
poll_batches(store, ledger)
"""


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["POST /v1/files", "POST /v1/batches", "GET /v1/batches/batch_1"])
def test_kill_9_while_the_endpoint_works(
    requests: list[ChatRequest],
    ids: list[str],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    server: BatchServer,
    tmp_path: Path,
    clock: Clock,
    victim: str,
) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path), server.url])

    def kill(call: Any) -> None:
        if call.name == victim and child.poll() is None:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()

    server.before_answer = kill
    assert child.wait(timeout=180) == -signal.SIGKILL
    with open_store(tmp_path, clock) as other:
        clock.now = max((job.created_at for job in other.list_open()), default=clock.now) + 1000.0  # the lease is over
        poll_batches(other, ledger)
        submit_batch(requests, teacher, ledger, other)
        assert len(server.batches) == 1
        finish_all(server)
        poll_batches(other, ledger)
    assert len(ledger.get_many(ids)) == 10
