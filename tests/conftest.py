"""Fixtures for all tests: a clean environment, and a PostgreSQL server where there is one."""

import os
import signal
import uuid
from collections.abc import Iterator

import hypothesis
import pytest
import sqlalchemy as sa

from tests.postgres_server import find_binaries, temporary_postgres

# Tests decide the same everywhere; CONTRIBUTING.md says which are worth a GPU, and these see one, as a training process does.
os.environ["CUDA_VISIBLE_DEVICES"] = "0" if os.environ.get("TUNEWRIGHT_TEST_GPU") else ""
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two tests run side by side, and their trainings with them

at_any_speed = hypothesis.settings(deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("quick", at_any_speed, max_examples=25)
hypothesis.settings.register_profile("thorough", at_any_speed, max_examples=60)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts jobs in the background; children would ignore it too
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """No test inherits what another did to signals: Dagster gives SIGTERM the handler of SIGINT, for good."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings or keys of the person who runs it."""
    for name in list(os.environ):
        if name.startswith(("TUNEWRIGHT_", "OPENAI_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a PostgreSQL server that lives as long as the test session."""
    if find_binaries() is None:
        pytest.skip("no PostgreSQL server binaries")
    with temporary_postgres() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of an empty database on that server, for one test."""
    name = f"test_{uuid.uuid4().hex}"
    engine = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield postgres_server.rpartition("/")[0] + f"/{name}"
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()
