"""Advice stays hidden until the reviewer has voted and while the judge is not believed; doubtful items come first."""

from collections.abc import Callable
from dataclasses import replace

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.judging.people import LABELS, Ruling
from curation.records import Decision, Example, JudgeVote, PreferencePair, ReviewItem, Verdict
from curation.review.config import ReviewConfig
from curation.review.items import build_items, item_key
from curation.review.queue import ReviewQueue
from curation.review.reviewers.advice import (
    NO_JUDGE,
    advice_for,
    agreement_by_judge,
    judge_agreement,
    label_item,
    priorities,
    rule,
)
from curation.review.reviewers.gold import set_gold
from curation.review.reviewers.settings import ReviewerSettings, read_settings, store_settings
from tests.curation.judging.ruled_judge import judge_config
from tests.curation.review.reviewers.test_statistics import verdicts

pytestmark = pytest.mark.slow

CONFIG = ReviewConfig()
SETTINGS = ReviewerSettings(has_judge=True)
BELIEVED = Ruling(allowed=True, reason="Its kappa with people is 0.8.")
DOUBTED = Ruling(allowed=False, reason="below the floor")
MakeVoted = Callable[..., ReviewItem]


@pytest.fixture
def voted(make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]) -> MakeVoted:
    """Return a function that makes an item with judge votes: voted(0, 4.5, 2.0), voted(1, 1.0, kind="pair")."""

    def make(number: int, *scores: float, kind: str = "example", judge: str = "j", template: str = "") -> ReviewItem:
        votes = tuple(JudgeVote(judge=judge, score=score, reason="[first] r") for score in scores)
        example = make_example(number)
        provenance = replace(example.provenance, votes=votes, template_id=template)
        if kind == "example":
            return build_items([replace(example, provenance=provenance)], [], lambda _: "", CONFIG)[0]
        pair = make_pair(example)
        scored = (*votes, JudgeVote(judge=judge, score=5.0, reason="[chosen] good"))
        pair = replace(pair, provenance=replace(pair.provenance, votes=scored, template_id=template))
        return build_items([], [pair], lambda _: "", CONFIG)[0]

    return make


def said(decision: Decision, reviewer: str = "Ada") -> Verdict:
    return verdicts([decision], reviewer)[0]


def test_votes_reach_the_item_and_are_no_part_of_its_key(voted: MakeVoted, make_example: Callable[..., Example]) -> None:
    item = voted(0, 4.5, 2.0)
    assert [vote.score for vote in item.provenance.votes] == [4.5, 2.0]
    assert item.key == voted(0).key == item_key(make_example(0), CONFIG)


def test_nothing_before_the_vote_and_nothing_after_it_was_undone(voted: MakeVoted, queue: ReviewQueue) -> None:
    item = voted(0, 4.5)
    queue.sync_items([item], CONFIG)
    assert advice_for(item, own=None, ruling=BELIEVED, settings=SETTINGS, automatic=said("approve")) is None
    own = queue.submit(item.key, "approve", "Ada")
    assert advice_for(item, own=own, ruling=BELIEVED, settings=SETTINGS) is not None
    undone = queue.undo(own, "Ada")
    assert advice_for(item, own=undone, ruling=BELIEVED, settings=SETTINGS) is None


@pytest.mark.parametrize(
    ("scores", "decision", "label", "agrees"),
    [
        ((4.5, 4.0, 1.0), "approve", "good", True),
        ((3.9,), "approve", "bad", False),
        ((3.9,), "edit", "bad", True),
        ((3.9,), "reject", "bad", True),
    ],
)
def test_what_is_shown(voted: MakeVoted, scores: tuple[float, ...], decision: Decision, label: str, agrees: bool) -> None:
    advice = advice_for(voted(0, *scores), own=said(decision), ruling=BELIEVED, settings=SETTINGS)
    assert advice is not None
    assert (advice.label, advice.agrees, advice.reason) == (label, agrees, BELIEVED.reason)
    assert [vote.score for vote in advice.votes] == list(scores)
    assert advice.automatic_agrees is None


@pytest.mark.parametrize(
    ("scores", "label"), [((1.0, 1.0), "a"), ((0.0, 0.0), "b"), ((1.0, 0.0), "tie"), ((0.5, 1.0), "a"), ((0.5,), "tie")]
)
def test_pairs(voted: MakeVoted, scores: tuple[float, ...], label: str) -> None:
    item = voted(0, *scores, kind="pair")
    assert label_item(item, 4.0) == label
    advice = advice_for(item, own=said("prefer_b"), ruling=BELIEVED, settings=SETTINGS)
    assert advice is not None
    assert (advice.agrees, advice.score) == (label == "b", None)


def test_a_judge_that_is_not_believed_says_nothing(voted: MakeVoted) -> None:
    item, own = voted(0, 4.5), said("approve")
    assert advice_for(item, own=own, ruling=DOUBTED, settings=SETTINGS) is None
    advice = advice_for(item, own=own, ruling=DOUBTED, settings=SETTINGS, automatic=said("reject"))
    assert advice is not None
    assert (advice.label, advice.votes, advice.agrees, advice.automatic_agrees) == (None, (), None, False)
    assert advice_for(voted(1), own=own, ruling=BELIEVED, settings=SETTINGS) is None


def test_agreement_per_judge_and_template(voted: MakeVoted) -> None:
    items = [voted(number, 5.0 if number % 2 else 1.0, template="t1") for number in range(20)]
    items += [voted(100 + number, 5.0, judge="k", template="t2") for number in range(4)]
    people = [replace(said("approve" if number % 2 else "reject"), key=items[number].key) for number in range(20)]
    people += [replace(said("reject"), key=item.key) for item in items[20:]]
    people.append(replace(said("undo"), key=items[0].key))
    found = agreement_by_judge(items, people, 4.0)
    assert list(found) == [("j", "t1"), ("k", "t2")]
    assert (found["j", "t1"].kappa.value, found["j", "t1"].num_items) == (1.0, 20)
    assert found["k", "t2"].observed == 0
    pooled = judge_agreement(items, people, 4.0)
    assert (pooled.num_items, pooled.observed) == (24, 20 / 24)
    assert pooled.kappa.low is not None


def test_gold_says_nothing_about_a_judge(queue: ReviewQueue, voted: MakeVoted) -> None:
    item = voted(0, 5.0)
    queue.sync_items([item], CONFIG)
    gold = set_gold(queue, item.key, ["reject"], by="Lea")
    verdict = queue.submit(gold.item_key, "reject", "Ada")
    shown = queue.get_item(gold.item_key).item
    assert agreement_by_judge([shown], [verdict], 4.0) == {}
    assert judge_agreement([shown], [verdict], 4.0).num_items == 0


def test_rulings(voted: MakeVoted) -> None:
    items = [voted(number, 5.0 if number % 2 else 1.0) for number in range(60)]
    people = [replace(said("approve" if number % 2 else "reject"), key=item.key) for number, item in enumerate(items)]
    assert rule(None, ReviewerSettings()) == NO_JUDGE
    assert not rule(None, SETTINGS).allowed
    assert not rule(judge_agreement(items[:20], people, 4.0), SETTINGS).allowed
    assert rule(judge_agreement(items, people, 4.0), SETTINGS).allowed
    assert not rule(judge_agreement(items, [replace(verdict, decision="approve") for verdict in people], 4.0), SETTINGS).allowed


def test_settings_travel_through_the_database(queue: ReviewQueue) -> None:
    assert read_settings(queue) == ReviewerSettings()
    review = ReviewConfig(gold_share=0.05, gold_floor=0.8)
    store_settings(queue, ReviewerSettings.of(review, judge_config()))
    found = read_settings(queue)
    assert (found.gold_share, found.gold_floor, found.has_judge) == (0.05, 0.8, True)
    assert (found.kappa_floor, found.min_labels) == (judge_config().kappa_floor, judge_config().min_labels)
    store_settings(queue, ReviewerSettings.of(ReviewConfig()))
    assert read_settings(queue) == ReviewerSettings()


def test_priorities(voted: MakeVoted) -> None:
    split, unsure, sure = voted(0, 5.0, 1.0), voted(1, 4.1, 4.0), voted(2, 5.0)
    tilted, none, orders = voted(3, 5.0, 5.0, 1.0), voted(4), voted(5, 1.0, 0.0, kind="pair")
    both = voted(6, 1.0, 1.0, kind="pair")
    found = priorities([split, unsure, sure, tilted, none, orders, both], approve_from=4.0, lowest=1.0, highest=5.0)
    ranked = [split, tilted, unsure, sure, none]
    assert [found[item.key] for item in ranked] == sorted((found[item.key] for item in ranked), reverse=True)
    assert (found[split.key], found[none.key], found[orders.key], found[both.key]) == (1.5, 0.0, 1.5, 0.0)
    assert 0 < found[sure.key] < found[unsure.key] <= 1 < found[tilted.key]


@hypothesis.given(scores=st.lists(st.floats(-10, 10), max_size=5), kind=st.sampled_from(["example", "pair"]))
@hypothesis.settings(max_examples=40, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_priorities_are_bounded(voted: MakeVoted, scores: list[float], kind: str) -> None:
    item = voted(0, *scores, kind=kind)
    (found,) = priorities([item], approve_from=4.0, lowest=1.0, highest=5.0).values()
    assert 0 <= found < 2
    assert label_item(item, 4.0) in (*LABELS.values(), None)
