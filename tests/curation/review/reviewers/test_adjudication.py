"""Adjudication, from the side of those who agree or do not: who may settle what, when, and what undoing does to it."""

import itertools
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.database import Database
from curation.errors import LeaseLostError, TunewrightError, VerdictConflictError, VerdictRefusedError
from curation.records import Decision, Message, Provenance, ReviewItem, Verdict
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.queue import ReviewQueue
from curation.review.queue.resolution import counting_verdicts, resolve, standing
from curation.review.reviewers.ratings import read_ratings

pytestmark = pytest.mark.slow

TWO = ReviewConfig(overlap=2)
Decide = Callable[..., Verdict]


@pytest.fixture
def item(queue: ReviewQueue, make_items: Callable[..., list[ReviewItem]]) -> ReviewItem:
    (made,) = make_items(1, TWO)
    queue.sync_items([made], TWO)
    return made


@pytest.fixture
def disputed(item: ReviewItem, decide: Decide) -> ReviewItem:
    decide(item, "approve", "Ada")
    decide(item, "reject", "Bob", reason="wrong")
    return item


def test_a_disputed_item_waits_for_an_adjudicator_and_for_nobody_else(queue: ReviewQueue, disputed: ReviewItem) -> None:
    assert queue.claim("Cyd") is None
    assert queue.claim("Cyd", item_key=disputed.key) is None
    lease = queue.claim("Lea", role="adjudication")
    assert lease is not None
    assert (lease.item_key, lease.role) == (disputed.key, "adjudication")
    assert queue.claim("Max", role="adjudication") is None
    assert queue.counts().num_disputed == 1
    assert queue.get_item(disputed.key).verdict is None


@pytest.mark.parametrize("voter", ["Ada", "Bob"])
def test_no_voter_adjudicates(queue: ReviewQueue, disputed: ReviewItem, decide: Decide, voter: str) -> None:
    assert queue.claim(voter, role="adjudication") is None
    assert queue.claim(voter, role="adjudication", item_key=disputed.key) is None
    with pytest.raises(VerdictRefusedError, match="voted on"):
        decide(disputed, "approve", voter, role="adjudication")
    assert queue.resolution(disputed.key).state == "disputed"


def test_no_voter_adjudicates_either_whose_vote_is_one_too_many_by_now(
    queue: ReviewQueue, make_items: Callable[..., list[ReviewItem]], decide: Decide
) -> None:
    three = ReviewConfig(overlap=3)
    (made,) = make_items(1, three)
    queue.sync_items([made], three)
    decide(made, "approve", "Cyd")
    decide(made, "approve", "Ada")
    decide(made, "reject", "Bob", reason="wrong")
    queue.sync_items([made], TWO)
    assert [vote.reviewer for vote in queue.resolution(made.key).votes] == ["Ada", "Bob"]
    with pytest.raises(VerdictRefusedError, match="voted on"):
        decide(made, "approve", "Cyd", role="adjudication")


def test_a_voter_who_changed_to_the_same_settles_it_without_adjudication(
    queue: ReviewQueue, disputed: ReviewItem, decide: Decide
) -> None:
    lease = queue.claim("Lea", role="adjudication")
    assert lease is not None
    decide(disputed, "approve", "Bob")
    assert queue.resolution(disputed.key).state == "decided"
    assert queue.claim("Max", role="adjudication") is None
    with pytest.raises((LeaseLostError, VerdictRefusedError, VerdictConflictError)):
        queue.submit(disputed.key, "reject", "Lea", reason="wrong", role="adjudication", generation=lease.generation)
    assert queue.counts().num_disputed == 0


@pytest.mark.parametrize("votes", [0, 1])
def test_nothing_to_adjudicate_before_all_have_voted(queue: ReviewQueue, item: ReviewItem, decide: Decide, votes: int) -> None:
    for name in ("Ada", "Bob")[:votes]:
        decide(item, "approve", name)
    assert queue.claim("Lea", role="adjudication") is None
    with pytest.raises(VerdictRefusedError, match="not all of its reviewers"):
        decide(item, "approve", "Lea", role="adjudication")


@pytest.mark.parametrize(("decision", "counts"), [("approve", "approve"), ("reject", "reject"), ("edit", "edit")])
def test_the_adjudication_counts_over_all_votes(
    queue: ReviewQueue, disputed: ReviewItem, decide: Decide, decision: Decision, counts: str
) -> None:
    decide(disputed, decision, "Lea", role="adjudication", reason="")
    verdict = queue.current_verdicts()[disputed.key]
    assert (verdict.decision, verdict.reviewer, verdict.role) == (counts, "Lea", "adjudication")
    assert queue.counts().num_decided == 1
    with pytest.raises(VerdictConflictError):
        decide(disputed, "approve", "Bob")  # it is settled; nobody reopens it by changing their mind
    assert queue.current_verdicts()[disputed.key] == verdict


def test_undoing_an_adjudication_makes_it_disputed_again(queue: ReviewQueue, disputed: ReviewItem, decide: Decide) -> None:
    first = decide(disputed, "approve", "Lea", role="adjudication")
    bob = next(vote for vote in queue.resolution(disputed.key).votes if vote.reviewer == "Bob")
    with pytest.raises(VerdictRefusedError, match="adjudicated since"):
        queue.undo(bob, "Bob")
    queue.undo(first, "Lea", "a mistake")
    assert queue.resolution(disputed.key).state == "disputed"
    assert queue.claim("Max", role="adjudication") is not None
    decide(disputed, "reject", "Max", role="adjudication", reason="wrong")
    assert queue.resolution(disputed.key).verdict is not None
    assert len(queue.history(disputed.key)) == 5


def test_undoing_a_vote_of_a_disputed_item_takes_the_adjudicators_slot_away(queue: ReviewQueue, disputed: ReviewItem) -> None:
    lease = queue.claim("Lea", role="adjudication")
    assert lease is not None
    bob = next(vote for vote in queue.resolution(disputed.key).votes if vote.reviewer == "Bob")
    queue.undo(bob, "Bob")
    assert queue.resolution(disputed.key).state == "partial"
    assert queue.claim("Max", role="adjudication") is None
    with pytest.raises((LeaseLostError, VerdictRefusedError)):
        queue.submit(disputed.key, "approve", "Lea", role="adjudication", generation=lease.generation)
    again = queue.claim("Cyd")
    assert again is not None
    assert again.item_key == disputed.key


def test_an_adjudicator_who_takes_a_vote_back_may_settle_it_later(
    queue: ReviewQueue, disputed: ReviewItem, decide: Decide
) -> None:
    bob = next(vote for vote in queue.resolution(disputed.key).votes if vote.reviewer == "Bob")
    queue.undo(bob, "Bob")
    decide(disputed, "edit", "Cyd")
    decide(disputed, "approve", "Bob", role="adjudication")
    assert queue.current_verdicts()[disputed.key].reviewer == "Bob"


def test_two_different_edits_are_a_dispute_and_equal_ones_are_not(queue: ReviewQueue, item: ReviewItem) -> None:
    queue.submit(item.key, "edit", "Ada", edited_answer="One.")
    other = queue.submit(item.key, "edit", "Bob", edited_answer="Two.")
    assert queue.resolution(item.key).state == "disputed"
    queue.undo(other, "Bob")
    queue.submit(item.key, "edit", "Bob", edited_answer="One.")
    assert queue.resolution(item.key).state == "decided"


def test_an_automatic_verdict_settles_no_dispute(queue: ReviewQueue, disputed: ReviewItem) -> None:
    queue.submit(disputed.key, "approve", "automatic:length v1", "automatic")
    assert queue.current_verdicts("automatic") == {}


NAMES = ("Ada", "Bob", "Cyd", "Lea")
DECISIONS: tuple[Decision, ...] = ("approve", "reject")
NUMBERS = itertools.count()
STEPS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(["review", "adjudication", "undo"]), st.sampled_from(DECISIONS)),
    max_size=12,
)


@pytest.fixture(scope="module")
def shared(migrated_file: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A database for all runs of the property; each takes a recipe of its own."""
    file = tmp_path_factory.mktemp("steps") / "review.db"
    file.write_bytes(migrated_file.read_bytes())
    opened = Database.open(file, concern="review", migrations=schema.MIGRATIONS)
    yield opened
    opened.close()


@hypothesis.given(steps=STEPS)
@hypothesis.settings(max_examples=20, deadline=None)
def test_whatever_happens_no_adjudicator_is_a_voter_and_states_agree(
    shared: Database, steps: list[tuple[str, str, Decision]]
) -> None:
    queue = ReviewQueue(shared, f"r{next(NUMBERS)}")
    shown = ReviewItem(
        key="ab" * 16,
        kind="example",
        prompt=(Message(role="user", content="?"),),
        answer="!",
        alternative="",
        rubric_version="",
        record_key="s/0",
        record_hash="",
        evidence=(),
        task="t",
        provenance=Provenance(origin="human", method="m"),
    )
    queue.sync_items([shown], TWO)
    for name, what, decision in steps:
        try:
            _do(queue, shown.key, name, what, decision)
        except TunewrightError:
            continue
    history = queue.history(shown.key)
    votes = [vote for vote in standing(history) if vote.role == "review"]
    settled = [vote for vote in standing(history) if vote.role == "adjudication"]
    assert len(votes) <= 2
    assert len({vote.reviewer for vote in votes}) == len(votes)
    assert not {vote.reviewer for vote in settled} & {vote.reviewer for vote in votes}
    outcome = resolve(history, 2)
    assert queue.get_item(shown.key).state == outcome.state
    assert (outcome.state == "disputed") == (queue.claim("Zoe", role="adjudication") is not None)
    assert counting_verdicts(history, "human", 2) == ({shown.key: outcome.verdict} if outcome.verdict else {})
    assert sum(rated.is_disputed for rated in read_ratings(queue)) == (len({vote.decision for vote in votes}) == 2)


def _do(queue: ReviewQueue, key: str, name: str, what: str, decision: Decision) -> None:
    if what == "undo":
        own = next((vote for vote in reversed(standing(queue.history(key))) if vote.reviewer == name), None)
        if own is not None:
            queue.undo(own, name)
    elif what == "adjudication":
        queue.submit(key, decision, name, role="adjudication", reason="wrong")
    else:
        queue.submit(key, decision, name, reason="wrong")
