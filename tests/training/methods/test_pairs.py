import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.config import KtoConfig
from training.methods.pairs import balance_weights, rotate_answers


@given(answers=st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=3), min_size=1, max_size=20), batch=st.integers(1, 6))
def test_a_batch_keeps_its_answers_and_each_prompt_gets_its_neighbours(answers: list[list[int]], batch: int) -> None:
    rotated = rotate_answers(answers, batch)
    assert len(rotated) == len(answers)
    for start in range(0, len(answers), batch):
        before, after = answers[start : start + batch], rotated[start : start + batch]
        assert after == [before[-1], *before[:-1]]


@given(num_good=st.integers(1, 500), num_bad=st.integers(1, 500))
def test_both_kinds_weigh_the_same_in_all(num_good: int, num_bad: int) -> None:
    good, bad = balance_weights(KtoConfig(), [True] * num_good + [False] * num_bad)
    assert good * num_good == pytest.approx(bad * num_bad)
    assert min(good, bad) == 1.0


def test_given_weights_are_kept_and_an_open_one_balances() -> None:
    labels = [True] * 30 + [False] * 10
    assert balance_weights(KtoConfig(desirable_weight=2.0, undesirable_weight=5.0), labels) == (2.0, 5.0)
    assert balance_weights(KtoConfig(desirable_weight=2.0), labels) == (2.0, 6.0)
    assert balance_weights(KtoConfig(undesirable_weight=3.0), labels) == (1.0, 3.0)
