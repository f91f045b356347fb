"""How much of a judge's preference is length, and win rates and margins without that part.

    fit = fit_length_control(differences=[120, -40, ...], preferences=[1.0, 0.0, 0.5, ...])
    fit.slope, fit.correlation          1.8, 0.41: longer answers win
    fit.win_rate, fit.controlled        0.62, 0.51: hardly better at equal length
    correct_margin(0.3, 120, fit)       the margin less what 120 characters more explain

As in length-controlled AlpacaEval (Dubois, Galambosi, Liang and Hashimoto, 2024): the preference for A is a logistic model of
an intercept and of tanh(length difference / its standard deviation); with the length term at zero the intercept alone is the
win rate at equal length. Their term for the difficulty of each instruction is left out, since it needs a table that exists for
their own prompts only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curation.judging.judgements import PairJudgement

PRIOR_SD = 2.0
"""Standard deviation of the normal prior on both coefficients, so that they stay finite where length decides everything."""
MAX_STEPS = 100

_Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class LengthFit:
    """A logistic model of preference on length."""

    num: int
    scale: float
    """Root mean square of the length differences, in characters; they are divided by it before tanh."""
    intercept: float
    slope: float
    """Log odds for A that a length difference adds at most. 0: length does not matter."""
    slope_error: float
    """Standard error of the slope."""
    win_rate: float
    """Mean preference for A."""
    controlled: float
    """Mean preference for A at equal length."""
    correlation: float
    """Uncentred correlation of preference and scaled length difference, -1 to 1; the same whichever answer is called A."""


def fit_length_control(differences: Sequence[float], preferences: Sequence[float], *, has_intercept: bool = True) -> LengthFit:
    """Fit the model.

    Args:
        differences: length of A less length of B, in characters.
        preferences: 1 where A is preferred, 0 where B is, 0.5 for a tie.
        has_intercept: whether A and B are two systems, one of which may be better. False where it is by chance which answer is
            called A: then only length can make a difference.
    """
    delta, preferred = np.asarray(differences, dtype=np.float64), np.asarray(preferences, dtype=np.float64)
    assert delta.shape == preferred.shape
    if not len(delta):
        return LengthFit(
            num=0, scale=1.0, intercept=0.0, slope=0.0, slope_error=0.0, win_rate=0.5, controlled=0.5, correlation=0.0
        )
    scale = float(np.sqrt(np.mean(delta**2))) or 1.0
    length = np.tanh(delta / scale)
    design = np.column_stack([np.full_like(length, float(has_intercept)), length])
    weights, covariance = _fit_logistic(design, preferred)
    return LengthFit(
        num=len(delta),
        scale=scale,
        intercept=float(weights[0]),
        slope=float(weights[1]),
        slope_error=float(np.sqrt(covariance[1, 1])),
        win_rate=float(preferred.mean()),
        controlled=float(_logistic(weights[:1])[0]),
        correlation=_correlation(length, 2 * preferred - 1),
    )


def fit_judgements(judgements: Sequence[PairJudgement], *, has_intercept: bool = True) -> LengthFit:
    """Fit the model to the judgements that have a winner."""
    worth = {"a": 1.0, "b": 0.0, "tie": 0.5}
    judged = [item for item in judgements if item.winner is not None]
    preferences = [worth[item.winner] for item in judged if item.winner is not None]
    return fit_length_control([item.length_difference for item in judged], preferences, has_intercept=has_intercept)


def correct_margin(margin: float, difference: float, fit: LengthFit) -> float:
    """Return a margin (-1 to 1, for A) less the one that length alone predicts."""
    explained = np.tanh(fit.slope * np.tanh(difference / fit.scale) / 2)
    return float(margin - explained)


def length_correlation(differences: Sequence[float]) -> float:
    """Return how far length tells the chosen answer, -1 to 1; `differences` are chosen less rejected, in characters."""
    return fit_length_control(differences, [1.0] * len(differences), has_intercept=False).correlation


def _fit_logistic(design: _Array, preferred: _Array) -> tuple[_Array, _Array]:
    """Return the coefficients with the highest posterior, and their covariance, by Newton's method with halved steps."""
    prior = np.eye(design.shape[1]) / PRIOR_SD**2
    weights = np.zeros(design.shape[1])
    for _ in range(MAX_STEPS):
        chance = _logistic(design @ weights)
        gradient = design.T @ (preferred - chance) - prior @ weights
        hessian = (design * (chance * (1 - chance))[:, None]).T @ design + prior
        step, loss = np.linalg.solve(hessian, gradient), _loss(design, preferred, prior, weights)
        while _loss(design, preferred, prior, weights + step) > loss + 1e-12 and np.abs(step).max() > 1e-12:
            step = step / 2
        weights = weights + step
        if np.abs(step).max() < 1e-9:
            break
    return np.asarray(weights), np.asarray(np.linalg.inv(hessian))


def _loss(design: _Array, preferred: _Array, prior: _Array, weights: _Array) -> float:
    logits = design @ weights
    return float(np.sum(np.logaddexp(0, logits) - preferred * logits) + weights @ prior @ weights / 2)


def _logistic(logits: _Array) -> _Array:
    return np.asarray((1 + np.tanh(logits / 2)) / 2)


def _correlation(length: _Array, sign: _Array) -> float:
    norm = float(np.sqrt((length**2).sum() * (sign**2).sum()))
    return float((length * sign).sum() / norm) if norm else 0.0
