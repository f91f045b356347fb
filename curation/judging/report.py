"""How a judge behaved over a batch of comparisons: flips, ties, the pull of place and length.

report = report_pairs(judgements, config)
report.flip_share, report.first_share        0.04, 0.52
report.problems                              () or why its comparisons are not to be believed
"""

from collections.abc import Sequence
from dataclasses import dataclass

from curation.judging.config import MIN_ROUNDS, JudgeConfig
from curation.judging.judgements import PairJudgement, ScoreJudgement
from curation.judging.length_control import LengthFit, fit_judgements


@dataclass(frozen=True, kw_only=True)
class PairReport:
    """A batch of comparisons in figures."""

    num_judged: int
    num_flagged: int
    num_failed: int
    num_rounds: int
    flip_share: float
    """Share of rounds in which the order changed what the judge said."""
    first_share: float
    """Share of replies for one place that named the first; 0.5 is fair."""
    tie_share: float
    """Share of judged pairs without a winner."""
    length: LengthFit
    problems: tuple[str, ...]

    def figures(self) -> dict[str, float]:
        """Return the numbers that are worth plotting."""
        return {
            "judge_flip_share": self.flip_share,
            "judge_first_share": self.first_share,
            "judge_tie_share": self.tie_share,
            "judge_length_slope": self.length.slope,
            "judge_length_correlation": self.length.correlation,
        }


def report_pairs(judgements: Sequence[PairJudgement], config: JudgeConfig, *, has_intercept: bool = False) -> PairReport:
    """Return the figures of a batch, and what is wrong with the judge.

    Args:
        judgements: what the judge said.
        config: how much of a bias is allowed.
        has_intercept: as in `fit_length_control`.
    """
    judged = [item for item in judgements if item.status == "judged" and item.votes]
    rounds, flips = sum(item.num_rounds for item in judged), sum(item.num_flips for item in judged)
    placed = [vote.position for item in judged for vote in item.votes if vote.position != "tie"]
    flip_share = flips / rounds if rounds else 0.0
    problems = []
    if rounds >= MIN_ROUNDS and flip_share > config.max_flip_share:
        problems.append(
            f"{flip_share:.0%} of {rounds} comparisons change with the order of the answers; {config.max_flip_share:.0%} may."
        )
    return PairReport(
        num_judged=len(judged),
        num_flagged=sum(item.status == "flagged" for item in judgements),
        num_failed=sum(item.status == "failed" for item in judgements),
        num_rounds=rounds,
        flip_share=flip_share,
        first_share=placed.count("first") / len(placed) if placed else 0.5,
        tie_share=sum(item.winner == "tie" for item in judged) / len(judged) if judged else 0.0,
        length=fit_judgements(judged, has_intercept=has_intercept),
        problems=tuple(problems),
    )


def mean_spread(judgements: Sequence[ScoreJudgement]) -> float:
    """Return how far the votes on one answer lie apart on average, as a share of the scale."""
    spreads = [item.spread for item in judgements if item.status == "judged"]
    return sum(spreads) / len(spreads) if spreads else 0.0
