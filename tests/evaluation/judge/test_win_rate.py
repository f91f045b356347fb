"""Win rates: how wide their intervals are when pairs tell little."""

import pytest

from evaluation.judge.win_rate import JuryVote, WinRate, measure_wins
from tests.evaluation.judge.tea_answers import settings


def wins(winners: str, num_groups: int, required: float = 0.5) -> WinRate:
    """Measure pairs whose winners are `a`, `b` or `t`ie, spread over groups one after the other."""
    judges = settings(against={"base": required}).judge
    assert judges is not None
    named = {"a": "a", "b": "b", "t": "tie"}
    votes = [
        JuryVote("base", "text", f"g{number % num_groups}", 10 * (-1) ** (number // 2), named[winner])  # type: ignore[arg-type]
        for number, winner in enumerate(winners)
    ]
    return measure_wins("base", "", votes, judges, confidence=0.95, samples=500, seed=0)


@pytest.mark.parametrize(("num_groups", "verdict"), [(1, "undecided"), (2, "undecided"), (50, "pass")])
def test_pairs_of_one_or_two_groups_decide_nothing(num_groups: int, verdict: str) -> None:
    found = wins("aaabaaabab" * 10, num_groups)
    assert (found.plain, found.num_groups, found.verdict) == (0.7, num_groups, verdict)
    assert 0 <= found.plain_low <= 0.7 <= found.plain_high <= 1


def test_fifty_wins_of_fifty_are_no_certainty() -> None:
    found = wins("a" * 60, 60, required=0.97)
    assert (found.plain_high, found.verdict) == (1.0, "undecided")
    assert found.plain_low == pytest.approx(0.94, abs=0.005)
    assert found.controlled_low <= found.plain_low
