"""What the gate says it saw, and what it says when it refuses."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from curation.errors import ReviewGateError
from curation.ids import merkle_root
from curation.records import Example, PreferencePair, record_hash
from curation.review.config import ReviewConfig
from curation.review.gate import GateEvidence, verify_gate
from curation.review.items import Row, build_items, item_key
from curation.review.queue import ReviewQueue

LENIENT = ReviewConfig(accept="automatic", automatic=("length",))


@pytest.fixture
def rows(make_example: Callable[..., Example]) -> list[Example]:
    return [make_example(number) for number in range(3)]


def check(queue: ReviewQueue, curated: list[Example], dataset: list[Row], config: ReviewConfig) -> GateEvidence:
    return verify_gate(
        curated_examples=curated, curated_pairs=[], dataset_rows=dataset, queue=queue, config=config, where="http://here"
    )


def test_people_and_automatic_reviewers_are_counted_apart(queue: ReviewQueue, rows: list[Example]) -> None:
    queue.sync_items(build_items(rows, [], lambda _: "", LENIENT), LENIENT)
    queue.submit(item_key(rows[0], LENIENT), "approve", "Ada")
    for row in rows:
        queue.submit(item_key(row, LENIENT), "approve", "automatic:length v1", "automatic")
    assert check(queue, rows, [*rows[:2]], LENIENT) == GateEvidence(
        policy="all",
        num_rows=2,
        num_required=3,
        num_human=1,
        num_automatic=2,
        num_lots=0,
        num_failed_lots=0,
        verdict_head=queue.verify_chain(),
        root=merkle_root(record_hash(row) for row in rows[:2]),
    )


def test_a_recipe_without_lots_has_none() -> None:
    evidence = GateEvidence(policy="none", num_rows=1, num_required=0, num_human=0, num_automatic=0, verdict_head="", root="")
    assert (evidence.num_lots, evidence.num_failed_lots) == (0, 0)


def test_without_a_policy_nothing_is_read(queue: ReviewQueue, rows: list[Example]) -> None:
    queue.database.write(lambda connection: connection.execute(sa.text("DROP TABLE review_verdicts")))
    evidence = check(queue, rows, [], ReviewConfig(policy="none"))
    assert (evidence.policy, evidence.verdict_head, evidence.num_rows, evidence.num_required) == ("none", "", 0, 0)
    with pytest.raises(ReviewGateError, match="the verdicts cannot be relied on .*First row: all[.].*http://here"):
        check(queue, rows, [], ReviewConfig())


@pytest.mark.parametrize(("num_open", "words"), [(1, "1 item awaits a verdict[.]"), (2, "2 items await a verdict[.]")])
def test_the_first_item_that_waits_is_named(queue: ReviewQueue, rows: list[Example], num_open: int, words: str) -> None:
    config = ReviewConfig()
    queue.sync_items(build_items(rows, [], lambda _: "", config), config)
    for row in rows[num_open:]:
        queue.submit(item_key(row, config), "approve", "Ada")
    first = f"{rows[0].key} .item {item_key(rows[0], config)}"
    with pytest.raises(ReviewGateError, match=f"{words} First row: {first}.*http://here"):
        check(queue, rows, [], config)


def test_the_entry_at_fault_is_named(queue: ReviewQueue, rows: list[Example]) -> None:
    config = ReviewConfig()
    queue.sync_items(build_items(rows, [], lambda _: "", config), config)
    for row in rows:
        queue.submit(item_key(row, config), "approve", "Ada")
    forged = sa.text("UPDATE review_verdicts SET reviewer = 'Eve' WHERE sequence = 2")
    queue.database.write(lambda connection: connection.execute(forged))
    with pytest.raises(ReviewGateError, match=r"cannot be relied on \(The review ledger.*First row: verdict 2[.].*http://here"):
        check(queue, rows, [*rows], config)


def test_the_row_at_fault_is_named_with_its_hash(
    queue: ReviewQueue, rows: list[Example], make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> None:
    none = ReviewConfig(policy="none")
    changed = make_example(1, "something else")
    pair = make_pair(rows[0])
    for row, problem in (
        (changed, "a row of the data set is not what was accepted: its content has changed since."),
        (pair, "a row of the data set stems from no curated row."),
    ):
        with pytest.raises(ReviewGateError) as raised:
            check(queue, rows, [rows[0], row], none)
        assert problem in str(raised.value)
        assert f"{row.key} (hash {record_hash(row)})" in str(raised.value)
        assert "http://here" in str(raised.value)


def test_two_people_decide_where_the_recipe_asks_for_two(queue: ReviewQueue, rows: list[Example]) -> None:
    config = ReviewConfig(overlap=2)
    queue.sync_items(build_items(rows[:1], [], lambda _: "", config), config)
    queue.submit(item_key(rows[0], config), "approve", "Ada")
    with pytest.raises(ReviewGateError, match="1 item awaits"):
        check(queue, rows[:1], [rows[0]], config)
    queue.submit(item_key(rows[0], config), "approve", "Bob")
    assert check(queue, rows[:1], [rows[0]], config).num_human == 1


def test_a_row_that_was_rejected_is_refused_with_what_was_said_of_it(queue: ReviewQueue, rows: list[Example]) -> None:
    config = ReviewConfig()
    queue.sync_items(build_items(rows[:2], [], lambda _: "", config), config)
    queue.submit(item_key(rows[0], config), "reject", "Ada", reason="off")
    queue.submit(item_key(rows[1], config), "reject", "Bob", reason="worse")
    said = r"a row of the data set was not accepted \(rejected_by_reviewer\): Bob \(verdict 2\) rejected it: worse"
    with pytest.raises(ReviewGateError, match=said):
        check(queue, rows[:2], [rows[1]], config)
