"""What lots let through, and what the gate makes of it."""

from collections.abc import Callable

import pytest

from curation.errors import ReviewGateError
from curation.records import Decision, Example, PreferencePair
from curation.review.config import ReviewConfig
from curation.review.gate import GateEvidence, verify_gate
from curation.review.items import build_items, item_key
from curation.review.lots.config import LotConfig
from curation.review.lots.inspection import inspect_rows
from curation.review.queue import ReviewQueue
from curation.review.verdicts import Verified, apply_verdicts

pytestmark = pytest.mark.slow

CONFIG = ReviewConfig(lots=LotConfig(n=4, c=1, quality_level=0.7))


@pytest.fixture
def rows(make_example: Callable[..., Example]) -> list[Example]:
    return [make_example(number) for number in range(20)]


def apply(queue: ReviewQueue, rows: list[Example], pairs: list[PreferencePair] | None = None, required: str = "") -> Verified:
    wanted = {required} - {""}
    return apply_verdicts(rows, pairs or [], verdicts=queue.current_verdicts(), config=CONFIG, required=wanted)


def check(queue: ReviewQueue, rows: list[Example], dataset: list[Example]) -> GateEvidence:
    return verify_gate(
        curated_examples=rows, curated_pairs=[], dataset_rows=dataset, queue=queue, config=CONFIG, where="http://review"
    )


def sample_of(rows: list[Example]) -> tuple[str, ...]:
    (report,) = inspect_rows(rows, {}, CONFIG).reports
    return report.sample


def vote(queue: ReviewQueue, rows: list[Example], *decisions: Decision) -> None:
    queue.sync_items(build_items(rows, [], lambda _: "", CONFIG), CONFIG)
    for key, decision in zip(sample_of(rows), decisions, strict=False):
        queue.submit(key, decision, "Ada", edited_answer="better" if decision == "edit" else "")


def test_nothing_of_an_undecided_lot_passes_and_only_its_sample_is_asked_for(queue: ReviewQueue, rows: list[Example]) -> None:
    vote(queue, rows, "approve", "approve")
    out = apply(queue, rows)
    assert len(out.examples) == 2
    assert set(out.open_items) == set(sample_of(rows)[2:])
    reasons = [rejection.reason for rejection in out.rejections]
    assert reasons == ["awaiting_review"] * 18
    assert any("Its lot example/routing is undecided: 2 of 4 items" in rejection.detail for rejection in out.rejections)
    with pytest.raises(ReviewGateError, match="2 items await a verdict"):
        check(queue, rows, out.examples)


def test_an_accepted_lot_passes_without_verdicts_but_for_what_was_found_bad(queue: ReviewQueue, rows: list[Example]) -> None:
    vote(queue, rows, "approve", "reject", "approve", "approve")
    out = apply(queue, rows)
    assert (len(out.examples), len(out.rejections), out.open_items) == (19, 1, {})
    evidence = check(queue, rows, out.examples)
    assert (evidence.num_required, evidence.num_human, evidence.num_lots, evidence.num_failed_lots) == (4, 4, 1, 0)
    with pytest.raises(ReviewGateError, match="rejected_by_reviewer"):
        check(queue, rows, rows)


def test_a_lot_is_accepted_early_and_its_open_samples_pass(queue: ReviewQueue, rows: list[Example]) -> None:
    vote(queue, rows, "approve", "approve", "approve")
    assert len(apply(queue, rows).examples) == 20
    assert check(queue, rows, rows).num_human == 3


def test_every_item_of_a_failed_lot_waits(queue: ReviewQueue, rows: list[Example]) -> None:
    vote(queue, rows, "reject", "edit")
    out = apply(queue, rows)
    assert len(out.open_items) == 18
    assert len(out.examples) == 1
    with pytest.raises(ReviewGateError, match="18 items await a verdict"):
        check(queue, rows, out.examples)
    for key in out.open_items:
        queue.submit(key, "approve", "Bob")
    out = apply(queue, rows)
    assert (len(out.examples), out.open_items) == (19, {})
    evidence = check(queue, rows, out.examples)
    assert (evidence.num_required, evidence.num_lots, evidence.num_failed_lots) == (20, 1, 1)


def test_a_verdict_taken_back_closes_the_gate_again(queue: ReviewQueue, rows: list[Example]) -> None:
    vote(queue, rows, "approve", "approve", "approve")
    queue.undo(queue.history(sample_of(rows)[0])[-1], "Ada", "looked again")
    with pytest.raises(ReviewGateError, match="2 items await a verdict"):
        check(queue, rows, rows)


def test_new_rows_change_the_lot_and_the_gate_sees_it(
    queue: ReviewQueue, rows: list[Example], make_example: Callable[..., Example]
) -> None:
    vote(queue, rows, "approve", "approve", "approve", "approve")
    more = [*rows, *(make_example(number) for number in range(20, 400))]
    with pytest.raises(ReviewGateError, match="items? awaits? a verdict"):
        check(queue, more, rows)


def test_a_row_that_a_suite_sends_to_review_needs_a_verdict_whatever_its_lot(queue: ReviewQueue, rows: list[Example]) -> None:
    flagged = next(row for row in rows if item_key(row, CONFIG) not in sample_of(rows))
    vote(queue, rows, "approve", "approve", "approve", "approve")
    out = apply(queue, rows, required=flagged.key)
    assert out.open_items == {item_key(flagged, CONFIG): flagged.key}
    assert len(out.examples) == 19


def test_a_pair_of_the_sample_is_asked_for_although_its_example_was_rejected(
    queue: ReviewQueue, rows: list[Example], make_pair: Callable[..., PreferencePair]
) -> None:
    """Or else its lot would wait for something that nobody is told of."""
    pairs = [make_pair(row) for row in rows]
    vote(queue, rows, "approve", "approve", "approve", "approve")
    (report,) = inspect_rows(pairs, {}, CONFIG).reports
    parent = next(row for row, pair in zip(rows, pairs, strict=True) if item_key(pair, CONFIG) == report.sample[0])
    if item_key(parent, CONFIG) not in sample_of(rows):
        queue.submit(item_key(parent, CONFIG), "reject", "Bob")
    out = apply(queue, rows, pairs)
    assert out.open_items.keys() == set(report.sample)
    assert len(out.pairs) == 0
    assert len(rows) + len(pairs) + out.num_added == len(out.examples) + len(out.pairs) + len(out.rejections)
