"""Fixtures of the batch tests: a ledger, a store with a clock that the test moves, and an endpoint."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from curation.chat_model import ChatRequest, request_id
from curation.database import Database
from curation.records import Message
from curation.synthesis.batch.store import MIGRATIONS, BatchStore
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.openai_model import OpenAIChatModel
from tests.curation.synthesis.batch.batch_server import BatchServer, batch_server


@dataclass
class Clock:
    """Time that stands still until it is moved."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[BatchStore]:
    with BatchStore(Database.open(tmp_path / "batch.db", concern="batch", migrations=MIGRATIONS), now=clock) as opened:
        yield opened


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with batch_server() as opened:
        yield opened


@pytest.fixture
def teacher(server: BatchServer) -> TeacherConfig:
    return TeacherConfig(
        kind="openai",
        model="m",
        base_url=server.url,
        price_input_usd_per_million=10.0,
        price_output_usd_per_million=100.0,
        price_batch_factor=0.5,
    )


@pytest.fixture
def requests() -> list[ChatRequest]:
    return [ChatRequest(messages=(Message(role="user", content=f"question {number}"),)) for number in range(10)]


@pytest.fixture
def ids(requests: list[ChatRequest], teacher: TeacherConfig) -> list[str]:
    model = OpenAIChatModel(teacher)
    return [request_id(model, request) for request in requests]
