import pytest

from evaluation.clean_subset import score_clean_subset
from evaluation.config import EvaluationConfig
from evaluation.records import Score

CONFIG = EvaluationConfig(bootstrap_samples=100)


def score(comparator: str, item: int, value: float) -> Score:
    return Score(
        key=f"{comparator}/{item}",
        comparator=comparator,
        item_key=str(item),
        group=str(item),
        exact_match=value,
        json_valid=1.0,
        token_f1=value,
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
