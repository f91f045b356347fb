"""What a vote may hold: decisions that fit the item, text that can be stored, and names that are not somebody else's."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import VerdictRefusedError
from curation.records import Example
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.payload import pack_item
from curation.review.queue.vote import Vote, VoteDetails, check_vote

Check = Callable[..., Vote]


@pytest.fixture
def check(make_example: Callable[..., Example]) -> Check:
    """Return a function that checks a vote on an item with the answer "as it was", and returns what passed."""
    (item,) = build_items([make_example(1, "as it was")], [], lambda _: "", ReviewConfig())
    payload = pack_item(item)

    def run(kind: str = "example", **values: Any) -> Vote:
        vote = Vote(**{"item_key": item.key, "decision": "approve", "reviewer": "Ada"} | values)
        check_vote({"kind": kind, "payload": payload}, vote)
        return vote

    return run


@pytest.mark.parametrize(
    ("kind", "allowed", "name"),
    [
        ("example", ["approve", "reject"], "an example"),
        ("task", ["approve", "reject"], "a task"),
        ("document", ["approve", "reject"], "a document"),
        ("pair", ["prefer_a", "prefer_b", "tie", "both_bad"], "a pair"),
    ],
)
def test_each_kind_of_item_has_its_decisions(check: Check, kind: str, allowed: list[str], name: str) -> None:
    every = ["approve", "reject", "prefer_a", "prefer_b", "tie", "both_bad"]
    for decision in [*allowed, "undo"]:
        check(kind, decision=decision)
    for decision in [decision for decision in every if decision not in allowed]:
        with pytest.raises(VerdictRefusedError, match=f"'{decision}' is no decision about {name}; choose {allowed[0]}, "):
            check(kind, decision=decision)


def test_the_message_lists_every_choice(check: Check) -> None:
    with pytest.raises(VerdictRefusedError, match="choose approve, edit, reject[.]"):
        check(decision="tie")


@pytest.mark.parametrize(
    ("field", "limit"), [("reviewer", 80), ("reason", 4_000), ("edited_answer", 1_000_000)], ids=["reviewer", "reason", "edit"]
)
def test_text_may_be_as_long_as_its_limit(check: Check, field: str, limit: int) -> None:
    decision = "edit" if field == "edited_answer" else "approve"
    check(decision=decision, **{field: "x" * limit})
    name = field.replace("_", " ")
    with pytest.raises(VerdictRefusedError, match=f"the {name} has {limit + 1:,} characters; at most {limit:,} are kept"):
        check(decision=decision, **{field: "x" * (limit + 1)})


@pytest.mark.parametrize("field", ["reviewer", "reason", "edited_answer"])
@pytest.mark.parametrize("character", ["\0", chr(0xD800), chr(0xDBFF), chr(0xDFFF)], ids=["nul", "first", "high", "last"])
def test_text_that_no_database_takes_is_refused(check: Check, field: str, character: str) -> None:
    with pytest.raises(VerdictRefusedError, match=f"the {field.replace('_', ' ')} holds characters"):
        check(decision="edit", **{"edited_answer": "better", field: f"a{character}b"})


@pytest.mark.parametrize("character", ["\ud7ff", "\ue000", "\U0001f600", "\x01"], ids=["below", "above", "astral", "control"])
def test_any_other_character_is_kept(check: Check, character: str) -> None:
    passed = check(decision="edit", edited_answer=f"a{character}b", reason=character)
    assert (passed.edited_answer, passed.reason) == (f"a{character}b", character)


@pytest.mark.parametrize("reviewer", ["", " ", "\n\t"])
def test_a_vote_says_who_decided(check: Check, reviewer: str) -> None:
    with pytest.raises(VerdictRefusedError, match="does not say who decided"):
        check(reviewer=reviewer)


def test_names_of_automatic_reviewers_are_theirs_alone(check: Check) -> None:
    check(reviewer="automatic:length v1", reviewer_kind="automatic")
    check(reviewer="not automatic:length")
    for reviewer, kind in (("automatic:length v1", "human"), ("Ada", "automatic")):
        with pytest.raises(VerdictRefusedError, match="'automatic:' belong to automatic reviewers"):
            check(reviewer=reviewer, reviewer_kind=kind)


@pytest.mark.parametrize("strength", [0, 1, 3])
def test_the_strength_of_a_preference_lies_between_0_and_3(check: Check, strength: int) -> None:
    passed = check("pair", decision="prefer_a", details=VoteDetails(strength=strength))
    assert passed.details.strength == strength


@pytest.mark.parametrize("strength", [-1, 4])
def test_another_strength_is_refused(check: Check, strength: int) -> None:
    with pytest.raises(VerdictRefusedError, match=f"must be 0 to 3, not {strength}"):
        check("pair", decision="prefer_a", details=VoteDetails(strength=strength))


def test_an_edit_changes_the_answer_and_nothing_else_brings_one(check: Check) -> None:
    check(decision="edit", edited_answer="as it was not")
    for edited, problem in (("as it was", "the edit changes nothing"), ("", "edited answer is empty"), (" \n", "is empty")):
        with pytest.raises(VerdictRefusedError, match=problem):
            check(decision="edit", edited_answer=edited)
    for decision in ("approve", "reject", "undo"):
        with pytest.raises(VerdictRefusedError, match=f"'{decision}' takes no edited answer"):
            check(decision=decision, edited_answer="better")


def test_a_vote_is_a_persons_review_unless_it_says_otherwise() -> None:
    vote = Vote(item_key="item", decision="approve", reviewer="Ada")
    assert (vote.reviewer_kind, vote.role, vote.supersedes, vote.expected, vote.generation) == (
        "human",
        "review",
        0,
        None,
        None,
    )
    assert (vote.reason, vote.edited_answer, vote.token, vote.details) == ("", "", "", VoteDetails())


DETAILS = st.builds(
    VoteDetails,
    origin=st.sampled_from(["", "random", "priority", "chosen"]),
    position=st.sampled_from(["", "ab", "ba"]),
    strength=st.integers(0, 3),
    unsupported=st.lists(st.integers(0, 99), max_size=3).map(tuple),
    not_in_source=st.booleans(),
    seconds=st.floats(0, 1e6),
)


@given(details=DETAILS)
def test_details_come_back_as_they_were(details: VoteDetails) -> None:
    assert VoteDetails.from_json(details.to_json()) == details


def test_details_are_stored_without_what_was_not_said() -> None:
    assert VoteDetails().to_json() == ""
    assert VoteDetails.from_json("") == VoteDetails()
    assert (VoteDetails().origin, VoteDetails().position, VoteDetails().unsupported) == ("", "", ())
    assert (VoteDetails().strength, VoteDetails().seconds, VoteDetails().not_in_source) == (0, 0.0, False)
    assert VoteDetails(strength=2, origin="random").to_json() == '{"origin":"random","strength":2}'
    assert VoteDetails(unsupported=(1, 3)).to_json() == '{"unsupported":[1,3]}'
    assert VoteDetails(unsupported=(1,), not_in_source=True).to_json() == '{"not_in_source":true,"unsupported":[1]}'
    assert VoteDetails.from_json('{"strength":1,"of_a_later_version":5}') == VoteDetails(strength=1)
