"""Whether the training was worth it is said against the best that was to be had without one."""

from dataclasses import replace
from typing import Any

import pytest

from evaluation.config import EvaluationConfig
from evaluation.gate.comparator_table import comparator_table, comparison_values, task_table
from evaluation.gate.comparison import Comparison, compare
from evaluation.gate.worth import Worth, tuning_worth
from evaluation.records import EvalAnswer
from evaluation.release.config import ReleaseConfig
from evaluation.tasks.config import TaskConfig
from tests.evaluation.gate.test_comparison import make_scores


def decide(shares: dict[str, float]) -> Comparison:
    return compare(make_scores(shares), EvaluationConfig(bootstrap_samples=500), ReleaseConfig())


def worth_of(shares: dict[str, float]) -> Worth:
    found = tuning_worth(decide(shares))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("shares", "verdict", "against"),
    [
        ({"base": 0.1, "base_few_shot": 0.4, "candidate": 0.8}, "pays", "base_few_shot"),
        ({"base": 0.1, "base_few_shot": 0.78, "candidate": 0.8}, "not shown", "base_few_shot"),
        ({"base": 0.1, "base_retrieval": 0.95, "candidate": 0.6}, "does not pay", "base_retrieval"),
        ({"base": 0.1, "base_few_shot": 0.62, "base_retrieval": 0.95, "candidate": 0.6}, "does not pay", "base_retrieval"),
        ({"base": 0.1, "teacher": 0.95, "candidate": 0.6}, "pays", "base"),
        ({"base": 0.1, "sft": 0.9, "champion": 0.9, "candidate": 0.6}, "pays", "base"),
    ],
)
def test_the_candidate_has_to_beat_everybody_who_was_not_trained(shares: dict[str, float], verdict: str, against: str) -> None:
    found = worth_of(shares)
    assert (found.verdict, found.against) == (verdict, against)


def test_the_sentence_names_figures_and_what_was_not_tried() -> None:
    found = worth_of({"base": 0.1, "candidate": 0.8})
    assert found.sentence.startswith("Fine-tuning pays: the candidate is 70.0 points ahead of the base (interval ")
    assert found.sentence.endswith("Not asked: the base with examples and the base with retrieval.")
    level = worth_of({"base": 0.0, "candidate": 0.0})
    assert level.sentence.startswith("It is not shown that fine-tuning pays: the candidate is level with the base")


def test_prices_are_told_where_both_are_known() -> None:
    seen = decide({"base": 0.1, "base_few_shot": 0.2, "candidate": 0.8})
    prices = {"candidate": 0.2, "base_few_shot": 0.7}
    priced = replace(
        seen, summaries=tuple(replace(item, cost_per_1000_usd=prices.get(item.comparator)) for item in seen.summaries)
    )
    found = tuning_worth(priced)
    assert found is not None
    assert "1,000 requests cost 0.2 USD, and 0.7 with the base with examples." in found.sentence


def test_a_better_teacher_is_told_beside() -> None:
    said = worth_of({"base": 0.1, "teacher": 0.95, "candidate": 0.6}).sentence
    assert said.startswith("Fine-tuning pays: the candidate is 50.0 points ahead of the base (")
    assert "The candidate is 35.0 points behind the teacher (" in said


def answers_of(comparator: str, num_silent: int, task: str = "held_out") -> list[EvalAnswer]:
    said: dict[str, Any] = {
        "model_hash": "",
        "item_hash": "",
        "group": "",
        "prompt": "",
        "reference": "",
        "answer": "",
        "task": task,
    }
    return [
        EvalAnswer(
            key=f"{comparator}/{task}/{number}",
            comparator=comparator,
            item_key=str(number),
            num_tokens=1,
            error="the budget is used up" if number < num_silent else "",
            **said,
        )
        for number in range(200)
    ]


def silent_worth(shares: dict[str, float], silent: dict[str, int], task: str = "held_out") -> Worth | None:
    answers = [answer for name in shares for answer in answers_of(name, silent.get(name, 0), task)]
    tasks = (TaskConfig(name="held_out"), TaskConfig(name="other"))
    config = EvaluationConfig(bootstrap_samples=500, tasks=tasks)
    return tuning_worth(compare(make_scores(shares), config, ReleaseConfig(), answers=answers))


def test_who_did_not_answer_every_item_is_left_out_and_named() -> None:
    """Missing answers count as wrong: a teacher whose budget ended would make the candidate look better than it is."""
    shares = {"base": 0.1, "teacher": 0.3, "candidate": 0.6}
    found = silent_worth(shares, {"teacher": 120})
    assert found is not None
    assert found.verdict == "pays"
    assert "ahead of the teacher" not in found.sentence
    assert "Left out: the teacher, which gave no answer to 120 of 200 items." in found.sentence
    whole = silent_worth(shares, {})
    assert whole is not None
    assert "The candidate is 30.0 points ahead of the teacher (" in whole.sentence
    assert silent_worth(shares, {"teacher": 120}, "other") == whole, "answers of another task say nothing about this one"


def test_a_comparator_that_was_not_trained_and_fell_silent_is_not_beaten() -> None:
    shares = {"base": 0.1, "base_few_shot": 0.2, "candidate": 0.6}
    found = silent_worth(shares, {"base_few_shot": 150})
    assert found is not None
    assert (found.verdict, found.against) == ("pays", "base")
    assert "Left out: the base with examples, which gave no answer to 150 of 200 items." in found.sentence
    nobody = silent_worth(shares, {"base_few_shot": 150, "base": 1})
    assert nobody is not None
    assert (nobody.verdict, nobody.against) == ("not shown", "")
    assert nobody.sentence.startswith("It is not shown that fine-tuning pays: nobody who was not trained has answered every")


def test_every_task_is_shown_with_intervals() -> None:
    rows = make_scores({"base": 0.2, "candidate": 0.6})
    other = [replace(row, key=f"other/{row.key}", task="other", item_key=f"other/{row.item_key}") for row in rows]
    tasks = (TaskConfig(name="held_out"), TaskConfig(name="other"))
    seen = compare([*rows, *other], EvaluationConfig(bootstrap_samples=100, tasks=tasks), ReleaseConfig())
    (line,) = [line for line in task_table(seen.tasks).splitlines() if line.startswith("| other")]
    base, candidate = line.split(" | ")[4:6]
    assert base.startswith("20.0 % (1")
    assert candidate.startswith("60.0 % (5")
    assert " to " in base


def test_dagster_shows_it_beside_the_table() -> None:
    seen = decide({"base": 0.1, "candidate": 0.8})
    found = tuning_worth(seen)
    assert found is not None
    assert comparator_table(seen).endswith(found.sentence)
    assert comparison_values(seen)["fine_tuning"] == found.sentence
    assert tuning_worth(replace(seen, differences=())) is None
