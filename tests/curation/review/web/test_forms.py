"""What the item page sends, read into a vote, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import VerdictRefusedError
from curation.review.queue.vote import MAX_REASON_CHARS
from curation.review.web.forms import MAX_FIELDS, read_form, read_kind, read_vote

FORM = "application/x-www-form-urlencoded"
ITEM = "ab" * 16


def vote_of(body: str) -> object:
    return read_vote(read_form(body.encode(), FORM), ITEM, "Ada")


def test_boxes_that_are_ticked_come_out_as_one_field_and_others_as_the_last() -> None:
    assert read_form(b"reason=wrong&reason=format&token=1&token=2", FORM) == {"reason": "wrong,format", "token": "2"}


def test_several_reasons_are_stored_in_the_order_of_the_list_with_the_comment() -> None:
    vote = read_vote(
        read_form(b"token=1&generation=3&decision=reject&reason=format&reason=wrong&comment=+no+&note=really", FORM),
        ITEM,
        "Ada",
    )
    assert vote.reason == "wrong,format: no really"


def test_a_comment_goes_with_every_decision_and_codes_only_with_a_rejection() -> None:
    vote = read_vote(read_form(b"token=1&generation=3&decision=approve&reason=wrong&note=fine", FORM), ITEM, "Ada")
    assert vote.reason == "fine"


@pytest.mark.parametrize(
    "body", ["reason=", "", "reason=nonsense", "reason=wrong&reason=nonsense", "reason=other", "reason=wrong,"]
)
def test_a_rejection_without_known_reasons_is_refused(body: str) -> None:
    with pytest.raises(VerdictRefusedError, match=r"choose why|in a few words"):
        vote_of(f"token=1&generation=3&decision=reject&{body}")


def test_other_says_what_unless_another_reason_is_given_too() -> None:
    read_vote({"token": "1", "generation": "3", "decision": "reject", "reason": "other", "comment": "a riddle"}, ITEM, "Ada")
    assert (
        read_vote({"token": "1", "generation": "3", "decision": "reject", "reason": "other,wrong"}, ITEM, "Ada").reason
        == "wrong,other"
    )


def test_marked_sentences_strength_and_time_are_details() -> None:
    marks = b"unsupported=7&unsupported=2&unsupported=x&not_in_source=yes"
    body = b"token=1&generation=3&decision=prefer_a&strength=2&position=ba&seconds=12.34&" + marks
    details = read_vote(read_form(body, FORM), ITEM, "Ada").details
    assert (details.unsupported, details.strength, details.position) == ((2, 7), 2, "ba")
    assert (details.seconds, details.not_in_source) == (12.3, True)


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "x", ""])
def test_odd_times_do_no_harm(seconds: str) -> None:
    assert (
        0
        <= read_vote({"token": "1", "generation": "3", "decision": "tie", "seconds": seconds}, ITEM, "Ada").details.seconds
        <= 86_400
    )


def test_more_fields_than_a_page_has_are_refused() -> None:
    with pytest.raises(VerdictRefusedError):
        read_form(b"&".join([b"a=b"] * (MAX_FIELDS + 1)), FORM)


def test_only_kinds_that_there_are_are_kept() -> None:
    assert [read_kind({"kind": kind}) for kind in ("task", "document", "<b>", "")] == ["task", "document", "", ""]


@given(st.dictionaries(st.sampled_from(["token", "reason", "comment", "generation", "seconds", "strength"]), st.text()))
def test_whatever_comes_in_is_a_vote_or_refused(form: dict[str, str]) -> None:
    try:
        vote = read_vote({"generation": "3", "decision": "reject"} | form, ITEM, "Ada")
    except VerdictRefusedError:
        return
    assert vote.token
    assert len(vote.token) <= 64
    assert vote.details.strength in range(4)
    assert len(vote.reason) <= MAX_REASON_CHARS or len(form.get("comment", "")) > 1_000
