"""How much of a judge's preference is length, and win rates and margins without that part.

    fit = fit_length_control(differences=[120, -40, ...], preferences=[1.0, 0.0, 0.5, ...])
    fit.slope, fit.correlation          1.8, 0.41: longer answers win
    fit.win_rate, fit.controlled        0.62, 0.51: hardly better at equal length
    correct_margin(0.3, 120, fit)       the margin less what 120 characters more explain

As in length-controlled AlpacaEval (Dubois, Galambosi, Liang and Hashimoto, 2024): the preference for A is a logistic model of
an intercept and of tanh(length difference / its standard deviation); with the length term at zero the intercept alone is the
win rate at equal length. Their term for the difficulty of each instruction is left out, since it needs a table that exists for
their own prompts only. The win rate at equal length has one term more, the sign of the
difference: a judge that takes the longer answer by however little is a step, which tanh cannot follow, and the rest of it would
end up in the intercept (up to 16 points in 800 simulated pairs; with the sign, 1 point, and for judges without such a step
neither bias nor spread grows).
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from curation.judging.judgements import PairJudgement

PRIOR_SD = 2.0
"""Standard deviation of the normal prior on both coefficients, so that they stay finite where length decides everything."""
SIGN_PRIOR_SD = 30.0
"""That of the sign's coefficient: wide, so that what length explains is explained by length before it is by the intercept."""
NUM_RESAMPLES = 1_000
CHUNK_CELLS = 1_000_000
MAX_STEPS = 100

_Array = npt.NDArray[np.float64]
_SDS = np.array([PRIOR_SD, PRIOR_SD, SIGN_PRIOR_SD])


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
    weights, covariance = _fit_logistic(design, preferred, _SDS[:2])
    return LengthFit(
        num=len(delta),
        scale=scale,
        intercept=float(weights[0]),
        slope=float(weights[1]),
        slope_error=float(np.sqrt(covariance[1, 1])),
        win_rate=float(preferred.mean()),
        controlled=float(_logistic(_fit_logistic(_design(delta), preferred, _SDS)[0][:1])[0]) if has_intercept else 0.5,
        correlation=_correlation(length, 2 * preferred - 1),
    )


def fit_judgements(judgements: Sequence[PairJudgement], *, has_intercept: bool = True) -> LengthFit:
    """Fit the model to the judgements that have a winner."""
    worth = {"a": 1.0, "b": 0.0, "tie": 0.5}
    judged = [item for item in judgements if item.winner is not None]
    preferences = [worth[item.winner] for item in judged if item.winner is not None]
    return fit_length_control([item.length_difference for item in judged], preferences, has_intercept=has_intercept)


def controlled_interval(
    differences: Sequence[float],
    preferences: Sequence[float],
    groups: Sequence[Hashable],
    *,
    confidence: float = 0.95,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the interval of `LengthFit.controlled`: whole groups are drawn, and each draw is fitted anew.

    It is never narrower than the model's own interval (Laplace): where length decides everything, no draw says anything about
    pairs of equal length, all fits agree, and only the model knows that it does not know.

    Args:
        differences: as in `fit_length_control`.
        preferences: as in `fit_length_control`.
        groups: what each pair belongs to (a document, a customer).
        confidence: share of the resamples in the interval.
        num_resamples: how often is drawn.
        seed: seed of the draw.
    """
    delta, preferred = np.asarray(differences, dtype=np.float64), np.asarray(preferences, dtype=np.float64)
    if not len(delta):
        return 0.0, 1.0
    places: dict[Hashable, int] = {}
    codes = np.array([places.setdefault(group, len(places)) for group in groups])
    generator, num_groups = np.random.default_rng(seed), len(places)
    start, covariance = _fit_logistic(_design(delta), preferred, _SDS)
    step = max(1, CHUNK_CELLS // len(delta))
    found = []
    for begin in range(0, num_resamples, step):
        size = min(step, num_resamples - begin)
        drawn = generator.multinomial(num_groups, np.full(num_groups, 1 / num_groups), size=size)[:, codes]
        found.append(_logistic(_fit_all(_design(delta), preferred, drawn.astype(np.float64), start)[:, 0]))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(found), [tail, 1 - tail])
    reach = NormalDist().inv_cdf(1 - tail) * np.sqrt(covariance[0, 0])
    model_low, model_high = _logistic(start[0] + np.array([-reach, reach]))
    return float(min(low, model_low)), float(max(high, model_high))


def correct_margin(margin: float, difference: float, fit: LengthFit) -> float:
    """Return a margin (-1 to 1, for A) less the one that length alone predicts."""
    explained = np.tanh(fit.slope * np.tanh(difference / fit.scale) / 2)
    return float(margin - explained)


def length_correlation(differences: Sequence[float]) -> float:
    """Return how far length tells the chosen answer, -1 to 1; `differences` are chosen less rejected, in characters."""
    return fit_length_control(differences, [1.0] * len(differences), has_intercept=False).correlation


def _design(delta: _Array) -> _Array:
    """Return the terms of the win rate at equal length: 1, the scaled difference, and its sign."""
    scale = float(np.sqrt(np.mean(delta**2))) or 1.0
    return np.column_stack([np.ones_like(delta), np.tanh(delta / scale), np.sign(delta)])


def _fit_all(design: _Array, preferred: _Array, repeats: _Array, start: _Array) -> _Array:
    """Fit every row of `repeats` (resamples, pairs) by itself, all at once; return coefficients, shape (resamples, terms)."""
    prior, size = np.diag(1 / _SDS**2), design.shape[1]
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), size * size)

    def losses(weights: _Array) -> _Array:
        logits = weights @ design.T
        prior_part = np.einsum("bi,ij,bj->b", weights, prior, weights) / 2
        return np.asarray((repeats * (np.logaddexp(0, logits) - preferred * logits)).sum(axis=1) + prior_part)

    weights = np.repeat(start[None], len(repeats), axis=0)
    loss = losses(weights)
    for _ in range(MAX_STEPS):
        chance = _logistic(weights @ design.T)
        gradient = (repeats * (preferred - chance)) @ design - weights @ prior
        hessian = ((repeats * chance * (1 - chance)) @ products).reshape(-1, size, size) + prior
        step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        for _ in range(MAX_STEPS):
            is_worse = losses(weights + step) > loss + 1e-9
            if not is_worse.any():
                break
            step[is_worse] /= 2
        weights = weights + step
        loss = losses(weights)
        if np.abs(step).max() < 1e-6:
            break
    return np.asarray(weights)


def _fit_logistic(design: _Array, preferred: _Array, sds: _Array) -> tuple[_Array, _Array]:
    """Return the coefficients with the highest posterior, and their covariance, by Newton's method with halved steps."""
    prior = np.diag(1 / sds**2)
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
