"""One SQLite database for all tests of lots, in which each has a recipe of its own; a PostgreSQL one for each that asks."""

import itertools
from collections.abc import Iterator

import pytest

from curation.database import Database
from curation.review import schema
from curation.review.queue import ReviewQueue

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def lots_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path = tmp_path_factory.mktemp("lots") / "review.db"
    opened = Database.open(path, concern="review", migrations=schema.MIGRATIONS)
    yield opened
    opened.close()


@pytest.fixture
def queue(lots_database: Database) -> ReviewQueue:
    return ReviewQueue(lots_database, f"demo{next(_NUMBERS)}")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def either_queue(request: pytest.FixtureRequest) -> Iterator[ReviewQueue]:
    """A queue in each of the two databases."""
    if request.param == "sqlite":
        yield ReviewQueue(request.getfixturevalue("lots_database"), f"demo{next(_NUMBERS)}")
        return
    location = request.getfixturevalue("postgres_url")
    opened = Database.open(location, concern="review", migrations=schema.MIGRATIONS)
    yield ReviewQueue(opened, "demo")
    opened.close()
