"""Who has which slot: a vote takes its own slot or a free one, and nothing else; slots follow the outcome and the overlap."""

from typing import Any

import pytest

from curation.errors import LeaseLostError, VerdictConflictError, VerdictRefusedError
from curation.records import Verdict
from curation.review.queue.resolution import Resolution, resolve
from curation.review.queue.slots import fit_review_slots, fit_slots, free_slot, is_live, take_slot
from curation.review.queue.statements import MAX_LEASE_SECONDS
from curation.review.queue.vote import Vote

NOW = 5_000.0
ITEM = {
    "recipe": "demo", "item_key": "item", "kind": "pair", "is_listed": True, "priority": 2.0, "arrival": 7, "random_rank": 0.5,
}  # fmt: skip
FRESH = {"holder": None, "generation": 0, "origin": "", "claimed_at": 0.0, "expires_at": 0.0, "done_sequence": 0}
OPEN = resolve([], 1)

Slots = list[dict[str, Any]]


def make(number: int = 0, role: str = "review", **values: Any) -> dict[str, Any]:
    return ITEM | FRESH | {"slot": number, "role": role} | values


def leased(number: int, holder: str, role: str = "review", **values: Any) -> dict[str, Any]:
    return make(number, role, holder=holder, generation=3, expires_at=NOW + 600) | values


def done(number: int, holder: str, sequence: int, role: str = "review") -> dict[str, Any]:
    return make(number, role, holder=holder, generation=1, done_sequence=sequence)


def said(sequence: int, reviewer: str, decision: str = "approve", role: str = "review") -> Verdict:
    given = {"key": "item", "reviewer_kind": "human", "reason": "", "edited_answer": "", "created_at": ""}
    return Verdict(sequence=sequence, reviewer=reviewer, decision=decision, role=role, **given)  # type: ignore[arg-type]


DISPUTED = resolve([said(1, "Ada"), said(2, "Bob", "reject")], 2)
DECIDED = resolve([said(1, "Ada"), said(2, "Bob")], 2)
ADJUDICATED = resolve([said(1, "Ada"), said(2, "Bob", "reject"), said(4, "Dora", role="adjudication")], 2)


def conflict(sequence: int) -> VerdictConflictError:
    return VerdictConflictError(reviewer=f"verdict {sequence}", decision="approve")


def take(slots: Slots, reviewer: str = "Ada", number: int = 9, outcome: Resolution = OPEN, **vote: Any) -> int:
    given = {"item_key": "item", "decision": "approve", "reviewer": reviewer} | vote
    return take_slot(slots, Vote(**given), number, NOW, outcome, conflict)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, True),
        ({"holder": None}, False),
        ({"holder": ""}, False),
        ({"done_sequence": 1}, False),
        ({"expires_at": NOW}, False),
        ({"expires_at": NOW + 0.001}, True),
        ({"expires_at": NOW + MAX_LEASE_SECONDS}, True),
        ({"expires_at": NOW + MAX_LEASE_SECONDS + 0.5}, False),
    ],
)
def test_a_lease_runs_until_its_end_and_never_longer_than_a_day(values: dict[str, Any], expected: bool) -> None:
    assert is_live(leased(0, "Ada") | values, NOW) is expected
    assert MAX_LEASE_SECONDS == 24 * 3600


def test_a_vote_under_a_lease_takes_that_slot_and_ends_the_lease() -> None:
    slots = [make(0), leased(1, "Ada")]
    assert take(slots, generation=3) == 0
    assert slots == [make(0), leased(1, "Ada", done_sequence=9, expires_at=0.0, is_changed=True)]


def test_a_vote_without_a_lease_takes_the_first_free_slot() -> None:
    slots = [leased(0, "Bob"), done(1, "Cleo", 4), leased(2, "Dora", expires_at=NOW), make(3)]
    assert take(slots, outcome=resolve([said(4, "Cleo")], 4)) == 0
    assert slots[2] == leased(2, "Ada", done_sequence=9, expires_at=0.0, is_changed=True)
    assert [slot["done_sequence"] for slot in slots] == [0, 4, 9, 0]
    assert "is_changed" not in slots[3]


@pytest.mark.parametrize(
    "slots",
    [
        [leased(0, "Ada") | {"generation": 4}],
        [leased(0, "Ada", expires_at=NOW - 1)],
        [leased(0, "Bob")],
        [done(0, "Ada", 2) | {"generation": 3}],
        [leased(0, "Ada", role="adjudication"), make(1)],
        [make(0)],
    ],
)
def test_a_vote_under_a_lease_that_is_gone_is_refused_and_takes_nothing(slots: Slots) -> None:
    before = [dict(slot) for slot in slots]
    with pytest.raises(LeaseLostError, match="item"):
        take(slots, generation=3)
    assert slots == before


def test_a_change_of_mind_says_what_it_replaces() -> None:
    slots = [done(0, "Bob", 3), done(1, "Ada", 5)]
    assert take(slots, outcome=DECIDED) == 5
    assert [slot["done_sequence"] for slot in slots] == [3, 9]


def test_a_reviewer_takes_no_adjudicators_slot_and_learns_whose_vote_was_first() -> None:
    slots = [done(0, "Bob", 1), done(1, "Cleo", 2), make(2, "adjudication")]
    with pytest.raises(VerdictConflictError, match="verdict 2 decided"):
        take(slots, outcome=DISPUTED)
    with pytest.raises(LeaseLostError, match="item"):
        take([leased(0, "Bob"), make(1, "adjudication")])


def test_after_an_adjudication_reviewers_learn_of_it_and_adjudicators_may_change_it() -> None:
    slots = [done(0, "Ada", 1), done(1, "Bob", 2), done(2, "Dora", 4, "adjudication")]
    with pytest.raises(VerdictConflictError, match="verdict 4 decided"):
        take(slots, outcome=ADJUDICATED, generation=1)
    assert take(slots, "Dora", outcome=ADJUDICATED, role="adjudication") == 4
    assert slots[2]["done_sequence"] == 9


@pytest.mark.parametrize("role", ["adjudication", "closed"])
def test_an_adjudicator_takes_the_slot_that_is_there(role: str) -> None:
    slots = [done(0, "Ada", 1), done(1, "Bob", 2), make(2, role)]
    assert take(slots, "Dora", outcome=DISPUTED, role="adjudication") == 0
    assert slots[2] == make(2, "adjudication", holder="Dora", done_sequence=9, is_changed=True)


def test_where_there_is_no_slot_for_an_adjudicator_one_is_added_behind_the_others() -> None:
    slots = [done(3, "Ada", 1), done(1, "Bob", 2)]
    assert take(slots, "Dora", outcome=DECIDED, role="adjudication") == 0
    new = make(4, "adjudication", holder="Dora", done_sequence=9, is_changed=True, is_new=True)
    assert slots[2] == new


def test_only_the_holder_of_an_adjudicators_live_lease_uses_it() -> None:
    votes = [done(0, "Ada", 1), done(1, "Bob", 2)]
    with pytest.raises(LeaseLostError, match="item"):
        take([*votes, leased(2, "Eve", "adjudication")], "Dora", outcome=DISPUTED, role="adjudication")
    for slot in (leased(2, "Dora", "adjudication"), leased(2, "Eve", "adjudication", expires_at=NOW)):
        assert take([*votes, slot], "Dora", outcome=DISPUTED, role="adjudication") == 0
        assert (slot["holder"], slot["done_sequence"]) == ("Dora", 9)


@pytest.mark.parametrize(
    ("reviewer", "outcome", "problem"),
    [
        ("Ada", DISPUTED, "nobody adjudicates an item that they voted on"),
        ("Bob", DECIDED, "nobody adjudicates an item that they voted on"),
        ("Dora", OPEN, "nothing to adjudicate yet"),
        ("Dora", resolve([said(1, "Ada")], 2), "nothing to adjudicate yet"),
    ],
)
def test_who_voted_or_comes_too_early_does_not_adjudicate(reviewer: str, outcome: Resolution, problem: str) -> None:
    with pytest.raises(VerdictRefusedError, match=problem):
        take([make(0)], reviewer, outcome=outcome, role="adjudication")


def test_an_undo_frees_the_slot_under_a_new_generation() -> None:
    slots = [done(0, "Ada", 1), done(1, "Bob", 2), make(2, "adjudication")]
    assert take(slots, "Bob", outcome=DISPUTED, decision="undo", supersedes=2) == 2
    assert slots[1] == make(1, generation=2, is_changed=True)
    assert slots[0] == done(0, "Ada", 1)


def test_an_undo_of_nothing_or_under_an_adjudication_is_refused() -> None:
    for supersedes in (0, 3):
        with pytest.raises(VerdictRefusedError, match="nothing to undo"):
            take([make(0), done(1, "Ada", 1)], decision="undo", supersedes=supersedes)
    slots = [done(0, "Ada", 1), done(1, "Bob", 2), done(2, "Dora", 4, "adjudication")]
    with pytest.raises(VerdictRefusedError, match="adjudicated since"):
        take(slots, decision="undo", supersedes=1, outcome=ADJUDICATED)
    assert take(slots, "Dora", decision="undo", supersedes=4, role="adjudication", outcome=ADJUDICATED) == 4
    assert slots[2] == make(2, "adjudication", generation=2, is_changed=True)


def numbers(slots: Slots, *, having: str) -> list[int]:
    return [slot["slot"] for slot in slots if slot.get(having)]


@pytest.mark.parametrize(
    ("slots", "overlap", "gone", "new"),
    [
        ([], 2, [], [0, 1]),
        ([make(0)], 3, [], [1, 2]),
        ([make(0), make(1, "adjudication")], 2, [], [2]),
        ([make(0), make(1), make(2)], 1, [1, 2], []),
        ([done(0, "Ada", 1), make(1), make(2)], 2, [2], []),
        ([done(0, "Ada", 1), leased(1, "Bob")], 1, [1], []),
        ([done(0, "Ada", 1), done(1, "Bob", 2), done(2, "Cleo", 3)], 2, [], []),
        ([done(0, "Ada", 1), make(1, "closed"), make(2)], 4, [], [3, 4]),
    ],
)
def test_free_slots_come_and_go_with_the_overlap_and_votes_stay(
    slots: Slots, overlap: int, gone: list[int], new: list[int]
) -> None:
    given = [dict(slot) for slot in slots]
    fit_review_slots(given, ITEM, overlap)
    assert (numbers(given, having="is_gone"), numbers(given, having="is_new")) == (gone, new)
    assert [slot for slot in given if slot.get("is_new")] == [make(number, is_new=True) for number in new]


def test_a_free_slot_is_nobodys_and_stands_where_its_item_stands() -> None:
    assert free_slot(ITEM | {"payload": "x", "state": "open"}, slot=3, role="review") == make(3)


def fit(slots: Slots, outcome: Resolution, overlap: int = 2) -> Slots:
    fit_slots(slots, ITEM, outcome, overlap)
    return slots


def test_a_dispute_opens_one_slot_for_an_adjudicator() -> None:
    votes = [done(0, "Ada", 1), done(1, "Bob", 2)]
    assert fit([*votes], DISPUTED) == [*votes, make(2, "adjudication", is_new=True)]
    assert fit([*votes], DISPUTED, 5)[2]["slot"] == 5
    assert fit([*votes, make(7)], DISPUTED)[3]["slot"] == 8
    waiting = [*votes, leased(2, "Dora", "adjudication")]
    assert fit([dict(slot) for slot in waiting], DISPUTED) == waiting


def test_a_closed_slot_is_opened_again_under_a_new_generation() -> None:
    votes = [done(0, "Ada", 1), done(1, "Bob", 2)]
    closed = make(2, "closed", generation=4)
    assert fit([*votes, closed], DISPUTED) == [*votes, make(2, "adjudication", generation=5, is_changed=True)]


@pytest.mark.parametrize("outcome", [OPEN, DECIDED])
def test_where_nothing_is_disputed_a_waiting_slot_is_closed_and_its_hold_is_void(outcome: Resolution) -> None:
    assert fit([leased(2, "Dora", "adjudication")], outcome) == [make(2, "closed", generation=4, is_changed=True)]
    for slot in (make(2, "closed"), make(0), done(2, "Dora", 4, "adjudication")):
        assert fit([dict(slot)], outcome) == [slot]


def test_a_dispute_that_was_adjudicated_opens_no_second_slot() -> None:
    slots = [done(0, "Ada", 1), done(1, "Bob", 2), done(2, "Dora", 4, "adjudication")]
    assert fit([dict(slot) for slot in slots], ADJUDICATED) == slots


def test_what_one_reviewer_decided_may_be_adjudicated_too() -> None:
    slots = [done(0, "Ada", 1)]
    assert take(slots, "Dora", outcome=resolve([said(1, "Ada")], 1), role="adjudication") == 0
    assert slots[1] == make(1, "adjudication", holder="Dora", done_sequence=9, is_changed=True, is_new=True)
