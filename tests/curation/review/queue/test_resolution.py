"""What votes come to: nothing counts before enough people agree, and an adjudication counts over all of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.records import Verdict
from curation.review.queue.resolution import counting_verdicts, resolve, resolve_item, standing


def verdict(sequence: int, reviewer: str, decision: str = "approve", **values: Any) -> Verdict:
    given = {"key": "item", "reviewer_kind": "human", "reason": "", "edited_answer": "", "created_at": ""}
    return Verdict(sequence=sequence, reviewer=reviewer, decision=decision, **(given | values))  # type: ignore[arg-type]


def test_one_reviewer_decides_where_one_is_enough() -> None:
    outcome = resolve([verdict(1, "Ada", "reject")], 1)
    assert (outcome.state, outcome.verdict) == ("decided", verdict(1, "Ada", "reject"))


def test_nothing_counts_before_all_have_voted() -> None:
    outcome = resolve([verdict(1, "Ada")], 2)
    assert (outcome.state, outcome.verdict, len(outcome.votes)) == ("partial", None, 1)
    assert resolve([], 2).state == "open"


@pytest.mark.parametrize(
    ("second", "state"),
    [
        (verdict(2, "Bob"), "decided"),
        (verdict(2, "Bob", "reject"), "disputed"),
        (verdict(2, "Ada"), "partial"),
        (verdict(2, "Bob", "edit", edited_answer="x"), "disputed"),
    ],
)
def test_two_have_to_say_the_same(second: Verdict, state: str) -> None:
    assert resolve([verdict(1, "Ada"), second], 2).state == state


def test_two_different_edits_are_a_dispute() -> None:
    edits = [verdict(1, "Ada", "edit", edited_answer="x"), verdict(2, "Bob", "edit", edited_answer="y")]
    assert resolve(edits, 2).state == "disputed"


def test_an_adjudication_counts_over_all_votes_until_it_is_undone() -> None:
    votes = [verdict(1, "Ada"), verdict(2, "Bob", "reject"), verdict(3, "Cleo", "reject", role="adjudication")]
    assert resolve(votes, 2).verdict == votes[2]
    assert resolve([*votes, verdict(4, "Cleo", "undo", role="adjudication", supersedes=3)], 2).state == "disputed"


def test_an_undone_vote_is_gone_and_an_earlier_one_does_not_come_back() -> None:
    votes = [verdict(1, "Ada"), verdict(2, "Ada", "reject", supersedes=1), verdict(3, "Ada", "undo", supersedes=2)]
    assert resolve(votes, 1).state == "open"


def test_the_newest_votes_count_where_there_are_more_than_asked_for() -> None:
    assert resolve([verdict(1, "Ada"), verdict(2, "Bob", "reject")], 1).verdict == verdict(2, "Bob", "reject")


def test_automatic_verdicts_count_only_where_no_person_has_said_anything() -> None:
    machine = verdict(1, "automatic:length v1", "approve", reviewer_kind="automatic")
    assert counting_verdicts([machine], "automatic") == {"item": machine}
    assert counting_verdicts([machine], "human") == {}
    assert counting_verdicts([machine, verdict(2, "Ada")], "automatic", 2) == {}
    undone = [machine, verdict(2, "Ada"), verdict(3, "Ada", "undo", supersedes=2)]
    assert counting_verdicts(undone, "automatic", 2) == {"item": machine}


MOVES = st.lists(st.tuples(st.sampled_from("ABCD"), st.sampled_from(["approve", "reject", "undo"])), max_size=12)


@given(moves=MOVES, overlap=st.integers(1, 3))
def test_votes_are_distinct_people_and_decided_means_all_say_the_same(moves: list[tuple[str, str]], overlap: int) -> None:
    said: list[Verdict] = []
    for reviewer, decision in moves:
        own = next((other for other in standing(said) if other.reviewer == reviewer), None)
        if decision == "undo" and own is None:
            continue
        said.append(verdict(len(said) + 1, reviewer, decision, supersedes=own.sequence if own else 0))
    outcome = resolve(said, overlap)
    assert len({vote.reviewer for vote in outcome.votes}) == len(outcome.votes) <= overlap
    decisions = {vote.decision for vote in outcome.votes}
    assert (outcome.state == "decided") == (len(outcome.votes) == overlap and len(decisions) == 1)
    assert (outcome.verdict is not None) == (outcome.state == "decided")


def test_what_an_outcome_says_of_its_item() -> None:
    decided = resolve([verdict(3, "Ada", "reject"), verdict(5, "Bob", "reject")], 2)
    assert decided.as_columns() == {"state": "decided", "num_votes": 2, "human_sequence": 5, "human_decision": "reject"}
    partial = resolve([verdict(3, "Ada")], 2)
    assert partial.as_columns() == {"state": "partial", "num_votes": 1, "human_sequence": 0, "human_decision": ""}


def test_an_adjudication_that_counts_is_told_apart_from_the_votes() -> None:
    votes = [verdict(1, "Ada"), verdict(2, "Bob", "reject")]
    first, second = (
        verdict(number, "Cleo", decision, role="adjudication") for number, decision in ((3, "reject"), (4, "edit"))
    )
    other = verdict(5, "Dora", "approve", role="adjudication")
    assert resolve(votes, 2).adjudication is None
    assert resolve([*votes, first, second], 2).adjudication == second
    outcome = resolve([*votes, first, other], 2)
    assert (outcome.state, outcome.verdict, outcome.adjudication, outcome.votes) == ("decided", other, other, tuple(votes))


def test_what_stands_is_each_persons_newest_by_role_in_order() -> None:
    said = [verdict(1, "Ada"), verdict(2, "Bob"), verdict(3, "Ada", "reject"), verdict(4, "Ada", role="adjudication")]
    machine = verdict(5, "automatic:length v1", reviewer_kind="automatic")
    assert standing([*said[:2], machine, *said[2:]]) == [said[1], said[2], said[3]]
    assert standing([*said, verdict(6, "Bob", "undo", supersedes=2)]) == [said[2], said[3]]
    assert standing([*said, verdict(6, "Bob", "undo", supersedes=1)]) == [said[1], said[2], said[3]]


def test_an_item_that_only_tests_reviewers_is_never_disputed() -> None:
    votes = [verdict(1, "Ada"), verdict(2, "Bob", "reject"), verdict(3, "Cleo")]
    gold = resolve_item({"record_key": "gold:7/demo/1"}, votes, 3)
    assert (gold.state, gold.verdict, gold.votes) == ("decided", votes[2], tuple(votes))
    assert resolve_item({"record_key": "demo/1"}, votes, 3).state == "disputed"
    assert resolve_item({"record_key": "gold:7/demo/1"}, votes[:1], 2) == resolve(votes[:1], 2)


def test_the_newest_automatic_verdict_counts_beside_what_people_decided() -> None:
    old, new = (verdict(number, f"automatic:v{number}", reviewer_kind="automatic") for number in (1, 2))
    other = verdict(3, "automatic:v2", key="other", reviewer_kind="automatic")
    human = verdict(4, "Ada", "reject")
    assert counting_verdicts([old, new, other], "automatic") == {"item": new, "other": other}
    assert counting_verdicts([old, new, other, human], "automatic") == {"item": human, "other": other}
    assert counting_verdicts([old, human], "human", 1) == counting_verdicts([old, human], "human") == {"item": human}
