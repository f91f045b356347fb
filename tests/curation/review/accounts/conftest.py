"""Accounts on a clock that tests turn, with passwords that hash fast."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import argon2
import pytest

from curation.database import Database
from curation.review.accounts.accounts import Accounts
from curation.review.accounts.tables import MIGRATIONS

PASSWORD = "correct horse battery"
FAST = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class Clock:
    now: float = 1_792_500_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def empty_accounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database to copy, which is faster than to migrate one for every test."""
    path = tmp_path_factory.mktemp("accounts") / "accounts.db"
    Database.open(path, concern="accounts", migrations=MIGRATIONS).close()
    return path


@pytest.fixture
def database(tmp_path: Path, empty_accounts: Path) -> Iterator[Database]:
    shutil.copy(empty_accounts, tmp_path / "accounts.db")
    opened = Database.open(tmp_path / "accounts.db", concern="accounts", migrations=MIGRATIONS)
    yield opened
    opened.close()


@pytest.fixture
def accounts(database: Database, clock: Clock) -> Accounts:
    return Accounts(database, now=clock, hasher=FAST)


@pytest.fixture
def ada(accounts: Accounts) -> str:
    token = accounts.first_link()
    assert token
    return accounts.accept(token, "Ada", PASSWORD).name


@pytest.fixture
def join(accounts: Accounts, ada: str) -> Callable[..., str]:
    def join(name: str, role: str = "reviewer") -> str:
        return accounts.accept(accounts.invite(role, by=ada), name, PASSWORD).name  # type: ignore[arg-type]

    return join
