"""A judge is compared with people only, and without enough agreement it gives advice to nobody."""

import pytest

from curation.judging.judgements import PairJudgement, PairVote, ScoreJudgement
from curation.judging.people import (
    advice_allowed,
    agree_on_rows,
    agree_with_people,
    give_advice,
    label_pair,
    label_score,
    label_votes,
)
from curation.judging.report import report_pairs
from curation.records import Decision, Example, JudgeVote, Message, Provenance, Verdict
from tests.curation.judging.ruled_judge import judge_config


def verdict(
    key: str, decision: Decision, *, reviewer: str = "ann", sequence: int = 1, automatic: bool = False, supersedes: int = 0
) -> Verdict:
    return Verdict(
        key=key,
        supersedes=supersedes,
        sequence=sequence,
        decision=decision,
        reviewer=reviewer,
        reviewer_kind="automatic" if automatic else "human",
        reason="",
        edited_answer="",
        created_at="2026-01-01",
    )


def agreeing(num: int, num_wrong: int = 0) -> tuple[dict[str, str], list[Verdict]]:
    """Return labels of a judge and verdicts of one person, half good and half bad, some of them against the judge."""
    labels = {f"i{at}": "good" if at % 2 else "bad" for at in range(num)}
    swapped = {"good": "reject", "bad": "approve"}
    same = {"good": "approve", "bad": "reject"}
    verdicts = [verdict(key, (swapped if at < num_wrong else same)[label]) for at, (key, label) in enumerate(labels.items())]  # type: ignore[arg-type]
    return labels, verdicts


def test_agreement_with_intervals() -> None:
    found = agree_with_people(*agreeing(100, 10))  # type: ignore[arg-type]
    assert found.kappa.value == pytest.approx(0.8)
    assert found.observed == pytest.approx(0.9)
    assert found.kappa.low is not None
    assert found.kappa.high is not None
    assert found.kappa.low < 0.8 < found.kappa.high
    assert found.ac1.value == pytest.approx(0.8)


def test_only_the_newest_verdict_of_a_person_counts() -> None:
    labels = {"one": "good", "two": "bad", "three": "a", "none": None}
    verdicts = [
        verdict("one", "approve", sequence=5),
        verdict("one", "reject", sequence=2),
        verdict("one", "reject", reviewer="rules", automatic=True, sequence=9),
        verdict("one", "edit", reviewer="bob", sequence=3),
        verdict("two", "reject", sequence=6),
        verdict("three", "prefer_a", sequence=7),
        verdict("none", "reject", sequence=8),
        verdict("unknown", "reject", sequence=10),
    ]
    found = agree_with_people(labels, verdicts)  # type: ignore[arg-type]
    assert (found.num_items, found.num_verdicts, found.observed) == (3, 4, 0.75)
    assert found.kappa.num_clusters == 3
    assert agree_with_people(labels, verdicts[::-1]) == found  # type: ignore[arg-type]


def test_what_was_undone_does_not_count() -> None:
    verdicts = [
        verdict("one", "approve", sequence=1),
        verdict("one", "undo", sequence=3, supersedes=1),
        verdict("two", "reject", sequence=2),
        verdict("two", "approve", sequence=4),
        verdict("two", "undo", sequence=5, supersedes=2),
    ]
    found = agree_with_people({"one": "good", "two": "good"}, verdicts)
    assert (found.num_items, found.num_verdicts, found.observed) == (1, 1, 1.0)


@pytest.mark.parametrize(
    ("num", "num_wrong", "allowed", "said"),
    [
        (100, 10, True, "0.800"),
        (100, 30, True, "0.400"),
        (100, 31, False, "below the floor"),
        (49, 0, False, "50 are needed"),
        (0, 0, False, "50 are needed"),
    ],
)
def test_a_judge_below_the_floor_or_unmeasured_gives_no_advice(num: int, num_wrong: int, allowed: bool, said: str) -> None:
    ruling = advice_allowed(agree_with_people(*agreeing(num, num_wrong)), judge_config())  # type: ignore[arg-type]
    assert ruling.allowed is allowed
    assert said in ruling.reason
    judged = ScoreJudgement(key="a", status="judged", score=5.0)
    flagged = ScoreJudgement(key="b", status="flagged")
    assert list(give_advice([judged, flagged], ruling)) == (["a"] if allowed else [])


def test_an_undefined_kappa_is_no_agreement() -> None:
    labels = {f"i{at}": "good" for at in range(80)}
    found = agree_with_people(labels, [verdict(key, "approve") for key in labels])  # type: ignore[arg-type]
    ruling = advice_allowed(found, judge_config())
    assert (found.observed, ruling.allowed) == (1.0, False)
    assert "one category" in ruling.reason
    assert advice_allowed(None, judge_config()).allowed is False


def comparison(key: str, *, flips: bool) -> PairJudgement:
    votes = (
        PairVote(judge="j", order="ab", sample_index=0, position="first", reason=""),
        PairVote(judge="j", order="ba", sample_index=0, position="first" if flips else "second", reason=""),
    )
    return PairJudgement(
        key=key,
        status="judged",
        winner="tie" if flips else "a",
        votes=votes,
        num_rounds=1,
        num_flips=int(flips),
        length_difference=9,
    )


@pytest.mark.parametrize(("num_flips", "allowed"), [(15, True), (16, False)])
def test_a_judge_that_flips_too_often_gives_no_advice(num_flips: int, allowed: bool) -> None:
    judgements = [comparison(str(at), flips=at < num_flips) for at in range(100)]
    report = report_pairs([*judgements, PairJudgement(key="f", status="flagged")], judge_config())
    assert (report.num_judged, report.num_flagged, report.num_rounds) == (100, 1, 100)
    assert report.flip_share == num_flips / 100
    assert report.first_share == pytest.approx((200 - (100 - num_flips)) / 200)
    assert report.tie_share == num_flips / 100
    assert report.length.correlation > 0.8
    ruling = advice_allowed(agree_with_people(*agreeing(100)), judge_config(), report)  # type: ignore[arg-type]
    assert ruling.allowed is allowed


def test_labels_follow_the_judgement() -> None:
    config = judge_config(approve_from=3.5)
    assert label_score(ScoreJudgement(key="k", status="judged", score=3.5), config) == "good"
    assert label_score(ScoreJudgement(key="k", status="judged", score=3.0), config) == "bad"
    assert label_score(ScoreJudgement(key="k", status="flagged"), config) is None
    assert label_pair(comparison("k", flips=True)) == "tie"
    assert label_pair(PairJudgement(key="k", status="failed")) is None


def votes(*scores: float, judge: str = "m") -> tuple[JudgeVote, ...]:
    return tuple(JudgeVote(judge=judge, score=score, reason="") for score in scores)


def test_the_median_of_a_judges_own_votes_is_its_label() -> None:
    config = judge_config()
    name = config.teacher.model
    assert label_votes(votes(5, 4, 1, judge=name), config) == "good"
    assert label_votes((*votes(2, judge=name), *votes(5, 5, judge="somebody else")), config) == "bad"
    assert label_votes(votes(5, judge="somebody else"), config) is None


def test_rows_are_compared_with_the_verdicts_on_their_items() -> None:
    config = judge_config()
    rows = [
        Example(
            key=key,
            task="qa",
            messages=(Message(role="user", content="q"), Message(role="assistant", content="a")),
            group=key,
            provenance=Provenance(
                origin="synthetic", method="m", license="MIT", votes=votes(score, judge=config.teacher.model) if score else ()
            ),
        )
        for key, score in (("a", 5), ("b", 1), ("c", 5), ("d", 0))
    ]
    items = {f"item {key}": key for key in "abcd"}
    said = [verdict("item a", "approve"), verdict("item b", "approve"), verdict("item d", "approve")]
    found = agree_on_rows(rows, items, said, config)
    assert (found.num_items, found.observed) == (2, 0.5), "c has no verdict, d no votes"
