"""Signs of trouble in a logged curve: pure functions of numbers, each with one threshold.

find_signs(curve, likelihood=True)      (Sign(name="divergence", step=40, ...),)

A point is what training logs at a step: `step`, `loss`, and where there are such: `grad_norm`, `learning_rate`,
`held_out_loss`, `accuracy`, `reward`, `kl`, `answer_tokens`, `zero_variance`, `unfinished`.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.health.signs import SIGNS, Sign

Point = Mapping[str, float]
Values = NDArray[np.float64]

LIKELIHOOD = frozenset({"dapt", "sft", "dpo", "kto", "orpo", "reward", "distillation"})
"""Methods whose loss falls as the model learns."""
WINDOW = 20
"""Points before the one that is judged."""
MIN_POINTS = 10
SMOOTH = 5
"""Points of a mean at the beginning or the end."""


def find_signs(curve: Sequence[Point], *, is_likelihood: bool = True, steps_per_epoch: float = math.inf) -> tuple[Sign, ...]:
    """Return what a curve shows, each sign once, at the first step where it could be seen.

    Args:
        curve: logged points in the order of their steps.
        is_likelihood: whether the loss is one that falls as the model learns; that of policy gradients is not.
        steps_per_epoch: after so many steps every row has been seen.
    """
    found = [*_not_finite(curve)]
    finite = [point for point in curve if math.isfinite(point.get("loss", 0.0)) and math.isfinite(point.get("grad_norm", 0.0))]
    looks: list[Callable[[Sequence[Point]], Iterator[Sign]]] = [_dead_gradient, _learning_rate_zero, _gradient_jump]
    if is_likelihood:
        looks += [_divergence, _loss_spike, _no_progress, _overfit, _pairs_at_chance]
        found += _memorised(finite, steps_per_epoch)
    looks += [_kl_runaway, _reward_by_length, _answers_collapse, _groups_agree, _answers_unfinished]
    for look in looks:
        found += look(finite)
    names = {sign.name for sign in found}
    return tuple(sign for sign in found if not (sign.name in ("loss_spike", "no_progress") and "divergence" in names))


def find_divergence(curve: Sequence[Point]) -> Sign | None:
    """Return whether a loss that should fall rose and stays up, as far as a curve goes: what a run is stopped for."""
    finite = [point for point in curve if math.isfinite(point["loss"])]
    return next(_divergence(finite), None)


def _sign(name: str, step: float, detail: str) -> Iterator[Sign]:
    meaning = SIGNS[name]
    yield Sign(name=name, severity=meaning.severity, step=int(step), detail=detail, advice=meaning.advice)


def _series(curve: Sequence[Point], *names: str) -> tuple[Values, ...]:
    """Return steps and the values of some names, at the points that have them all."""
    points = [point for point in curve if all(name in point for name in names)]
    return tuple(np.array([point[name] for point in points], dtype=np.float64) for name in ("step", *names))


def _not_finite(curve: Sequence[Point]) -> Iterator[Sign]:
    for point in curve:
        for name in ("loss", "grad_norm"):
            if name in point and not math.isfinite(point[name]):
                yield from _sign("not_finite", point["step"], f"{name} is {point[name]}.")
                return


def _divergence(curve: Sequence[Point]) -> Iterator[Sign]:
    """Look for a running median that lies a third above its best, and further than noise between batches explains.

    The noise is estimated from differences of neighbours, which a slow rise does not touch; the standard error of a median of
    n values is 1.25 times that of their mean.
    """
    steps, losses = _series(curve, "loss")
    if len(losses) < 2 * MIN_POINTS or losses.min() <= 0:
        return
    logs = np.log(losses)
    noise = 1.4826 * float(np.median(np.abs(np.diff(logs)))) / math.sqrt(2)
    yield from list(_above_best(steps, logs, noise) or _above_start(steps, logs, noise))[:1]


def _above_best(steps: Values, logs: Values, noise: float) -> list[Sign]:
    running = np.median(np.lib.stride_tricks.sliding_window_view(logs, MIN_POINTS), axis=1)
    best = np.minimum.accumulate(running)
    limit = max(math.log(4 / 3), 6 * 1.25 * noise / math.sqrt(MIN_POINTS))
    risen = np.flatnonzero((running - best > limit) & (np.exp(running) > np.exp(best) + 0.1))
    if not len(risen):
        return []
    at = int(risen[0])
    detail = f"The median of {MIN_POINTS} points is {math.exp(running[at]):.3g}; it was {math.exp(best[at]):.3g} before."
    return list(_sign("divergence", steps[at + MIN_POINTS - 1], detail))


def _above_start(steps: Values, logs: Values, noise: float) -> list[Sign]:
    """Look for a loss above that of the untrained model: what a rate far too high does at once, before anything was learnt."""
    start = float(np.median(logs[:3]))
    running = np.median(np.lib.stride_tricks.sliding_window_view(logs, SMOOTH), axis=1)
    limit = max(math.log(4 / 3), 6 * noise * math.sqrt(1.57 / 3 + 1.57 / SMOOTH))
    risen = np.flatnonzero((running - start > limit) & (np.exp(running) > math.exp(start) + 0.1))
    if not len(risen):
        return []
    at = int(risen[0])
    detail = f"The median of {SMOOTH} points is {math.exp(running[at]):.3g}; training began at {math.exp(start):.3g}."
    return list(_sign("divergence", steps[at + SMOOTH - 1], detail))


def _outliers(values: Values, *, factor: float) -> Iterator[tuple[int, float, float]]:
    """Yield the places of values far above the window before them, with the median and the modified z-score."""
    for at in range(MIN_POINTS, len(values)):
        before = values[max(0, at - WINDOW) : at]
        median = float(np.median(before))
        spread = max(float(np.median(np.abs(before - median))), 0.02 * abs(median), 1e-12)
        score = 0.6745 * (values[at] - median) / spread
        if score > 6 and values[at] > factor * median:
            yield at, median, score


def _loss_spike(curve: Sequence[Point]) -> Iterator[Sign]:
    steps, losses = _series(curve, "loss")
    if len(losses) and losses.min() <= 0:
        return
    for at, median, score in _outliers(losses, factor=1.5):
        yield from _sign("loss_spike", steps[at], f"It was {losses[at]:.3g} where {median:.3g} was usual (score {score:.0f}).")
        return


def _gradient_jump(curve: Sequence[Point]) -> Iterator[Sign]:
    steps, norms = _series(curve, "grad_norm")
    for at, median, _ in _outliers(norms, factor=20):
        if median > 0:
            yield from _sign("gradient_jump", steps[at], f"Its norm was {norms[at]:.3g} where {median:.3g} was usual.")
            return


def _first_run(holds: NDArray[np.bool_], length: int) -> int | None:
    """Return the place at which something has held `length` times in a row for the first time."""
    count = 0
    for at, value in enumerate(holds):
        count = count + 1 if value else 0
        if count == length:
            return at
    return None


def _dead_gradient(curve: Sequence[Point]) -> Iterator[Sign]:
    steps, norms = _series(curve, "grad_norm")
    at = _first_run(norms == 0, 3)
    if at is not None:
        yield from _sign("dead_gradient", steps[at], "Its norm was exactly 0 three times in a row.")


def _learning_rate_zero(curve: Sequence[Point]) -> Iterator[Sign]:
    steps, rates = _series(curve, "learning_rate")
    at = _first_run(rates == 0, 3)
    if at is not None:
        yield from _sign("learning_rate_zero", steps[at], "It was 0 three times in a row.")


def _no_progress(curve: Sequence[Point]) -> Iterator[Sign]:
    steps, losses = _series(curve, "loss")
    if len(losses) < 2 * MIN_POINTS:
        return
    fifth = len(losses) // 5
    first, last = float(losses[:fifth].mean()), float(losses[-fifth:].mean())
    if last >= first:
        yield from _sign(
            "no_progress", steps[-1], f"Its mean was {first:.4g} in the first fifth and is {last:.4g} in the last."
        )


def _memorised(curve: Sequence[Point], steps_per_epoch: float) -> Iterator[Sign]:
    steps, losses = _series(curve, "loss")
    early = [point for point in curve if "accuracy" not in point and "reward" not in point and point["step"] <= steps_per_epoch]
    if math.isinf(steps_per_epoch) or len(early) < SMOOTH:
        return
    at = _first_run(losses[: len(early)] < 0.01, SMOOTH)
    if at is not None:
        yield from _sign(
            "memorised", steps[at], f"The loss is {losses[at]:.2g} after {steps[at] / steps_per_epoch:.0%} of an epoch."
        )


def _overfit(curve: Sequence[Point]) -> Iterator[Sign]:
    steps, losses = _series(curve, "held_out_loss")
    if len(losses) < 3:
        return
    risen = losses > 1.05 * np.minimum.accumulate(losses)
    at = _first_run(risen, 2)
    if at is not None:
        best = int(np.argmin(losses[: at + 1]))
        yield from _sign("overfit", steps[at], f"It is {losses[at]:.4g}; at step {steps[best]:.0f} it was {losses[best]:.4g}.")


def _pairs_at_chance(curve: Sequence[Point]) -> Iterator[Sign]:
    steps, right = _series(curve, "accuracy")
    if len(right) >= 2 * WINDOW and 0.4 <= (mean := float(right[-WINDOW:].mean())) <= 0.6:
        yield from _sign("pairs_at_chance", steps[-1], f"{mean:.0%} of the pairs are told right.")


def _kl_runaway(curve: Sequence[Point]) -> Iterator[Sign]:
    steps, distances = _series(curve, "kl")
    at = _first_run(distances > 10, 3)
    if at is not None:
        yield from _sign("kl_runaway", steps[at], f"The divergence from the reference is {distances[at]:.3g} nats.")


def _reward_by_length(curve: Sequence[Point]) -> Iterator[Sign]:
    steps, rewards, lengths = _series(curve, "reward", "answer_tokens")
    if len(rewards) < WINDOW or rewards.std() == 0 or lengths.std() == 0:
        return
    grown = float(lengths[-SMOOTH:].mean() / max(lengths[:SMOOTH].mean(), 1.0))
    together = float(np.corrcoef(rewards, lengths)[0, 1])
    if grown > 1.5 and together > 0.8 and rewards[-SMOOTH:].mean() > rewards[:SMOOTH].mean():
        yield from _sign("reward_by_length", steps[-1], f"Answers grew {grown:.1f} times; correlation {together:.2f}.")


def _answers_collapse(curve: Sequence[Point]) -> Iterator[Sign]:
    steps, rewards, lengths = _series(curve, "reward", "answer_tokens")
    if len(rewards) < MIN_POINTS:
        return
    left = float(lengths[-SMOOTH:].mean() / max(lengths[:SMOOTH].mean(), 1e-9))
    if left < 1 / 3 and rewards[-SMOOTH:].mean() > rewards[:SMOOTH].mean():
        yield from _sign("answers_collapse", steps[-1], f"They have {left:.0%} of the length at the start.")


def _groups_agree(curve: Sequence[Point]) -> Iterator[Sign]:
    yield from _mostly(curve, "zero_variance", "groups_agree", 0.8, "of the groups got one reward.")


def _answers_unfinished(curve: Sequence[Point]) -> Iterator[Sign]:
    yield from _mostly(curve, "unfinished", "answers_unfinished", 0.5, "of the answers were cut.")


def _mostly(curve: Sequence[Point], value: str, name: str, limit: float, said: str) -> Iterator[Sign]:
    steps, shares = _series(curve, value)
    if len(shares) >= MIN_POINTS and (mean := float(shares[-MIN_POINTS:].mean())) >= limit:
        yield from _sign(name, steps[-1], f"{mean:.0%} {said}")
