"""Fixtures for all tests: a clean environment, and a PostgreSQL server where there is one."""

import os
import uuid
from collections.abc import Iterator

import hypothesis
import pytest
import sqlalchemy as sa

from tests.postgres_server import find_binaries, temporary_postgres

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two tests run side by side, and their trainings with them

hypothesis.settings.register_profile("quick", deadline=None, max_examples=25, derandomize=True)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=60, derandomize=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


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
