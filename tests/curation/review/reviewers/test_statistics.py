"""Figures of reviewers: counted from all verdicts, compared with others, and warnings that honest work does not get."""

import random
from collections.abc import Callable, Sequence

import pytest

from curation.records import Decision, ReviewItem, Verdict
from curation.review.config import ReviewConfig
from curation.review.queue import ReviewQueue
from curation.review.queue.vote import VoteDetails
from curation.review.reviewers.detection import detect
from curation.review.reviewers.gold import set_gold
from curation.review.reviewers.statistics import chance_of_run, longest_run, reviewer_statistics, summarise
from tests.curation.review.reviewers.test_agreement import rated
from tests.curation.review.reviewers.test_detection import results

pytestmark = pytest.mark.slow

Decide = Callable[..., Verdict]


def verdicts(decisions: Sequence[Decision], reviewer: str = "Bob", *, seconds: float = 20.0, first: int = 1) -> list[Verdict]:
    """Return verdicts a minute apart, from nine o'clock on."""
    return [
        Verdict(
            key=f"{number:032x}",
            sequence=number,
            decision=decision,
            reviewer=reviewer,
            reviewer_kind="human",
            reason="",
            edited_answer="",
            created_at=f"2026-11-{28 + number // 720}T{9 + number // 60 % 12:02d}:{number % 60:02d}:00+00:00",
            details=VoteDetails(seconds=seconds).to_json(),
        )
        for number, decision in enumerate(decisions, start=first)
    ]


def test_pace_and_decisions() -> None:
    said = verdicts(["approve"] * 88 + ["reject"] * 2)
    said[0] = verdicts(["approve"], seconds=0)[0]  # not known
    found = summarise(said, [], {})["Bob"]
    assert (found.num_verdicts, found.num_adjudications) == (90, 0)
    assert found.per_day == {"2026-11-28": 90}
    assert found.per_active_hour == 45
    assert found.seconds == 20
    assert found.decisions == {"approve": 88, "reject": 2}
    assert (found.first_at, found.last_at) == (said[0].created_at, said[-1].created_at)
    assert found.agreement.value is None
    assert found.overruled.value is None
    assert found.detection is None


def test_nobody() -> None:
    assert summarise([], [], {}) == {}


def test_agreement_with_others_and_overruled() -> None:
    settled = verdicts(["reject"], "Lea")[0]
    both = [rated(0, "approve", "approve", "reject"), rated(1, "approve"), rated(2, "reject", "approve")]
    both[0] = type(both[0])(**{name: getattr(both[0], name) for name in both[0].__slots__} | {"adjudication": settled})
    found = summarise([*verdicts(["approve"], "Ada"), *verdicts(["approve"], "Cyd")], both, {})
    assert (found["Ada"].agreement.value, found["Ada"].agreement.num) == (pytest.approx(1 / 3), 3)
    assert (found["Cyd"].agreement.value, found["Cyd"].agreement.num) == (0, 2)
    assert (found["Ada"].overruled.value, found["Cyd"].overruled.value) == (1, 0)


def test_too_fast() -> None:
    assert any("too fast" in text for text in summarise(verdicts(["approve"] * 30, seconds=1.2), [], {})["Bob"].warnings)
    assert not summarise(verdicts(["approve", "reject"] * 15, seconds=8), [], {})["Bob"].warnings
    assert not summarise(verdicts(["approve"] * 10, seconds=0.5), [], {})["Bob"].warnings  # too few to tell


def test_a_run_is_told_only_where_chance_does_not_explain_it() -> None:
    chance = random.Random(1)
    mixed: list[Decision] = [chance.choice(["approve", "reject"]) for _ in range(300)]
    clicking = [*verdicts(["approve"] * 60, "Bob"), *verdicts(mixed, "Ada")]
    found = summarise(clicking, [], {})
    assert any("60 times 'approve' in a row" in text for text in found["Bob"].warnings)
    assert found["Ada"].warnings == ()
    good: list[Decision] = ["reject" if number % 100 == 0 else "approve" for number in range(400)]
    usual = [*verdicts(["approve"] * 60, "Bob"), *verdicts(good, "Ada")]  # nearly all is good, everybody says so
    assert summarise(usual, [], {})["Bob"].warnings == ()


def test_honest_reviewers_are_hardly_ever_suspected() -> None:
    chance = random.Random(7)
    num = 0
    for _ in range(50):
        one, other = ([chance.choices(["approve", "reject"], [9, 1])[0] for _ in range(200)] for _ in range(2))
        found = summarise([*verdicts(one, "Ada"), *verdicts(other, "Bob")], [], {})
        num += sum(bool(person.warnings) for person in found.values())
    assert num <= 1


def test_gold_is_among_the_warnings() -> None:
    found = summarise(verdicts(["approve"]), [], detect(results("-" * 8), floor=0.7))["Bob"]
    assert found.detection is not None
    assert [text.partition(":")[0] for text in found.warnings] == ["gold"]


def test_runs() -> None:
    assert longest_run([]) == (0, "")
    assert longest_run(["a", "b", "b", "a", "b", "b", "b", "a"]) == (3, "b")
    assert chance_of_run(10, 0, 0.5) == 1
    assert chance_of_run(20, 20, 0.5) == pytest.approx(0.5**20)
    assert chance_of_run(100, 3, 0.9) == 1


def test_from_a_queue(queue: ReviewQueue, make_items: Callable[..., list[ReviewItem]], decide: Decide) -> None:
    config = ReviewConfig(overlap=2)
    items = make_items(3, config)
    queue.sync_items(items, config)
    gold = set_gold(queue, items[2].key, ["reject"], by="Lea")
    decide(items[0], "approve", "Ada", details=VoteDetails(seconds=5))
    decide(items[0], "reject", "Bob", reason="wrong")
    decide(items[0], "reject", "Lea", reason="wrong", role="adjudication")
    queue.undo(decide(items[1], "approve", "Ada"), "Ada")
    decide(gold.item_key, "approve", "Bob")
    queue.submit(items[1].key, "approve", "automatic:length v1", "automatic")
    found = reviewer_statistics(queue)
    assert list(found) == ["Ada", "Bob", "Lea"]
    assert (found["Ada"].num_verdicts, found["Ada"].seconds, found["Ada"].overruled.value) == (2, 5, 1)
    assert found["Bob"].overruled.value == 0
    assert found["Bob"].detection is not None
    assert found["Bob"].detection.missed == {"gold": 1}
    assert found["Lea"].num_adjudications == 1
    assert found["Ada"].agreement.num == found["Bob"].agreement.num == 1  # gold is compared with nobody
