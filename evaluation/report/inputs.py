"""What the report is made from: plain values that the evaluation_report asset collects.

ReportInputs(recipe="sdk_assistant", comparison=comparison, answers=answers, scores=scores,
             stage_rows=(StageRows(stage="curated_examples", kept=5210, rejected={"near_duplicate": 312}),), ...)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluation.forgetting.verdict import ForgettingResult
from evaluation.gate.clean_subset import CleanSubset
from evaluation.gate.comparison import Comparison
from evaluation.memorisation.summary import Memorisation
from evaluation.records import AnswerConfidence, AnswerTiming, EvalAnswer, EvalItem, Score
from evaluation.report.nearest import Nearest


@dataclass(frozen=True, kw_only=True)
class LossCurve:
    """The losses of one training stage, in order of steps."""

    stage: str
    """`dapt_model`, `sft_model`, `preference_model`."""
    train: tuple[tuple[int, float], ...]
    """(step, loss)"""
    evaluation: tuple[tuple[int, float], ...] = ()
    """(step, loss on held-out rows), empty if it was not measured."""


@dataclass(frozen=True, kw_only=True)
class StageRows:
    """How many rows a stage kept, and how many it dropped for which reason."""

    stage: str
    kept: int
    rejected: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ReportInputs:
    """Everything that the report shows. What is empty is left out of it."""

    recipe: str
    comparison: Comparison
    answers: tuple[EvalAnswer, ...]
    scores: tuple[Score, ...]
    timings: tuple[AnswerTiming, ...] = ()
    """How long each answer took, where a model was asked."""
    confidences: tuple[AnswerConfidence, ...] = ()
    """How sure local models were of the answers that they wrote; empty where nobody said."""
    items: tuple[EvalItem, ...] = ()
    """What was asked; they know slices and choices."""
    nearest: Mapping[str, tuple[Nearest, ...]] = field(default_factory=dict)
    """For items that the candidate got wrong: the training rows and documents nearest to the question."""
    forgetting: ForgettingResult | None = None
    """What the candidate has lost of what its base could do; None if nobody measured."""
    forgetting_blocks: bool = False
    """Whether the recipe lets that stop a release."""
    obstacles: tuple[str, ...] = ()
    """What stands against a release besides, one sentence each: a limit of latency or cost, what is known by heart."""
    memorisation: Memorisation | None = None
    """What the candidate knows by heart; None if nobody measured."""
    clean_subsets: tuple[CleanSubset, ...] = ()
    """Scores on the items of each task that no training row gives away; empty if nobody looked."""
    paraphrases_checked: bool = False
    """Whether embeddings were compared as well as runs of words."""
    judges: Mapping[str, Any] = field(default_factory=dict)
    """`JudgeSummary.as_json()`; empty where no judge was asked."""
    description: str = ""
    owner: str = ""
    created_at: str = ""
    """ISO 8601, UTC."""
    loss_curves: tuple[LossCurve, ...] = ()
    stage_rows: tuple[StageRows, ...] = ()
    """In the order of the graph."""
    evidence: Mapping[str, str] = field(default_factory=dict)
    """Roots and hashes of what the figures were computed from: `items`, `answers`, `scores`, `comparison`."""
    data_roots: Mapping[str, str] = field(default_factory=dict)
    """Table roots by asset, for example `{"sft_dataset": "9f..."}`."""
    model_hashes: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    """The recipe as plain values."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Package versions, code version, Python."""
    seeds: Mapping[str, int] = field(default_factory=dict)
    teacher: str = ""
    teacher_calls: int = 0
    teacher_cost_usd: float = 0.0
    review: Mapping[str, int] = field(default_factory=dict)
    """Verdicts counted, for example `{"approve (automatic)": 300, "reject (human)": 2}`."""
    answer_statistics: Mapping[str, float] = field(default_factory=dict)
    """From result.json of the answering child: `num_generated`, `num_reused`, `tokens_per_s`."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Title -> http(s) address (Dagster UI, review app). Others are shown as text."""
