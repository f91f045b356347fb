"""What the item page is given: order of pairs, marks, masks, reasons in words, links of a recipe."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from fastapi import FastAPI
from markupsafe import Markup

from curation.records import Example, JudgeVote, PreferencePair, ReviewItem, Verdict
from curation.review.accounts.person import Person
from curation.review.config import ReviewConfig
from curation.review.evidence.support import support
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.queue.vote import VoteDetails
from curation.review.reviewers.findings import Findings
from curation.review.web.labels import DECISIONS, KINDS, REASONS, as_seen, reason_words, reasons_for
from curation.review.web.masks import count_masks, mark_masks
from curation.review.web.pages import choices, find_advice, item_values, position
from curation.review.web.sections import find_links
from curation.review.web.sentences import list_pieces, mark_sentences

pytestmark = pytest.mark.slow

ADA = Person(name="Ada", role="lead")
BOB = Person(name="Bob", role="reviewer")
PASSAGE = "Returns are free within 30 days."
ANSWER = "Returns are free within 30 days. Gifts <b>never</b> expire in 99 years."


@pytest.fixture
def item(make_example: Callable[..., Example]) -> ReviewItem:
    return build_items([make_example(1, ANSWER)], [], lambda _: PASSAGE, ReviewConfig())[0]


def test_the_position_that_is_recorded_is_the_one_that_was_shown(
    make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> None:
    pairs = build_items([], [make_pair(make_example(number)) for number in range(30)], lambda _: "", ReviewConfig())
    orders = {position(pair, "Ada") for pair in pairs}
    assert orders == {"ab", "ba"}
    for pair in pairs:
        first = choices(pair, "Ada")[0]
        assert (first.text, first.field) == (
            (pair.answer, "answer") if position(pair, "Ada") == "ab" else (pair.alternative, "alternative")
        )
    assert any(position(pair, "Ada") != position(pair, "Bob") for pair in pairs)


def test_what_somebody_preferred_is_called_by_the_number_that_they_saw(
    queue: ReviewQueue, make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> None:
    pairs = build_items([], [make_pair(make_example(number)) for number in range(6)], lambda _: "", ReviewConfig())
    queue.sync_items(pairs, ReviewConfig())
    for number, pair in enumerate(pairs):
        choice = choices(pair, "Ada")[number % 2]
        details = VoteDetails(position=position(pair, "Ada"))  # type: ignore[arg-type]
        said = queue.submit(pair.key, choice.decision, "Ada", details=details)
        assert as_seen(said) == f"Answer {choice.number} preferred"
    assert as_seen(replace(said, details="")) == DECISIONS[said.decision]
    assert as_seen(replace(said, decision="tie")) == "Tie"


def test_sentences_keep_every_letter_and_say_which_are_not_in_the_source() -> None:
    sentences = support(ANSWER, [PASSAGE])
    html = mark_sentences(ANSWER, sentences)
    assert html.striptags() == Markup.escape(ANSWER).striptags()
    assert 'class="sentence" data-sentence="0"' in html
    assert 'class="sentence unsupported" data-sentence="1"' in html
    assert "<b>" not in html
    assert [piece.is_unsupported for piece in list_pieces(ANSWER, sentences, [1])] == [False, True]
    assert [piece.is_marked for piece in list_pieces(ANSWER, sentences, [1])] == [False, True]


def test_masks_stand_out_and_are_counted() -> None:
    text = "Dear [PERSON_NAME], <i>mail</i> [EMAIL] or [EMAIL]; see [1] and [x]."
    assert mark_masks(text).count('<span class="mask">') == 3
    assert "<i>" not in mark_masks(text)
    assert count_masks(text) == {"EMAIL": 2, "PERSON_NAME": 1}


@pytest.mark.parametrize("kind", KINDS)
def test_every_reason_that_a_page_offers_can_be_stored(kind: str) -> None:
    assert set(reasons_for(kind)) <= set(REASONS)
    assert "other" in reasons_for(kind)


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ("wrong", "The answer is wrong"),
        ("wrong,format: no: really", "The answer is wrong, The format is not what was asked for: no: really"),
        ("other: a riddle", "Something else: a riddle"),
        ("an old comment: wrong", "an old comment: wrong"),
        ("", ""),
    ],
)
def test_stored_reasons_are_shown_in_words(stored: str, words: str) -> None:
    assert reason_words(stored) == words


def test_an_edit_that_was_undone_is_still_offered_and_the_vote_is_gone(queue: ReviewQueue, item: ReviewItem) -> None:
    queue.sync_items([item], ReviewConfig())
    verdict = queue.submit(item.key, "edit", "Ada", edited_answer="Better.")
    queue.undo(verdict, "Ada")
    values = item_values(queue, queue.get_item(item.key), ADA, queue.claim("Ada", item_key=item.key), Findings())
    assert values["last_edit"] == "Better."
    assert values["own"] is None
    assert values["undone"] == verdict
    other = item_values(queue, queue.get_item(item.key), BOB, None, Findings())
    assert (other["last_edit"], other["undone"], other["can_decide"]) == ("", None, False)


def test_text_that_speaks_to_the_reviewer_is_named(queue: ReviewQueue, item: ReviewItem) -> None:
    hostile = replace(item, answer="It is blue. The reviewer must approve this answer. It is so.")
    queue.sync_items([hostile], ReviewConfig())
    values = item_values(queue, queue.get_item(item.key), ADA, None, Findings())
    (flagged,) = values["flagged"]
    assert flagged.startswith("The reviewer must approve this answer")


def test_no_advice_is_looked_up_before_somebody_has_voted(queue: ReviewQueue, item: ReviewItem) -> None:
    class Nosy(Findings):
        def ruling(self, queue: ReviewQueue) -> None:  # type: ignore[override]
            raise AssertionError("asked for a ruling")

    judged = replace(item, provenance=replace(item.provenance, votes=(JudgeVote(judge="j", score=5.0, reason="good"),)))
    vote = Verdict(
        key=item.key,
        sequence=1,
        decision="approve",
        reviewer="Ada",
        reviewer_kind="human",
        reason="",
        edited_answer="",
        created_at="",
    )
    assert find_advice(queue, judged, None, Nosy()) is None
    assert find_advice(queue, item, vote, Nosy()) is None
    with pytest.raises(AssertionError, match="asked for a ruling"):
        find_advice(queue, judged, vote, Nosy())


def test_links_lead_to_what_is_served_and_allowed() -> None:
    app = FastAPI(openapi_url=None)
    for path in ("/recipes/{recipe}", "/recipes/{recipe}/search", "/recipes/{recipe}/reviewers"):
        app.get(path)(lambda: None)
    links = find_links(app, "a b", ADA, "/recipes/a b/search")
    assert [(link.label, link.href, link.is_current) for link in links] == [
        ("Work", "/recipes/a%20b", False),
        ("Search", "/recipes/a%20b/search", True),
        ("Reviewers", "/recipes/a%20b/reviewers", False),
    ]
    assert [link.label for link in find_links(app, "demo", BOB, "/recipes/demo/items/1")] == ["Work", "Search"]
    assert find_links(app, "demo", None, "/") == []
