"""The gate opens for what was accepted, and for nothing else."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from curation.database import Database
from curation.errors import ReviewGateError
from curation.record_rows import as_row, from_row
from curation.records import Example, PreferencePair
from curation.review import schema
from curation.review.automatic import run_automatic_reviewers
from curation.review.config import ReviewConfig
from curation.review.gate import GateEvidence, verify_gate
from curation.review.items import build_items, item_key
from curation.review.queue import ReviewQueue
from curation.review.verdicts import apply_verdicts

ALL = ReviewConfig()
LENIENT = ReviewConfig(accept="automatic", automatic=("length",))


@pytest.fixture
def rows(make_example: Callable[..., Example]) -> list[Example]:
    return [make_example(number) for number in range(4)]


def fill(queue: ReviewQueue, examples: list[Example], pairs: list[PreferencePair], config: ReviewConfig = ALL) -> None:
    queue.sync_items(build_items(examples, pairs, lambda _: "passage", config), config)


def check(
    queue: ReviewQueue,
    curated: list[Example],
    dataset: list[Example] | list[PreferencePair],
    config: ReviewConfig = ALL,
    pairs: list[PreferencePair] | None = None,
) -> GateEvidence:
    return verify_gate(
        curated_examples=curated,
        curated_pairs=pairs or [],
        dataset_rows=dataset,
        queue=queue,
        config=config,
        where="http://review",
    )


def test_it_opens_when_every_item_is_decided_and_says_on_what(queue: ReviewQueue, rows: list[Example]) -> None:
    fill(queue, rows, [])
    for row in rows:
        queue.submit(item_key(row, ALL), "approve", "Ada")
    evidence = check(queue, rows, rows[:3])
    assert (evidence.num_rows, evidence.num_required, evidence.num_human, evidence.num_automatic) == (3, 4, 4, 0)
    assert evidence.verdict_head == queue.verify_chain()
    assert evidence.root != check(queue, rows, rows).root


def test_one_open_item_closes_it_and_is_named(queue: ReviewQueue, rows: list[Example]) -> None:
    fill(queue, rows, [])
    for row in rows[1:]:
        queue.submit(item_key(row, ALL), "approve", "Ada")
    with pytest.raises(ReviewGateError, match=r"1 item awaits a verdict.*api/f0#routing/0.*http://review"):
        check(queue, rows, rows[1:])


def test_automatic_verdicts_open_it_only_where_the_recipe_accepts_them(queue: ReviewQueue, rows: list[Example]) -> None:
    items = build_items(rows, [], lambda _: "passage", LENIENT)
    queue.sync_items(items, LENIENT)
    run_automatic_reviewers(queue, items, LENIENT)
    assert check(queue, rows, rows, LENIENT).num_automatic == 4
    with pytest.raises(ReviewGateError, match="4 items await a verdict"):
        check(queue, rows, rows, ALL)


def test_text_that_changed_after_its_approval_closes_it(
    queue: ReviewQueue, rows: list[Example], make_example: Callable[..., Example]
) -> None:
    fill(queue, rows, [])
    for row in rows:
        queue.submit(item_key(row, ALL), "approve", "Ada")
    changed = make_example(2, '{"part":"poison"}')
    with pytest.raises(ReviewGateError, match="1 item awaits"):
        check(queue, [*rows[:2], changed, *rows[3:]], rows[:2])
    with pytest.raises(ReviewGateError, match=r"not what was accepted.*api/f2#routing/0"):
        check(queue, rows, [rows[0], changed])


def test_any_other_field_of_an_approved_row_that_changed_closes_it(queue: ReviewQueue, rows: list[Example]) -> None:
    config = ReviewConfig(policy="none")
    with pytest.raises(ReviewGateError, match="not what was accepted"):
        check(queue, rows, [dataclasses.replace(rows[0], group="elsewhere")], config)


def test_a_row_from_nowhere_closes_it_under_every_policy(
    queue: ReviewQueue, rows: list[Example], make_example: Callable[..., Example]
) -> None:
    fill(queue, rows, [])
    for row in rows:
        queue.submit(item_key(row, ALL), "approve", "Ada")
    for config in (ALL, ReviewConfig(policy="none"), ReviewConfig(policy="sample")):
        with pytest.raises(ReviewGateError, match=r"stems from no curated row.*api/f99"):
            check(queue, rows, [rows[0], make_example(99)], config)


def test_a_rejected_row_closes_it_with_the_verdict_in_the_message(queue: ReviewQueue, rows: list[Example]) -> None:
    fill(queue, rows, [])
    queue.submit(item_key(rows[0], ALL), "reject", "Ada", reason="wrong: no such part")
    for row in rows[1:]:
        queue.submit(item_key(row, ALL), "approve", "Ada")
    assert check(queue, rows, rows[1:]).num_rows == 3
    with pytest.raises(ReviewGateError, match=r"rejected_by_reviewer.*Ada.*no such part"):
        check(queue, rows, rows)


def test_edits_and_preferences_flow_through(
    queue: ReviewQueue, rows: list[Example], make_pair: Callable[..., PreferencePair]
) -> None:
    pair = make_pair(rows[1])
    fill(queue, rows, [pair])
    queue.submit(item_key(rows[0], ALL), "edit", "Ada", edited_answer="better")
    for row in rows[1:]:
        queue.submit(item_key(row, ALL), "approve", "Ada")
    queue.submit(item_key(pair, ALL), "prefer_b", "Ada")
    verified = apply_verdicts(rows, [pair], verdicts=queue.current_verdicts("human"), config=ALL)
    assert check(queue, rows, verified.examples, pairs=[pair]).num_rows == 4
    assert check(queue, rows, verified.pairs, pairs=[pair]).num_rows == 2
    with pytest.raises(ReviewGateError, match="stems from no curated row|not what was accepted|not accepted"):
        check(queue, rows, [pair], pairs=[pair])
    queue.submit(item_key(rows[0], ALL), "approve", "Ada")
    with pytest.raises(ReviewGateError, match="stems from no curated row"):
        check(queue, rows, verified.examples, pairs=[pair])


def test_a_forged_verdict_closes_it(queue: ReviewQueue, rows: list[Example]) -> None:
    fill(queue, rows, [])
    for row in rows:
        queue.submit(item_key(row, ALL), "reject", "Ada", reason="wrong")
    queue.database.write(lambda connection: connection.execute(sa.text("UPDATE review_verdicts SET decision = 'approve'")))
    with pytest.raises(ReviewGateError, match="cannot be relied on"):
        check(queue, rows, rows)


def test_an_unreadable_database_closes_it(tmp_path: Path, rows: list[Example]) -> None:
    path = tmp_path / "broken.db"
    database = Database.open(path, concern="review", migrations=schema.MIGRATIONS)
    database.engine.dispose()
    for name in (path, tmp_path / "broken.db-wal", tmp_path / "broken.db-shm"):
        name.unlink(missing_ok=True)
    path.write_bytes(b"this is not a database" * 500)
    with pytest.raises(ReviewGateError, match="cannot be relied on"):
        check(ReviewQueue(database, "demo"), rows, rows)
    database.close()


def test_a_database_without_its_tables_closes_it(tmp_path: Path, rows: list[Example]) -> None:
    database = Database(sa.create_engine(f"sqlite:///{tmp_path / 'empty.db'}"), "review")
    with pytest.raises(ReviewGateError, match="cannot be relied on"):
        check(ReviewQueue(database, "demo"), rows, rows)
    database.close()


@pytest.mark.slow
def test_100_000_rows_pass_the_gate(queue: ReviewQueue, make_example: Callable[..., Example]) -> None:
    rows = [make_example(number) for number in range(100_000)]
    items = build_items(rows, [], lambda _: "passage", LENIENT)
    queue.sync_items(items, LENIENT)
    run_automatic_reviewers(queue, items, LENIENT)
    dataset = [from_row(Example, as_row(row)) for row in rows]
    assert check(queue, rows, dataset, LENIENT).num_automatic == 100_000


def test_a_row_that_a_suite_sends_to_review_waits_even_without_a_policy(queue: ReviewQueue, rows: list[Example]) -> None:
    config = ReviewConfig(policy="none")
    key = rows[0].key
    queue.sync_items(build_items(rows, [], lambda _: "passage", config, {key}), config)
    arguments = {"curated_pairs": [], "queue": queue, "config": config, "where": "here"}
    with pytest.raises(ReviewGateError, match="1 item awaits a verdict"):
        verify_gate(curated_examples=rows, dataset_rows=rows[1:], required={key}, **arguments)  # type: ignore[arg-type]
    assert check(queue, rows, rows, config).num_required == 0
    queue.submit(item_key(rows[0], config), "approve", "Ada")
    evidence = verify_gate(curated_examples=rows, dataset_rows=rows, required={key}, **arguments)  # type: ignore[arg-type]
    assert (evidence.num_required, evidence.num_human) == (1, 1)


def test_repeated_rows_of_a_mix_pass_and_changed_ones_do_not(queue: ReviewQueue, rows: list[Example]) -> None:
    config = ReviewConfig(policy="none")
    repeated = dataclasses.replace(rows[0], key=f"{rows[0].key}@2")
    assert check(queue, rows, [*rows, repeated], config).num_rows == 5
    forged = dataclasses.replace(repeated, messages=rows[1].messages)
    with pytest.raises(ReviewGateError, match="@2"):
        check(queue, rows, [forged], config)
