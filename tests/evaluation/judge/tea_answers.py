"""Answers to compare, judges by name, and what people said about reviewed pairs."""

import dataclasses
from typing import Any

from curation.judging.config import JudgeConfig
from curation.records import Decision, Message, Provenance, ReviewItem, Verdict
from evaluation.config import EvaluationConfig
from evaluation.judge.config import PairwiseConfig
from evaluation.records import EvalAnswer
from tests.curation.judging.ruled_judge import judge_config


def is_good(text: str) -> int:
    """The worth of an answer by the rule of most tests."""
    return text.count("good")


def answer(comparator: str, number: int, text: str, **fields: Any) -> EvalAnswer:
    """One answer; two questions a group."""
    plain = {
        "key": f"{comparator}/q{number:03}",
        "comparator": comparator,
        "model_hash": comparator,
        "item_key": f"q{number:03}",
        "item_hash": f"h{number}",
        "group": f"g{number // 2}",
        "prompt": f"What is tea number {number}?",
        "reference": "A drink.",
        "answer": text,
        "num_tokens": 3,
    }
    return EvalAnswer(**{**plain, **fields})  # type: ignore[arg-type]


def answers(num: int, num_better: int, opponent: str = "base") -> list[EvalAnswer]:
    """Answers of candidate and opponent; the first `num_better` of the candidate are the better ones, the others the worse."""
    words = {True: "good", False: "poor"}
    return [
        row
        for at in range(num)
        for row in (
            answer("candidate", at, f"{words[at < num_better]} tea {at}"),
            answer(opponent, at, f"{words[at >= num_better]} tea {at}"),
        )
    ]


def named_judge(name: str, *, concurrency: int = 32, **fields: Any) -> JudgeConfig:
    """A judge whose model has this name."""
    return judge_config(teacher=dataclasses.replace(judge_config().teacher, model=name, concurrency=concurrency), **fields)


def settings(*names: str, judge: dict[str, Any] | None = None, **fields: Any) -> EvaluationConfig:
    """An evaluation with judges of these names; `judge` are fields of each judge, the others those of the section."""
    judges = tuple(named_judge(name, **(judge or {})) for name in names or ("j",))
    return EvaluationConfig(bootstrap_samples=200, judge=PairwiseConfig(judges=judges, **fields))


def reviewed(num: int, num_wrong: int = 0) -> tuple[list[ReviewItem], list[Verdict]]:
    """Pairs of which one person says which is better, of the first `num_wrong` wrongly; A is better in every other pair."""
    items, verdicts = [], []
    for at in range(num):
        texts = f"good coffee {at}", f"poor coffee {at}"
        is_a = bool(at % 2)
        choice: Decision = "prefer_a" if is_a == (at >= num_wrong) else "prefer_b"
        items.append(item(f"i{at:03}", texts[not is_a], texts[is_a]))
        verdicts.append(verdict(f"i{at:03}", choice, sequence=at + 1))
    return items, verdicts


def item(key: str, text: str, alternative: str = "") -> ReviewItem:
    """What a reviewer was shown: a pair, or an example where there is no other answer."""
    return ReviewItem(
        key=key,
        kind="pair" if alternative else "example",
        prompt=(Message(role="user", content="What is coffee?"),),
        answer=text,
        alternative=alternative,
        rubric_version="1",
        record_key=key,
        record_hash=key,
        evidence=(),
        task="qa",
        provenance=Provenance(origin="synthetic", method="m"),
    )


def verdict(key: str, decision: Decision, *, sequence: int = 1, reviewer: str = "ada", **fields: Any) -> Verdict:
    """What a person said."""
    plain = {
        "key": key,
        "sequence": sequence,
        "decision": decision,
        "reviewer": reviewer,
        "reviewer_kind": "human",
        "reason": "",
        "edited_answer": "",
        "created_at": "2026-01-01",
    }
    return Verdict(**{**plain, **fields})
