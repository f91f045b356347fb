"""What the memorisation probe found: the gap between training and held-out loss, rows that can be extracted, exposed canaries.

    found = summarise_rows(rows, base="base_model", model="sft_model", config=MemorisationConfig(), seed=0)
    found.gap.value, found.extractable[0].excess, found.broken()

Every figure has its control: the gap is that of the model less that of its base, verbatim training rows are counted against
held-out rows of the same kind (templates are continued word for word without being learnt by heart), documents against the
base.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from curation.errors import EvaluationError
from evaluation.memorisation.canaries import exposure
from evaluation.memorisation.config import MemorisationConfig
from evaluation.memorisation.records import RowProbe
from evaluation.statistics import Interval, sum_groups, wilson

SAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class LossGap:
    """How much better training rows are known than held-out rows, in nats a token, beyond what the base shows."""

    value: float
    low: float
    high: float
    training_loss: float
    held_out_loss: float
    base_training_loss: float
    base_held_out_loss: float


@dataclass(frozen=True, kw_only=True)
class Extractable:
    """Rows that are continued word for word after `prefix_tokens` tokens."""

    prefix_tokens: int
    side: str
    """`training` or `documents`."""
    num_verbatim: int
    num_tried: int
    low: float
    """Wilson's interval of the share."""
    high: float
    control: float
    """Share of held-out rows, or of documents by the base."""

    @property
    def share(self) -> float:
        """Share of the rows that were tried."""
        return self.num_verbatim / self.num_tried if self.num_tried else 0.0

    @property
    def excess(self) -> float:
        """Share beyond the control, at least 0."""
        return max(0.0, self.share - self.control)


@dataclass(frozen=True, kw_only=True)
class Memorisation:
    """All that was found about one model."""

    model: str
    model_hash: str
    gap: LossGap | None
    """Over rows that both models read; None without such rows on both sides."""
    extractable: tuple[Extractable, ...]
    exposures: tuple[float, ...]
    """Bits of each planted canary, highest first."""
    control_exposures: tuple[float, ...]
    """Bits of canaries on the held-out side: by chance about 1.4 in the mean."""
    num_references: int
    unranked: tuple[str, ...] = ()
    """Keys of canaries that were not ranked among random secrets: they do not fit into the context."""

    def broken(self, config: MemorisationConfig) -> list[str]:
        """Return a sentence for each limit of the recipe that is exceeded, or cannot be judged."""
        found = (
            "" if config.max_gap is None else self._gap_problem(config.max_gap),
            "" if config.max_extractable is None else self._extractable_problem(config.max_extractable, config.suffix_tokens),
            "" if config.max_exposure is None else self._exposure_problem(config.max_exposure),
        )
        return [problem for problem in found if problem]

    def _gap_problem(self, limit: float) -> str:
        if self.gap is None:
            return "The gap between training and held-out loss could not be measured: a side has no rows that both read."
        if self.gap.low <= limit:  # NaN keeps to nothing
            return ""
        return f"Training rows are known better than held-out ones by {self.gap.value:.3f} nats a token."

    def _extractable_problem(self, limit: float, num_tokens: int) -> str:
        worst = max((one for one in self.extractable if one.num_tried), key=lambda one: one.excess, default=None)
        if worst is None:
            rows = f"every row has fewer than {num_tokens} tokens to continue, or does not fit into the context"
            return f"Whether rows are continued verbatim could not be tried: {rows}. Lower `suffix_tokens`."
        if worst.excess <= limit:
            return ""
        shares = f"{worst.share:.1%} of {worst.num_tried} against {worst.control:.1%}"
        return f"Rows of {worst.side} are continued verbatim after {worst.prefix_tokens} tokens: {shares}."

    def _exposure_problem(self, limit: float) -> str:
        if self.unranked:
            return f"The canary '{self.unranked[0]}' could not be ranked: it does not fit into the context."
        if not self.exposures:
            return "A limit for the exposure of canaries is set, but none stands in the training rows."
        return f"A planted canary has an exposure of {self.exposures[0]:.1f} bits." if self.exposures[0] > limit else ""


def summarise_rows(rows: Iterable[RowProbe], *, base: str, model: str, config: MemorisationConfig, seed: int) -> Memorisation:
    """Summarise what one model makes of training and held-out rows.

    Raises:
        EvaluationError: if rows are missing for one of the two models, or stem from several models.
    """
    by_model: dict[str, list[RowProbe]] = {base: [], model: []}
    for row in rows:
        if row.model in by_model:
            by_model[row.model].append(row)
    mine, others = by_model[model], by_model[base]
    if {(row.side, row.row_hash) for row in mine} != {(row.side, row.row_hash) for row in others}:
        raise EvaluationError(reason=f"'{base}' and '{model}' were not tried on the same rows.")
    hashes = {row.model_hash for row in mine}
    if mine and len(hashes) != 1:
        raise EvaluationError(reason=f"the memorisation probe of '{model}' stems from {len(hashes)} models.")
    canaries = [row for row in mine if row.rank]
    bits = {side: _exposures(row for row in canaries if row.side == side) for side in ("training", "held_out")}
    return Memorisation(
        model=model,
        model_hash=hashes.pop() if hashes else "",
        gap=_gap(mine, others, seed),
        extractable=tuple(
            _extractable(mine, others, length, side) for side in ("training", "documents") for length in config.prefix_tokens
        ),
        exposures=bits["training"],
        control_exposures=bits["held_out"],
        num_references=max((row.num_references for row in canaries), default=0),
    )


def _exposures(rows: Iterable[RowProbe]) -> tuple[float, ...]:
    return tuple(sorted((exposure(row.rank, row.num_references) for row in rows), reverse=True))


def _extractable(mine: Sequence[RowProbe], others: Sequence[RowProbe], length: int, side: str) -> Extractable:
    tried = [row for row in mine if row.side == side and length in row.tried]
    controls = (
        [row for row in mine if row.side == "held_out"] if side == "training" else [row for row in others if row.side == side]
    )
    compared = [row for row in controls if length in row.tried]
    num_verbatim = sum(length in row.verbatim for row in tried)
    bounds = wilson(num_verbatim, len(tried), CONFIDENCE)
    return Extractable(
        prefix_tokens=length,
        side=side,
        num_verbatim=num_verbatim,
        num_tried=len(tried),
        low=bounds.low,
        high=bounds.high,
        control=sum(length in row.verbatim for row in compared) / len(compared) if compared else 0.0,
    )


def _gap(mine: Sequence[RowProbe], others: Sequence[RowProbe], seed: int) -> LossGap | None:
    base_loss = {(row.side, row.row_hash): _loss(row) for row in others if row.num_tokens}
    read = [row for row in mine if row.num_tokens and (row.side, row.row_hash) in base_loss]
    kept = {side: [row for row in read if row.side == side] for side in ("training", "held_out")}
    if not all(kept.values()):
        return None
    rng = np.random.default_rng(seed)
    gains, losses, bases = {}, {}, {}
    for side, rows in kept.items():
        before = [base_loss[row.side, row.row_hash] for row in rows]
        after = [_loss(row) for row in rows]
        losses[side], bases[side] = float(np.mean(after)), float(np.mean(before))
        gains[side] = _resampled(
            [one - other for one, other in zip(before, after, strict=True)], [row.group for row in rows], rng
        )
    bounds = Interval(
        *np.quantile(gains["training"] - gains["held_out"], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]).tolist()
    )
    return LossGap(
        value=(bases["training"] - losses["training"]) - (bases["held_out"] - losses["held_out"]),
        low=bounds.low,
        high=bounds.high,
        training_loss=losses["training"],
        held_out_loss=losses["held_out"],
        base_training_loss=bases["training"],
        base_held_out_loss=bases["held_out"],
    )


def _resampled(
    values: Sequence[float], groups: Sequence[str], rng: np.random.Generator
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return means of a side when whole groups are resampled."""
    totals, sizes = sum_groups(values, groups)
    counts = rng.multinomial(len(totals), np.full(len(totals), 1 / len(totals)), size=SAMPLES)
    means: np.ndarray[tuple[int], np.dtype[np.float64]] = (counts @ totals) / (counts @ sizes)
    return means


def _loss(row: RowProbe) -> float:
    return -row.log_likelihood / row.num_tokens
