"""Checking the chains of a database: every recipe gets a report, also one whose queue is gone, in any version of the schema."""

from typing import Any

import pytest
import sqlalchemy as sa

from curation.database import Database
from curation.records import ReviewItem
from curation.review.config import ReviewConfig
from curation.review.exchange import audit
from curation.review.exchange.audit import ChainReport, check_chains, follow_chain
from curation.review.queue import ReviewQueue
from curation.review.queue.chain import hash_row


def fill(database: Database, items: list[ReviewItem]) -> dict[str, str]:
    """Record three verdicts in recipe b and one in recipe a, and return the heads."""
    heads = {}
    for recipe, num in (("b", 3), ("a", 1)):
        queue = ReviewQueue(database, recipe)
        queue.sync_items(items, ReviewConfig())
        for item in items[:num]:
            queue.submit(item.key, "prefer_a" if item.kind == "pair" else "approve", "Ada")
        heads[recipe] = queue.verify_chain()
    return heads


def reports(database: Database, recipe: str | None = None) -> list[ChainReport]:
    with database.read() as connection:
        return check_chains(connection, recipe)


def change(database: Database, text: str) -> None:
    database.write(lambda connection: connection.execute(sa.text(text)))


def test_every_recipe_is_reported_by_name(database: Database, items: list[ReviewItem]) -> None:
    heads = fill(database, items)
    one = ChainReport(recipe="a", num_verdicts=1, head=heads["a"])
    three = ChainReport(recipe="b", num_verdicts=3, head=heads["b"], problem="")
    assert reports(database) == [one, three]
    assert reports(database, "b") == [three]
    assert reports(database, "c") == []


def test_damage_is_named_and_stays_with_its_recipe(database: Database, items: list[ReviewItem]) -> None:
    fill(database, items)
    change(database, "UPDATE review_verdicts SET reviewer = 'Eve' WHERE recipe = 'b' AND sequence = 2")
    sound, broken = reports(database)
    assert (sound.recipe, sound.problem) == ("a", "")
    assert (broken.recipe, broken.num_verdicts) == ("b", 3)
    assert "entry 2 does not follow" in broken.problem


def test_verdicts_are_read_in_their_order(database: Database, items: list[ReviewItem]) -> None:
    """A row that was written late stands last in the table, and is entry 1 none the less."""
    fill(database, items)
    change(database, "CREATE TABLE first AS SELECT * FROM review_verdicts WHERE recipe = 'b' AND sequence = 1")
    change(database, "DELETE FROM review_verdicts WHERE recipe = 'b' AND sequence = 1")
    change(database, "INSERT INTO review_verdicts SELECT * FROM first")
    assert [report.problem for report in reports(database)] == ["", ""]


def test_verdicts_of_a_queue_that_is_gone_are_found_once(database: Database, items: list[ReviewItem]) -> None:
    fill(database, items)
    change(database, "DELETE FROM review_queues WHERE recipe = 'b'")
    first, second = reports(database)
    assert (first.recipe, second.recipe, second.num_verdicts, second.head) == ("a", "b", 0, "")
    assert "entry 4 does not follow" in second.problem
    assert reports(database, "a") == [first]
    assert reports(database, "b") == [second]
    change(database, "DELETE FROM review_queues")
    assert [report.recipe for report in reports(database)] == ["a", "b"]


@pytest.mark.parametrize(("chunk", "seen"), [(1, [1, 2, 3, 3]), (2, [2, 3]), (4, [3])])
def test_a_walk_tells_how_far_it_is(
    database: Database, items: list[ReviewItem], monkeypatch: pytest.MonkeyPatch, chunk: int, seen: list[int]
) -> None:
    monkeypatch.setattr(audit, "CHUNK", chunk)
    heads, told = fill(database, items), list[int]()
    with database.read() as connection:
        follow_chain(connection, "b", length=3, head=heads["b"], watch=told.append)
        assert told == seen
        follow_chain(connection, "nothing", length=0, head="", watch=told.append)
        assert told == [*seen, 0]


def test_a_database_of_an_older_version_is_checked_as_well() -> None:
    names = (
        "recipe", "sequence", "item_key", "decision", "reviewer", "reviewer_kind", "reason", "edited_answer", "created_at",
        "token", "previous_hash",
    )  # fmt: skip
    row: dict[str, Any] = dict.fromkeys(names, "x") | {"sequence": 1, "previous_hash": ""}
    row["hash"] = hash_row(row | {"role": None, "supersedes": None, "details": None})
    with sa.create_engine("sqlite://").begin() as connection:
        connection.execute(sa.text("CREATE TABLE review_queues (recipe TEXT, num_verdicts INTEGER, head TEXT)"))
        connection.execute(sa.text(f"CREATE TABLE review_verdicts ({', '.join(row)})"))
        connection.execute(sa.text("INSERT INTO review_queues VALUES ('x', 1, :hash)"), row)
        connection.execute(sa.text(f"INSERT INTO review_verdicts VALUES ({', '.join(f':{name}' for name in row)})"), row)
        assert check_chains(connection) == [ChainReport(recipe="x", num_verdicts=1, head=row["hash"])]
