"""Who judges the answers of the candidate against those of others, and when that may decide a release.

evaluation:
  judge:
    judges:
      - teacher: {kind: openai, model: gpt-6-sol, revision: "2026-08-01"}
        rubric: "Is the answer right, and does it say what was asked for?"
    against: {base: 0.5, champion: 0.45}
    gates: true
"""

from dataclasses import field
from typing import Literal

from curation.config import check, config
from curation.judging.config import MIN_ROUNDS, JudgeConfig

RateName = Literal["length_controlled", "plain"]
CHAMPION = "champion"
"""The one opponent that may be absent: there is none before the first release."""
MAX_FLIP_SHARE, KAPPA_FLOOR, MIN_LABELS = 0.15, 0.4, 50
"""A judge that gates may be held to stricter limits, and not to looser ones."""


@config
class PairwiseConfig:
    """Candidate against opponents on identical items, judged in both orders without names."""

    judges: tuple[JudgeConfig, ...]
    """One judge or several, each with its rubric, its votes, and how far it is trusted (`kappa_floor`, `min_labels`,
    `max_flip_share`). Of several, those that are to be believed vote, and the majority counts."""

    against: dict[str, float] = field(default_factory=lambda: {"base": 0.5})
    """Opponents, each with the win rate that the candidate's interval has to lie above. `champion` is left out while there is
    none."""

    tasks: tuple[str, ...] = ()
    """Tasks whose answers are judged: the open-ended ones. Empty: all in which something is written."""

    max_pairs: int = 400
    """Most pairs that are judged against each opponent; a stable subset when there are more."""

    shows_reference: bool = False
    """Whether the judge sees the item's reference answer, as a source."""

    rate: RateName = "length_controlled"
    """The win rate that decides: at equal length, or as it is."""

    gates: bool = False
    """Whether a release needs the judge's win rate. False: it is shown, and decides nothing."""

    min_pairs: int = 50
    """Judged pairs against each opponent that are needed to decide."""

    max_unjudged_share: float = 0.1
    """Share of the pairs that may be left without a judgement: not answered, or not shown since they speak to the judge."""

    max_labels: int = 200
    """Most reviewed pairs on which each judge is compared with people; a stable subset when there are more."""

    def __post_init__(self) -> None:
        check(bool(self.judges), "evaluation.judge.judges", "needs at least one judge", [])
        named = [judge_name(judge) for judge in self.judges]
        check(len(set(named)) == len(named), "evaluation.judge.judges", "names a judge twice", named)
        check(bool(self.against), "evaluation.judge.against", "needs at least one opponent", {})
        for opponent, rate in self.against.items():
            path = f"evaluation.judge.against.{opponent}"
            check(opponent != "candidate", path, "is the candidate itself", opponent)
            check(0 < rate < 1, path, "must lie in (0, 1)", rate)
        check(len(set(self.tasks)) == len(self.tasks), "evaluation.judge.tasks", "names a task twice", self.tasks)
        check(1 <= self.max_pairs <= 1_000_000, "evaluation.judge.max_pairs", "must lie in 1..1000000", self.max_pairs)
        problem = "must lie in 2..max_pairs"
        check(2 <= self.min_pairs <= self.max_pairs, "evaluation.judge.min_pairs", problem, self.min_pairs)
        share = self.max_unjudged_share
        check(0 <= share < 1, "evaluation.judge.max_unjudged_share", "must lie in [0, 1)", share)
        most = max((judge.min_labels for judge in self.judges), default=0)
        problem = f"must be at least the judges' min_labels ({most}), and at most 100000"
        check(most <= self.max_labels <= 100_000, "evaluation.judge.max_labels", problem, self.max_labels)
        if self.gates:
            self._check_pinned()
            self._check_trusted()
            problem = f"must be at least {MIN_ROUNDS} to gate: with fewer, flips say nothing of a judge"
            check(self.min_pairs >= MIN_ROUNDS, "evaluation.judge.min_pairs", problem, self.min_pairs)
            problem = "needs an opponent besides the champion where judges gate: before the first release there is none"
            check(set(self.against) != {CHAMPION}, "evaluation.judge.against", problem, sorted(self.against))

    def _check_trusted(self) -> None:
        for position, judge in enumerate(self.judges):
            path = f"evaluation.judge.judges.{position}"
            flips, kappa = judge.max_flip_share, judge.kappa_floor
            check(flips <= MAX_FLIP_SHARE, f"{path}.max_flip_share", f"must be at most {MAX_FLIP_SHARE} to gate", flips)
            check(kappa >= KAPPA_FLOOR, f"{path}.kappa_floor", f"must be at least {KAPPA_FLOOR} to gate", kappa)
            problem = f"must be at least {MIN_LABELS} to gate: a kappa of fewer reviewed pairs says little"
            check(judge.min_labels >= MIN_LABELS, f"{path}.min_labels", problem, judge.min_labels)

    def _check_pinned(self) -> None:
        for position, judge in enumerate(self.judges):
            path = f"evaluation.judge.judges.{position}.teacher.revision"
            problem = "is needed for a judge that gates: a model that changes under its name makes the verdict another one"
            check(bool(judge.teacher.revision.strip()), path, problem, judge.teacher.revision)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know before trusting these judges."""
        return tuple(warning for judge in self.judges for warning in judge.warnings)


def judge_name(judge: JudgeConfig) -> str:
    """Return the name of a judge in reports: its label, and its revision where it has one."""
    revision = judge.teacher.revision.strip()
    return f"{judge.teacher.label}@{revision}" if revision else judge.teacher.label
