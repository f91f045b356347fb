"""Gold items: copies that nobody can tell from others, that stay listed, and that training can never see."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa

from curation.errors import ItemWithdrawnError, UnknownIdError
from curation.records import Example, PreferencePair, ReviewItem, Verdict
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.errors import GoldRefusedError
from curation.review.gate import verify_gate
from curation.review.items import build_items, is_gold, item_key, shown_record_key
from curation.review.queue import ReviewQueue
from curation.review.reviewers.damage import comparable
from curation.review.reviewers.gold import NewGold, list_gold, put_gold, set_gold, withdraw_gold, withdraw_orphans
from curation.review.reviewers.planting import damages, num_missing, plant_errors, top_up
from curation.review.search.find import find_items
from curation.review.search.query import parse_query
from curation.review.verdicts import apply_verdicts

pytestmark = pytest.mark.slow

CONFIG = ReviewConfig()
Items = Callable[..., list[ReviewItem]]
Decide = Callable[..., Verdict]


@pytest.fixture
def items(queue: ReviewQueue, make_items: Items, decide: Decide) -> list[ReviewItem]:
    """Forty items, of which ten are approved."""
    made = make_items(40)
    queue.sync_items(made, CONFIG)
    for item in made[:10]:
        decide(item, "approve", "Ada")
    return made


def test_planted_errors_are_damaged_copies_of_accepted_examples(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    planted = plant_errors(queue, 6, by="Lea", seed=1)
    assert len(planted) == 6
    assert {gold.origin_key for gold in planted} <= {item.key for item in items[:10]}
    by_key = {item.key: item for item in items}
    for gold in planted:
        shown, origin = queue.get_item(gold.item_key).item, by_key[gold.origin_key]
        assert comparable(shown.answer) != comparable(origin.answer)
        assert (shown.prompt, shown.evidence, shown.provenance) == (origin.prompt, origin.evidence, origin.provenance)
        assert (gold.expected, gold.set_by, gold.kind) == (("edit", "reject"), "Lea", "planted")
        assert gold.detail
    assert sum(damages(planted).values()) == 6
    assert len(damages(planted)) > 1
    assert {gold.item_key for gold in list_gold(queue)} == {gold.item_key for gold in planted}


def test_planting_is_deterministic_and_plants_each_example_once(
    queue: ReviewQueue, items: list[ReviewItem], decide: Decide
) -> None:
    first = plant_errors(queue, 4, by="Lea", seed=1)
    rest = plant_errors(queue, 100, by="Lea", seed=1)
    assert len(first) + len(rest) == 10
    assert len({gold.origin_key for gold in (*first, *rest)}) == 10
    assert plant_errors(queue, 5, by="Lea", seed=2) == []
    other = ReviewQueue(queue.database, "other")
    other.sync_items(items, CONFIG)
    for item in items[:10]:
        other.submit(item.key, "approve", "Ada")
    again = plant_errors(other, 4, by="Lea", seed=1)
    assert [(gold.origin_key, gold.detail) for gold in again] == [(gold.origin_key, gold.detail) for gold in first]


def test_a_rejected_or_undecided_example_is_never_planted(queue: ReviewQueue, make_items: Items, decide: Decide) -> None:
    made = make_items(3)
    queue.sync_items(made, CONFIG)
    decide(made[0], "reject", reason="wrong")
    assert plant_errors(queue, 3, by="Lea", seed=1) == []


def test_training_never_sees_gold(queue: ReviewQueue, make_example: Callable[..., Example]) -> None:
    examples = [make_example(number, f"It takes {number + 10} days.") for number in range(4)]
    items = build_items(examples, [], lambda _: "", CONFIG)
    queue.sync_items(items, CONFIG)
    for item in items:
        queue.submit(item.key, "approve", "Ada")
    before = apply_verdicts(examples, [], verdicts=queue.current_verdicts(), config=CONFIG)
    for gold in plant_errors(queue, 4, by="Lea", seed=1):
        queue.submit(gold.item_key, "approve", "Bob")  # misses the error: it must not get in for that
    after = apply_verdicts(examples, [], verdicts=queue.current_verdicts(), config=CONFIG)
    assert after == before
    evidence = verify_gate(
        curated_examples=examples, curated_pairs=[], dataset_rows=examples, queue=queue, config=CONFIG, where="here"
    )
    assert (evidence.num_rows, evidence.num_human) == (4, 4)


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_verdict_on_gold_decides_no_row_with_the_very_same_text(
    queue: ReviewQueue, make_example: Callable[..., Example], decision: str
) -> None:
    example = make_example(0, "It takes 10 days.")
    (item,) = build_items([example], [], lambda _: "", CONFIG)
    queue.sync_items([item], CONFIG)
    gold = put_gold(queue, [NewGold(origin=item, kind="gold", expected=("approve",))], by="Lea", seed=1)[0]
    queue.submit(gold.item_key, decision, "Bob")  # type: ignore[arg-type]
    verified = apply_verdicts([example], [], verdicts=queue.current_verdicts(), config=CONFIG)
    assert verified.examples == []
    assert [rejection.reason for rejection in verified.rejections] == ["awaiting_review"]


def test_no_row_has_the_key_or_the_record_key_of_gold(
    queue: ReviewQueue,
    items: list[ReviewItem],
    make_example: Callable[..., Example],
    make_pair: Callable[..., PreferencePair],
) -> None:
    gold = plant_errors(queue, 1, by="Lea", seed=1)[0]
    shown = queue.get_item(gold.item_key).item
    assert is_gold(shown.record_key)
    assert not any(is_gold(item.record_key) for item in items)
    twin = make_example(0, shown.answer, question=shown.prompt[-1].content)
    assert item_key(twin, CONFIG) != gold.item_key
    assert item_key(make_pair(twin), CONFIG) != gold.item_key


def test_the_shown_record_key_gives_nothing_away(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    gold = plant_errors(queue, 1, by="Lea", seed=1)[0]
    origin = next(item for item in items if item.key == gold.origin_key)
    shown = queue.get_item(gold.item_key).item
    assert shown_record_key(shown.record_key) == origin.record_key == shown_record_key(origin.record_key)
    assert queue.previous_item(shown) is None  # or a diff would show what was damaged
    assert queue.previous_item(origin) is None


def test_gold_is_found_by_no_search(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    plant_errors(queue, 3, by="Lea", seed=1)
    with queue.database.read() as connection:
        found = find_items(connection, queue.recipe, parse_query(""), limit=100).hits
        numbers = connection.exec_driver_sql("SELECT arrival FROM review_items").scalars().all()
    assert {hit.item_key for hit in found} == {item.key for item in items}
    assert len(set(numbers)) == len(numbers)  # each item is found by its number


def test_gold_outlives_a_sync_that_others_do_not(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    planted = plant_errors(queue, 3, by="Lea", seed=1)
    report = queue.sync_items(items[:5], CONFIG)
    assert report.closed == 35
    assert all(gold.is_listed for gold in list_gold(queue))
    assert queue.counts().num_items == 8
    served = {lease.item_key for _ in range(3) if (lease := queue.claim("Bob")) is not None}
    assert served == {gold.item_key for gold in planted}


def test_withdrawn_gold_is_served_no_more(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    gold = plant_errors(queue, 1, by="Lea", seed=1)[0]
    before = queue.counts().num_items
    withdraw_gold(queue, gold.item_key)
    assert queue.claim("Bob", item_key=gold.item_key) is None
    assert queue.counts().num_items == before - 1
    assert [found.is_listed for found in list_gold(queue)] == [False]
    with pytest.raises(UnknownIdError):
        withdraw_gold(queue, items[0].key)


def test_gold_is_served_to_as_many_as_other_items_and_never_disputed(queue: ReviewQueue, make_items: Items) -> None:
    config = ReviewConfig(overlap=2)
    made = make_items(2, config)
    queue.sync_items(made, config)
    gold = set_gold(queue, made[0].key, ["reject"], by="Lea")
    queue.submit(gold.item_key, "approve", "Ada")
    queue.submit(gold.item_key, "reject", "Bob")
    assert queue.claim("Cyd", item_key=gold.item_key) is None
    assert queue.claim("Cyd", role="adjudication") is None
    assert queue.counts().num_disputed == 0
    queue.sync_items(made, ReviewConfig(overlap=1))  # works all states out anew
    queue.sync_items(made, config)
    assert queue.counts().num_disputed == 0


def test_gold_comes_up_at_its_share_in_both_orders(queue: ReviewQueue, make_items: Items, decide: Decide) -> None:
    made = make_items(400)
    queue.sync_items(made, CONFIG)
    for item in made[:60]:
        decide(item)
    assert top_up(queue, ReviewConfig(gold_share=0.1)) == 37  # of 340 + 37 that are open
    assert top_up(queue, ReviewConfig(gold_share=0.1)) == 0
    gold = {found.item_key for found in list_gold(queue)}
    assert {found.set_by for found in list_gold(queue)} == {"recipe"}
    for order in ("priority DESC, arrival DESC", "random_rank"):
        text = f"SELECT item_key FROM review_slots WHERE done_sequence = 0 ORDER BY {order}, item_key"
        with queue.database.read() as connection:
            keys = connection.exec_driver_sql(text).scalars().all()
        quarters = Counter(at * 4 // len(keys) for at, key in enumerate(keys) if key in gold)
        assert all(3 <= quarters[at] <= 18 for at in range(4)), (order, quarters)


def test_no_share_plants_nothing(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    assert top_up(queue, CONFIG) == 0
    assert num_missing(queue, 0.25) == 10  # 30 are open


def test_set_gold(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    gold = set_gold(queue, items[0].key, ["reject", "edit", "reject"], by="Lea", detail="the function is gone")
    assert gold.expected == ("edit", "reject")
    assert (gold.kind, gold.damage, gold.detail) == ("gold", "", "the function is gone")
    assert queue.get_item(gold.item_key).item.answer == items[0].answer
    with pytest.raises(GoldRefusedError, match="still waits"):
        set_gold(queue, items[0].key, ["reject"], by="Lea")
    with pytest.raises(GoldRefusedError, match="itself"):
        set_gold(queue, gold.item_key, ["reject"], by="Lea")
    with pytest.raises(UnknownIdError):
        set_gold(queue, "0" * 32, ["reject"], by="Lea")
    queue.submit(gold.item_key, "reject", "Bob")
    assert set_gold(queue, items[0].key, ["reject"], by="Lea").item_key != gold.item_key


@pytest.mark.parametrize("expected", [[], ["prefer_a"], ["approve", "edit", "reject"], ["undo"]])
def test_gold_needs_a_decision_that_can_be_wrong(queue: ReviewQueue, items: list[ReviewItem], expected: list[str]) -> None:
    with pytest.raises(GoldRefusedError, match="at least one"):
        set_gold(queue, items[0].key, expected, by="Lea")  # type: ignore[arg-type]
    assert list_gold(queue) == []


def test_gold_of_a_pair(
    queue: ReviewQueue, make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> None:
    (item,) = build_items([], [make_pair(make_example())], lambda _: "", CONFIG)
    queue.sync_items([item], CONFIG)
    gold = set_gold(queue, item.key, ["prefer_a"], by="Lea")
    assert queue.get_item(gold.item_key).item.alternative == item.alternative
    assert plant_errors(queue, 1, by="Lea", seed=1) == []


def test_an_automatic_verdict_makes_an_example_accepted_only_where_the_recipe_says_so(
    queue: ReviewQueue, make_items: Items
) -> None:
    made = make_items(2)
    queue.sync_items(made, CONFIG)
    for item in made:
        queue.submit(item.key, "approve", "automatic:length v1", "automatic")
    assert plant_errors(queue, 2, by="Lea", seed=1) == []
    queue.sync_items(made, ReviewConfig(accept="automatic", automatic=("length",)))
    queue.submit(made[0].key, "reject", "Ada", reason="wrong")
    assert [gold.origin_key for gold in plant_errors(queue, 2, by="Lea", seed=1)] == [made[1].key]


def test_the_database_holds_who_set_gold_and_when(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    gold = set_gold(queue, items[0].key, ["approve"], by="Lea")
    with queue.database.read() as connection:
        row = connection.exec_driver_sql("SELECT set_by, set_at, expected FROM review_gold").one()
        listed = connection.execute(
            sa.select(schema.items.c.record_key).where(schema.items.c.item_key == gold.item_key)
        ).scalar_one()
    assert (row.set_by, row.expected) == ("Lea", '["approve"]')
    assert row.set_at == gold.set_at
    assert listed.startswith("gold:")


def test_copies_of_a_row_that_is_gone_go_with_it(queue: ReviewQueue, make_items: Items) -> None:
    items = make_items(4)
    queue.sync_items(items, CONFIG)
    for item in items:
        queue.submit(item.key, "approve", "Ada")
    copies = {gold.origin_key: gold.item_key for gold in plant_errors(queue, 4, by="Lea", seed=1)}
    assert len(copies) == 4
    gone, changed, *stay = items
    other = replace(changed, key="ab" * 16, answer="Another text.")  # the same row, written anew
    queue.sync_items([other, *stay], CONFIG)
    held = queue.claim("Bob", item_key=copies[gone.key])
    assert held is not None
    assert withdraw_orphans(queue) == [copies[gone.key]]
    listed = {gold.item_key for gold in list_gold(queue) if gold.is_listed}
    assert listed == set(copies.values()) - {copies[gone.key]}
    assert queue.claim("Cyd", item_key=copies[gone.key]) is None
    with pytest.raises(ItemWithdrawnError):
        queue.submit(held.item_key, "reject", "Bob", generation=held.generation)
    with pytest.raises(GoldRefusedError, match="no longer part of the data"):
        set_gold(queue, gone.key, ["reject"], by="Lea")
    assert withdraw_orphans(queue) == []
    assert queue.counts().num_items == len(queue.list_items("all"))
