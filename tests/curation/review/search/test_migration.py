"""A queue from before the search: its items are numbered and found."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.database import Database
from curation.records import Example
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.payload import pack_item
from curation.review.queue import ReviewQueue
from curation.review.search.find import find_items
from curation.review.search.query import parse_query

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_items_that_were_there_are_found(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, make_example: Callable[..., Example]
) -> None:
    location = str(request.getfixturevalue("postgres_url")) if kind == "postgres" else tmp_path / "review.db"
    old = tmp_path / "old"
    old.mkdir()
    shutil.copy(schema.MIGRATIONS / "0001_review.py", old)
    items = build_items([make_example(number, f"word {number}") for number in range(7)], [], lambda _: "", ReviewConfig())
    row = {"recipe": "demo", "kind": "example", "is_listed": True, "human_sequence": 0, "automatic_sequence": 0}
    rows = [
        row | {"item_key": item.key, "record_key": item.record_key, "payload": pack_item(item), "opened_at": f"2026-11-0{day}"}
        for day, item in enumerate(items, start=1)
    ]
    database = Database.open(location, concern="review", migrations=old)
    settings = {"recipe": "demo", "policy": "all", "accept": "human", "rubric": "", "num_verdicts": 0, "head": ""}
    database.write(lambda connection: connection.execute(schema.queues.insert(), [settings]))
    database.write(lambda connection: connection.execute(schema.items.insert(), rows))
    database.close()

    database = Database.open(location, concern="review", migrations=schema.MIGRATIONS)
    with database.read() as connection:
        hits = find_items(connection, "demo", parse_query("word")).hits
        assert [hit.item_key for hit in hits] == [item.key for item in reversed(items)]
        assert [hit.arrival for hit in hits] == [7, 6, 5, 4, 3, 2, 1]
    new = build_items([make_example(8, "word new")], [], lambda _: "", ReviewConfig())
    ReviewQueue(database, "demo").sync_items([*items, *new], ReviewConfig())
    with database.read() as connection:
        assert find_items(connection, "demo", parse_query("new")).hits[0].arrival == 8
    lease = ReviewQueue(database, "demo").claim("Ada")
    assert lease is not None
    assert lease.item_key == new[0].key
    database.close()
