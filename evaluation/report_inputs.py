"""What the report is made from: plain values that the evaluation_report asset collects.

ReportInputs(recipe="sdk_assistant", comparison=comparison, answers=answers, scores=scores,
             stage_rows=(StageRows(stage="curated_examples", kept=5210, rejected={"near_duplicate": 312}),), ...)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluation.clean_subset import CleanSubset
from evaluation.comparison import Comparison
from evaluation.records import EvalAnswer, Score


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
    clean_subset: CleanSubset | None = None
    """Scores on the items that no training row gives away; None if nobody looked."""
    paraphrases_checked: bool = False
    """Whether embeddings were compared as well as runs of words."""
    description: str = ""
    owner: str = ""
    created_at: str = ""
    """ISO 8601, UTC."""
    loss_curves: tuple[LossCurve, ...] = ()
    stage_rows: tuple[StageRows, ...] = ()
    """In the order of the graph."""
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
