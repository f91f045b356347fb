"""The store of batches: one open batch a request, one worker a batch, and nothing forgotten, on SQLite and PostgreSQL."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.database import Database
from curation.home import Home
from curation.synthesis.batch import open_batch_store
from curation.synthesis.batch.store import MIGRATIONS, BatchJob, BatchStore, RequestHistory
from curation.synthesis.teachers.config import TeacherConfig
from tests.curation.synthesis.batch.conftest import Clock

TEACHER = TeacherConfig(kind="openai", model="m", base_url="http://127.0.0.1:9/v1", parameters={"top_p": 0.9})


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def stores(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[tuple[BatchStore, BatchStore]]:
    """Two processes' views of one store."""
    location = tmp_path / "batch.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    one, other = (BatchStore(Database.open(location, concern="batch", migrations=MIGRATIONS), now=clock) for _ in range(2))
    with one, other:
        yield one, other


def plan(store: BatchStore, *names: str, deadline: float = 1e12) -> BatchJob | None:
    texts = {name: f'{{"x":"{name} \\u0000"}}' for name in names}
    return store.plan(texts, teacher=TEACHER, deadline=deadline, recipe="demo", run_id="run-1")


def planned(store: BatchStore, *names: str, deadline: float = 1e12) -> BatchJob:
    job = plan(store, *names, deadline=deadline)
    assert job is not None
    return job


def test_a_plan_comes_back_as_it_was(stores: tuple[BatchStore, BatchStore], clock: Clock) -> None:
    one, other = stores
    job = planned(one, "b", "a")
    assert other.list_open() == [job]
    assert (job.state, job.recipe, job.run_id, job.created_at) == ("planned", "demo", "run-1", clock.now)
    assert job.read_teacher() == TEACHER
    assert other.request_ids(job) == ["a", "b"]
    assert other.read_requests(job, ["a", "c"]) == {"a": '{"x":"a \\u0000"}'}
    assert other.get("none") is None


def test_a_request_is_open_in_one_batch(stores: tuple[BatchStore, BatchStore]) -> None:
    one, other = stores
    job = planned(one, "a", "b")
    assert plan(other, "a", "b") is None
    assert len(other.list_open()) == 1
    assert other.request_ids(planned(other, "a", "c")) == ["c"]
    one.settle(job, status="expired")
    assert other.request_ids(planned(other, "a", "b")) == ["a", "b"]


def test_many_who_plan_at_once_share_the_requests(stores: tuple[BatchStore, BatchStore]) -> None:
    names = [f"{number:03}" for number in range(60)]
    jobs: list[BatchJob | None] = []

    def work(store: BatchStore, start: int) -> None:
        for at in range(10):
            jobs.append(plan(store, *names[start + at : start + at + 20]))

    threads = [threading.Thread(target=work, args=(store, start)) for store in stores for start in (0, 15, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = [name for job in jobs if job is not None for name in stores[0].request_ids(job)]
    assert sorted(taken) == names[:59]


def test_one_works_on_a_job(stores: tuple[BatchStore, BatchStore], clock: Clock) -> None:
    one, other = stores
    job = planned(one, "a")
    assert other.lease(job.key) is None
    assert one.lease(job.key) == job
    one.release(job.key)
    clock.now += 1
    assert other.lease(job.key) == job
    assert one.lease(job.key) is None
    assert one.record(job, batch_id="x").batch_id == ""
    clock.now += 10_000
    assert one.lease(job.key) is not None
    assert one.record(job, batch_id="batch_1", state="submitted").batch_id == "batch_1"
    one.settle(job, status="completed")
    assert one.lease(job.key) is None


def test_outcomes_and_what_is_known_of_a_request(stores: tuple[BatchStore, BatchStore]) -> None:
    one, other = stores
    job = planned(one, "a", "b", "c", "d", deadline=5.0)
    one.mark(job, {"a": ("stored", ""), "b": ("refused", "too long " * 100), "z": ("stored", "not in it")})
    one.mark(job, {"a": ("returned", "an error that came after the reply")})
    one.mark(job, {})
    assert one.count_outcomes(job) == {"stored": 1, "refused": 1, "open": 2}
    assert one.give_up_open(job, "late") == 2
    one.mark(job, {"c": ("stored", "")})
    one.settle(job, status="expired", problem="")
    assert other.count_outcomes(job) == {"stored": 2, "refused": 1, "returned": 1}
    assert other.list_open() == []
    assert other.read_requests(job, ["a"]) == {"a": ""}
    planned(other, "d", deadline=9.0)
    assert one.histories(["b", "d", "x"]) == {
        "b": RequestHistory(is_open=False, is_refused=True, num_returned=0, first_deadline=5.0),
        "d": RequestHistory(is_open=True, is_refused=False, num_returned=1, first_deadline=5.0),
    }


def test_thousands_of_requests(stores: tuple[BatchStore, BatchStore]) -> None:
    names = [f"{number:032x}" for number in range(3000)]
    job = planned(stores[0], *names)
    assert len(stores[1].read_requests(job, names)) == len(stores[1].histories(names)) == 3000


def test_the_store_of_a_home(tmp_path: Path) -> None:
    home = Home(path=tmp_path, store_url="", database_url="", review_url="")
    with open_batch_store(home) as opened:
        job = planned(opened, "a")
    with open_batch_store(home) as opened:
        assert opened.list_open() == [job]
    assert (tmp_path / "batch.db").exists()
