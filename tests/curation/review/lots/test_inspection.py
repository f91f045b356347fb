"""Lots, samples and decisions are functions of rows and verdicts alone."""

import random
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.records import Decision, Example, PreferencePair, Verdict
from curation.review.config import ReviewConfig
from curation.review.items import build_items, item_key
from curation.review.lots.config import LotConfig
from curation.review.lots.inspection import Lots, inspect, inspect_rows, lot_members, lot_of, needed_items

pytestmark = pytest.mark.slow

PLAN = LotConfig(n=6, c=1, quality_level=0.6)
CONFIG = ReviewConfig(lots=PLAN)
ANSWERS = st.sampled_from(["approve", "edit", "reject", ""])


def say(decisions: Mapping[str, Decision]) -> dict[str, Verdict]:
    return {
        key: Verdict(
            key=key,
            sequence=number,
            decision=decision,
            reviewer="Ada",
            reviewer_kind="human",
            reason="",
            edited_answer="",
            created_at=f"2026-11-29T10:{number:02}:00+00:00",
        )
        for number, (key, decision) in enumerate(decisions.items(), start=1)
    }


def members(num: int, lot: str = "example/routing") -> dict[str, str]:
    return {f"{number:032x}": lot for number in range(num)}


def test_rows_form_lots_by_kind_and_task_source_or_recipe(
    make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> None:
    row, pair = make_example(method="routing"), make_pair(make_example())
    assert [lot_of(row, LotConfig(by=by)) for by in ("task", "source", "recipe")] == [
        "example/routing",
        "example/api",
        "example",
    ]
    assert [lot_of(pair, LotConfig(by=by)) for by in ("task", "source", "recipe")] == ["pair/routing", "pair/api", "pair"]


@pytest.mark.parametrize("by", ["task", "source", "recipe"])
def test_rows_and_the_items_made_from_them_form_the_same_lots(
    by: str, make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> None:
    config = ReviewConfig(lots=LotConfig(by=by))  # type: ignore[arg-type]
    rows = [make_example(number, method=("routing", "grounded_qa")[number % 2]) for number in range(8)]
    twin = make_example(9, question="Where is function 3?", method="grounded_qa")
    pairs = [make_pair(row) for row in rows]
    required = {twin.key, pairs[0].key}
    items = build_items([twin, *rows], pairs, lambda _: "", config, required)
    found = lot_members([*rows, twin, *pairs], config, required)
    assert found == lot_members(items, config, required)
    assert len(found) == 14
    assert not found.keys() & {item_key(rows[3], config), item_key(pairs[0], config)}


def test_a_sample_is_random_fixed_and_hardly_moved_by_an_item_that_comes() -> None:
    (before,) = inspect(members(500), {}, PLAN)
    (after,) = inspect(members(501), {}, PLAN)
    assert (before.figures.size, len(before.sample), before.figures.decision) == (500, 6, "undecided")
    assert len(set(before.sample) & set(after.sample)) >= 5
    assert list(before.sample) != sorted(members(500))[:6]


@pytest.mark.parametrize(
    ("lot", "decision", "is_bad"),
    [
        ("example/x", "approve", False),
        ("example/x", "edit", True),
        ("example/x", "reject", True),
        ("pair/x", "prefer_a", False),
        ("pair/x", "prefer_b", True),
        ("pair/x", "tie", True),
        ("pair/x", "both_bad", True),
    ],
)
def test_what_is_bad(lot: str, decision: Decision, is_bad: bool) -> None:
    given = members(100, lot)
    (report,) = inspect(given, say(dict.fromkeys(given, decision)), PLAN)
    assert report.figures.decision == ("reject" if is_bad else "accept")
    assert report.figures.num_bad == (6 if is_bad else 0)


def test_a_decision_that_does_not_fit_is_none() -> None:
    given = members(100)
    (report,) = inspect(given, say(dict.fromkeys(given, "prefer_a")), PLAN)
    assert (report.figures.decision, report.figures.num_inspected, len(report.open_items)) == ("undecided", 0, 100)


def test_it_knows_since_when_it_is_decided() -> None:
    (fresh,) = inspect(members(100), {}, PLAN)
    decisions: list[Decision] = ["approve", "reject", "reject", "approve"]
    (report,) = inspect(members(100), say(dict(zip(fresh.sample, decisions, strict=False))), PLAN)
    assert (report.figures.decision, report.figures.decided_sequence) == ("reject", 3)
    assert report.figures.decided_at == "2026-11-29T10:03:00+00:00"
    assert set(report.needed) == members(100).keys()


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(0, 40), decisions=st.lists(st.sampled_from(["approve", "edit", "reject", ""]), min_size=40, max_size=40)
)
def test_who_needs_a_verdict(size: int, decisions: list[Decision]) -> None:
    given = members(size)
    verdicts = say({key: decision for key, decision in zip(given, decisions, strict=False) if decision})
    reports = inspect(given, verdicts, PLAN)
    lots = Lots(tuple(reports))
    for report in reports:
        needed = needed_items([report])
        if report.figures.decision == "accept":
            assert needed == set()
            assert report.items == tuple(sorted(lots.passed, key=report.items.index))
        elif report.figures.decision == "reject":
            assert needed == set(given)
        else:
            assert needed == set(report.sample)
            assert needed & report.open_items, "an undecided lot waits for something"
            assert lots.sample_open == needed & report.open_items
            assert lots.held.keys() == set(given) - needed
        assert report.figures.interval.low <= report.figures.num_bad / max(1, report.figures.num_inspected)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), size=st.integers(0, 60), maximum=st.none() | st.integers(7, 30))
def test_no_order_of_rows_or_verdicts_matters(seed: int, size: int, maximum: int | None) -> None:
    config = LotConfig(n=6, c=1, quality_level=0.6, max_lot_size=maximum)
    source = random.Random(seed)
    given = members(size) | {f"{number + 10_000:032x}": "pair/routing" for number in range(size // 2)}
    verdicts = say({key: source.choice(["approve", "reject"]) for key in given if source.random() < 0.5})
    shuffled = dict(source.sample(sorted(given.items()), len(given)))
    again = dict(source.sample(sorted(verdicts.items()), len(verdicts)))
    reports = inspect(given, verdicts, config)
    assert inspect(shuffled, again, config) == reports
    assert sorted(key for report in reports for key in report.items) == sorted(given)
    assert maximum is None or all(report.figures.size <= maximum for report in reports)
    assert len({report.figures.lot for report in reports}) == len(reports)


def test_halves_of_a_large_lot_stay_when_it_grows() -> None:
    config = LotConfig(n=6, c=1, quality_level=0.6, max_lot_size=60)
    before = {report.figures.lot: set(report.items) for report in inspect(members(100), {}, config)}
    after = {report.figures.lot: set(report.items) for report in inspect(members(101), {}, config)}
    assert list(before) == list(after) == ["example/routing#0", "example/routing#1"]
    assert all(before[lot] <= after[lot] for lot in before)


def test_without_lots_there_are_none(make_example: Callable[..., Example]) -> None:
    assert inspect_rows([make_example()], {}, ReviewConfig()) == Lots(())
