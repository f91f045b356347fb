"""Faults are seen within fifty steps; curves of trainings that went well show nothing."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.health.detect import find_divergence, find_signs
from training.health.signs import SIGNS

STEPS = 120
INJECTED = 60
"""The step at which a fault begins."""
Curve = list[dict[str, float]]


def likelihood(seed: int, *, start: float = 4.0, end: float = 1.5, pace: float = 30.0, noise: float = 0.1) -> Curve:
    """Return a training that goes well: warm-up, decay, noise of batches, now and then a harder batch."""
    rng = np.random.default_rng(seed)
    curve = []
    for step in range(1, STEPS + 1):
        mean = end + (start - end) * math.exp(-step / pace)
        rate = 1e-4 * min(1.0, step / 6) * (0.501 + 0.5 * math.cos(math.pi * step / STEPS))
        loss, norm = float(mean * rng.lognormal(0, noise)), float(1.5 * rng.lognormal(0, 0.5))
        curve.append({"step": float(step), "loss": loss, "grad_norm": norm, "learning_rate": rate})
    return curve


def preferences(seed: int) -> Curve:
    rng = np.random.default_rng(seed)
    rise = [1 / (1 + math.exp(-(step - 30) / 12)) for step in range(1, STEPS + 1)]
    return [
        {
            "step": float(step), "loss": float((0.693 - 0.4 * share) * rng.lognormal(0, 0.12)),
            "grad_norm": float(rng.lognormal(0, 0.5)), "margin": 2 * share, "learning_rate": 1e-5,
            "accuracy": float(np.clip(0.5 + 0.4 * share + rng.normal(0, 0.12), 0, 1)),
        }
        for step, share in enumerate(rise, start=1)
    ]  # fmt: skip


def rewards(seed: int) -> Curve:
    rng = np.random.default_rng(seed)
    rise = [1 - math.exp(-step / 40) for step in range(1, STEPS + 1)]
    return [
        {
            "step": float(step), "loss": float(rng.normal(0, 0.05)), "grad_norm": float(rng.lognormal(0, 0.5)),
            "learning_rate": 1e-6, "reward": float(share + rng.normal(0, 0.1)), "kl": float(2 * share * rng.lognormal(0, 0.3)),
            "answer_tokens": float(80 * rng.lognormal(0, 0.1)), "zero_variance": float(np.clip(rng.normal(0.3, 0.1), 0, 1)),
            "unfinished": float(np.clip(rng.normal(0.05, 0.05), 0, 1)),
        }
        for step, share in enumerate(rise, start=1)
    ]  # fmt: skip


def names(curve: Curve, **context: Any) -> set[str]:
    return {sign.name for sign in find_signs(curve, is_likelihood="reward" not in curve[0], **context)}


CLEAN: list[Callable[[int], Curve]] = [
    likelihood,
    lambda seed: likelihood(seed, start=9.0, end=3.0, pace=15.0),
    lambda seed: likelihood(seed, start=2.2, end=1.9, pace=60.0, noise=0.03),
    lambda seed: likelihood(seed, start=1.2, end=0.2, pace=40.0, noise=0.2),
    lambda seed: likelihood(seed, start=0.9, end=0.05, pace=20.0, noise=0.25),
    lambda seed: [{**point, "held_out_loss": 2 + 2 * math.exp(-point["step"] / 30)} for point in likelihood(seed)],
    lambda seed: [{**point, "held_out_loss": 2 + 1e-4 * point["step"]} for point in likelihood(seed)],
    preferences,
    lambda seed: [{**point, "accuracy": min(1.0, point["accuracy"] + 0.1)} for point in preferences(seed)],
    rewards,
]


@pytest.mark.parametrize("number", range(len(CLEAN)))
def test_trainings_that_went_well_show_nothing(number: int) -> None:
    for seed in range(6):
        assert names(CLEAN[number](seed), steps_per_epoch=40.0) == set(), seed


@pytest.mark.parametrize("number", range(len(CLEAN)))
def test_no_training_that_goes_well_is_stopped_on_the_way(number: int) -> None:
    for seed in range(6):
        curve = CLEAN[number](seed)
        if "reward" not in curve[0]:
            stopped = [end for end in range(1, STEPS + 1) if find_divergence(curve[:end])]
            assert not stopped, seed


def test_a_divergence_is_seen_while_the_training_runs() -> None:
    curve = change(likelihood(1), loss=lambda point, since: point["loss"] * (1 + 0.2 * since))
    seen = next(end for end in range(1, STEPS + 1) if find_divergence(curve[:end]))
    assert INJECTED < seen <= INJECTED + 20


def test_a_spike_that_comes_back_stops_nothing() -> None:
    curve = change(likelihood(1), loss=lambda point, since: point["loss"] * (6.0 if since == 0 else 1.0))
    assert not [end for end in range(1, STEPS + 1) if find_divergence(curve[:end])]


def change(curve: Curve, **values: Callable[[dict[str, float], int], float]) -> Curve:
    """Change points from the injection on; functions get the point and the steps since."""
    return [
        {**point, **{name: value(point, round(point["step"]) - INJECTED) for name, value in values.items()}}
        if point["step"] >= INJECTED
        else point
        for point in curve
    ]


FAULTS: dict[str, tuple[str, Callable[[int], Curve]]] = {
    "a learning rate thirty times too high": (
        "divergence", lambda seed: change(likelihood(seed), loss=lambda point, since: point["loss"] + 0.1 * since)),
    "a batch that gives NaN": (
        "not_finite", lambda seed: change(likelihood(seed), loss=lambda point, since: math.nan if since == 0 else 2.0)),
    "an infinite gradient": (
        "not_finite", lambda seed: change(likelihood(seed), grad_norm=lambda point, since: math.inf if since == 0 else 1.0)),
    "one damaged batch": (
        "loss_spike", lambda seed: change(likelihood(seed), loss=lambda point, since: 9.0 if since == 0 else point["loss"])),
    "a gradient that explodes": (
        "gradient_jump", lambda seed: change(likelihood(seed), grad_norm=lambda point, since: 400.0 if since == 0 else 1.0)),
    "adapters that are frozen": ("dead_gradient", lambda seed: change(likelihood(seed), grad_norm=lambda point, since: 0.0)),
    "a schedule that ended too early": (
        "learning_rate_zero", lambda seed: change(likelihood(seed), learning_rate=lambda point, since: 0.0)),
    "a learning rate far too low": ("no_progress", lambda seed: [
        {**point, "loss": 4.0 + 1e-3 * point["step"]} for point in likelihood(seed, noise=0.01)]),
    "labels that were shuffled": ("pairs_at_chance", lambda seed: [
        {**point, "loss": 0.693, "accuracy": 0.5 + 0.1 * math.sin(seed + point["step"])} for point in preferences(seed)]),
    "the same rows again and again": ("memorised", lambda seed: likelihood(seed, start=2.0, end=0.001, pace=4.0)),
    "more passes than the rows can bear": ("overfit", lambda seed: [
        {**point, "held_out_loss": 2 + 0.03 * max(0.0, point["step"] - INJECTED)} for point in likelihood(seed)]),
    "a reward for length": ("reward_by_length", lambda seed: change(
        rewards(seed), answer_tokens=lambda point, since: 80 + 6 * since, reward=lambda point, since: 1 + 0.1 * since)),
    "a reward for the format alone": ("answers_collapse", lambda seed: change(
        rewards(seed), answer_tokens=lambda point, since: max(4.0, 80 - 5 * since), reward=lambda point, since: 2.0)),
    "tasks that are all solved": ("groups_agree", lambda seed: change(rewards(seed), zero_variance=lambda point, since: 0.95)),
    "no hold on the reference": ("kl_runaway", lambda seed: change(rewards(seed), kl=lambda point, since: 2 + since)),
    "too few new tokens": ("answers_unfinished", lambda seed: change(rewards(seed), unfinished=lambda point, since: 0.8)),
}  # fmt: skip


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_faults_are_seen_within_fifty_steps(fault: str) -> None:
    name, make = FAULTS[fault]
    for seed in range(5):
        curve = [point for point in make(seed) if point["step"] <= INJECTED + 50]
        found = {sign.name: sign for sign in find_signs(curve, is_likelihood="reward" not in curve[0], steps_per_epoch=100.0)}
        assert name in found, (seed, set(found))
        assert found[name].step <= INJECTED + 50
        assert found[name].advice == SIGNS[name].advice


def test_every_sign_can_be_seen() -> None:
    assert {name for name, _ in FAULTS.values()} == set(SIGNS)


@settings(max_examples=30, deadline=None)
@given(points=st.lists(st.fixed_dictionaries({}, optional={
    name: st.floats(allow_nan=True, allow_infinity=True, width=32)
    for name in ("loss", "grad_norm", "held_out_loss", "learning_rate", "accuracy", "reward", "kl", "answer_tokens")
}), max_size=45))  # fmt: skip
def test_no_curve_breaks_the_detectors(points: list[dict[str, float]]) -> None:
    curve = [{"step": float(step), **point} for step, point in enumerate(points)]
    with np.errstate(all="ignore"):
        for is_likelihood in (True, False):
            signs = find_signs(curve, is_likelihood=is_likelihood, steps_per_epoch=10.0)
            assert len({sign.name for sign in signs}) == len(signs)


def test_a_loss_that_rises_above_that_of_the_untrained_model_is_divergence_at_once() -> None:
    early = [
        2.07,
        2.01,
        2.29,
        4.11,
        3.37,
        2.98,
        5.62,
        4.19,
        3.01,
        2.6,
        3.54,
        3.13,
        3.57,
        2.02,
        3.25,
        4.86,
        2.08,
        2.13,
        1.9,
        2.5,
    ]
    late = [2.3, 2.2, 2.32, 2.29, 2.1, 2.16, 2.39, 2.13, 2.16, 2.25, 2.03, 1.98, 2.02, 1.87, 1.93, 1.94, 1.84, 1.82, 1.77, 1.8]
    curve = [{"step": float(step), "loss": loss} for step, loss in enumerate([*early, *late], start=1)]
    signs = find_signs(curve)
    assert [sign.name for sign in signs] == ["divergence"]
    assert signs[0].step <= 10
