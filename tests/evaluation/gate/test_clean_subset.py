from dataclasses import replace

import pytest

from evaluation.config import EvaluationConfig
from evaluation.gate.clean_subset import score_clean_subset, score_clean_subsets
from evaluation.records import Score
from evaluation.tasks.config import TaskConfig

CONFIG = EvaluationConfig(bootstrap_samples=100)


def score(comparator: str, item: int, value: float) -> Score:
    return Score(
        key=f"{comparator}/{item}#exact_match",
        comparator=comparator,
        task="held_out",
        item_key=str(item),
        group=str(item),
        metric="exact_match",
        value=value,
    )


def test_what_was_learnt_by_heart_does_not_count() -> None:
    scores = [score("candidate", item, float(item < 5)) for item in range(10)]
    scores += [score("base", item, 0.0) for item in range(10)]
    subset = score_clean_subset(scores, {"0", "1", "2", "3", "4"}, CONFIG)
    assert (subset.num_items, subset.num_contaminated) == (5, 5)
    assert subset.mean("candidate", "exact_match") == 0.0
    assert score_clean_subset(scores, set(), CONFIG).mean("candidate", "exact_match") == pytest.approx(0.5)


def test_items_that_were_not_asked_do_not_count_and_nothing_clean_is_no_number() -> None:
    scores = [score("candidate", 0, 1.0), score("base", 0, 0.0)]
    assert score_clean_subset(scores, {"other"}, CONFIG).num_contaminated == 0
    nothing = score_clean_subset(scores, {"0"}, CONFIG)
    assert (nothing.num_items, nothing.summaries, nothing.mean("base", "exact_match")) == (0, (), None)


def test_every_task_that_was_answered_has_its_own() -> None:
    config = EvaluationConfig(
        bootstrap_samples=100, tasks=tuple(TaskConfig(name=name) for name in ("held_out", "more", "none"))
    )
    more = [replace(score(name, 7, 1.0), task="more") for name in ("base", "candidate")]
    found = score_clean_subsets([*more, score("base", 1, 0.0), score("candidate", 1, 1.0)], {"7"}, config)
    assert [(each.task, each.num_items, each.num_contaminated) for each in found] == [("held_out", 1, 0), ("more", 0, 1)]
    assert [each.mean("candidate", "exact_match") for each in found] == [1.0, None]
