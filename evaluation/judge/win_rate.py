"""How often the candidate's answer is preferred: plain, and at equal length, with intervals over whole groups.

    votes = combine_votes(rows, ("gpt-6-sol@2026-08-01",))          one vote of the jury a pair
    measure_wins("base", "", votes, config, confidence=0.95, samples=2000, seed=0).reason
        "The judges prefer the candidate to the base in 61.0 % of 400 pairs at equal length (interval 55.1 to 66.8; ..."

A tie counts half. A pair without a judgement counts nowhere but in `num_unjudged`. The win rate at equal length is that of
`curation.judging.length_control` (Dubois et al., 2024), fitted on these very pairs. Intervals are as wide as few groups, or
nothing but wins, make them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from curation.judging.judgements import Winner, majority
from curation.judging.length_control import controlled_interval, fit_length_control
from evaluation.judge.config import PairwiseConfig
from evaluation.judge.records import JudgedPair
from evaluation.statistics import Interval, clustered_wilson, paired_bootstrap, widen_for_few

Verdict = Literal["pass", "fail", "undecided"]
WORTH: dict[Winner, float] = {"a": 1.0, "b": 0.0, "tie": 0.5}
_WINNERS: dict[str, Winner] = {"candidate": "a", "opponent": "b", "tie": "tie"}


class JuryVote(NamedTuple):
    """What the voting judges together say of one pair; A is the candidate."""

    opponent: str
    task: str
    group: str
    length_difference: int
    winner: Winner | None
    """None if not more than half of them judged it."""


@dataclass(frozen=True, kw_only=True)
class WinRate:
    """The candidate against one opponent."""

    opponent: str
    task: str
    """Empty: over all tasks."""
    num_pairs: int
    num_judged: int
    num_unjudged: int
    num_groups: int
    num_wins: int
    num_losses: int
    num_ties: int
    plain: float
    """Share of wins, ties counting half."""
    plain_low: float
    plain_high: float
    controlled: float
    """The same at equal length."""
    controlled_low: float
    controlled_high: float
    length_slope: float
    """Log odds for the candidate that a longer answer adds at most."""
    length_slope_error: float
    mean_length_difference: float
    """Characters of the candidate's answers less those of the opponent's, on average."""
    required: float
    """What the interval has to lie above."""
    verdict: Verdict
    reason: str


def combine_votes(rows: Iterable[JudgedPair], voting: Sequence[str]) -> list[JuryVote]:
    """Return one vote a pair, in order of opponent, task and item: the winner of more than half of those who judged it."""
    pairs: dict[tuple[str, str, str], list[JudgedPair]] = {}
    for row in rows:
        if row.judge in voting:
            pairs.setdefault((row.opponent, row.task, row.item_key), []).append(row)
    votes = []
    for _, said in sorted(pairs.items()):
        winners = [_WINNERS[row.winner] for row in said if row.winner != "none"]
        is_judged = 2 * len(winners) > len(voting)
        first = said[0]
        winner = majority(winners) if is_judged else None
        votes.append(JuryVote(first.opponent, first.task, first.group, first.length_difference, winner))
    return votes


def measure_wins(
    opponent: str,
    task: str,
    votes: Iterable[JuryVote],
    config: PairwiseConfig,
    *,
    confidence: float,
    samples: int,
    seed: int,
) -> WinRate:
    """Return the candidate's win rate against one opponent.

    Args:
        opponent: whose pairs count.
        task: on which task; empty: on all.
        votes: of the jury, on all opponents and tasks.
        config: what the win rate has to show.
        confidence: of the intervals.
        samples: resamples of the intervals.
        seed: seed of the resampling.
    """
    mine = [vote for vote in votes if vote.opponent == opponent and task in ("", vote.task)]
    judged = [vote for vote in mine if vote.winner is not None]
    worth = [WORTH[vote.winner] for vote in judged if vote.winner is not None]
    groups, lengths = [vote.group for vote in judged], [float(vote.length_difference) for vote in judged]
    fit = fit_length_control(lengths, worth)
    plain = paired_bootstrap(worth, groups, samples=samples, confidence=confidence, seed=seed)
    controlled = Interval(
        *controlled_interval(lengths, worth, groups, confidence=confidence, num_resamples=min(samples, 1000), seed=seed)
    )
    plain = _honest(plain, fit.win_rate, worth, groups, confidence)
    controlled = _honest(controlled, fit.controlled, worth, groups, confidence)
    is_controlled = config.rate == "length_controlled"
    rate, (low, high) = (fit.controlled, controlled) if is_controlled else (fit.win_rate, plain)
    verdict, reason = _judge_rate(opponent, len(judged), rate, low, high, config)
    return WinRate(
        opponent=opponent,
        task=task,
        num_pairs=len(mine),
        num_judged=len(judged),
        num_unjudged=len(mine) - len(judged),
        num_groups=len(set(groups)),
        num_wins=worth.count(1.0),
        num_losses=worth.count(0.0),
        num_ties=worth.count(0.5),
        plain=fit.win_rate,
        plain_low=plain[0],
        plain_high=plain[1],
        controlled=fit.controlled,
        controlled_low=controlled[0],
        controlled_high=controlled[1],
        length_slope=fit.slope,
        length_slope_error=fit.slope_error,
        mean_length_difference=sum(lengths) / len(lengths) if lengths else 0.0,
        required=config.against[opponent],
        verdict=verdict,
        reason=reason,
    )


def _honest(found: Interval, rate: float, worth: Sequence[float], groups: Sequence[str], confidence: float) -> Interval:
    """Return an interval of a rate that few groups, or pairs that all went one way, do not make too narrow."""
    if not worth:
        return Interval(0.0, 1.0)
    low, high = widen_for_few(found, rate, len(set(groups)), confidence)
    if set(worth) <= {0.0} or set(worth) <= {1.0}:
        share = clustered_wilson(worth, groups, confidence)
        low, high = min(low, share.low), max(high, share.high)
    return Interval(max(0.0, low), min(1.0, high))


def _judge_rate(
    opponent: str, num_judged: int, rate: float, low: float, high: float, config: PairwiseConfig
) -> tuple[Verdict, str]:
    """Return pass, fail or undecided, and one plain sentence."""
    required = config.against[opponent]
    length = " at equal length" if config.rate == "length_controlled" else ""
    said = (
        f"The judges prefer the candidate to the {opponent.replace('_', ' ')} in {_percent(rate)} of {num_judged} pairs{length}"
        f" (interval {low * 100:.1f} to {high * 100:.1f}; more than {required * 100:.1f} is required)"
    )
    if num_judged < config.min_pairs:
        return "undecided", f"{said}; {config.min_pairs} pairs are the least to decide on."
    if low > required:
        return "pass", f"{said}."
    if high <= required:
        return "fail", f"{said}."
    return "undecided", f"{said}, too close to decide."


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"
