"""What can go wrong in a training, one check each, with the plot that shows it.

curve_checks(key, StageConfig(method="sft"))      loss_steady, gradient_norms, learning_rate
curve_results(run.snapshot, config)               the same, evaluated on the curve of the finished run

The blocking check `training_health` says whether a model may be used; these say at a glance which curve to look at. A model
has only those that its method and settings can fail.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import dagster as dg

from assets.health import sign_table
from assets.presentation import text_plot
from curation.store import Snapshot
from training.config import RL_METHODS, BaseModelConfig, StageConfig
from training.config.stage import STEPPED_IN_BACKWARD
from training.health.detect import LIKELIHOOD


class Aspect(NamedTuple):
    """One thing that can go wrong."""

    name: str
    description: str
    signs: tuple[str, ...]
    """Of `training.health.signs`."""
    curves: tuple[str, ...]
    """What is plotted; without a point of the first nothing is known."""
    counts_for: Callable[[StageConfig], bool]


ASPECTS: tuple[Aspect, ...] = (
    Aspect(
        "loss_steady",
        "The loss falls, without a spike, and not because rows stand there twice.",
        ("not_finite", "divergence", "loss_spike", "no_progress", "memorised"),
        ("loss",),
        lambda stage: stage.method in LIKELIHOOD,
    ),
    Aspect(
        "gradient_norms",
        "The gradient reaches what is trained (no dead adapter), and no step's is many times larger than usual.",
        ("dead_gradient", "gradient_jump"),
        ("grad_norm",),
        lambda stage: stage.optimizer not in STEPPED_IN_BACKWARD,
    ),
    Aspect(
        "learning_rate",
        "The learning rate is not zero while training goes on.",
        ("learning_rate_zero",),
        ("learning_rate",),
        lambda stage: True,
    ),
    Aspect(
        "overfit_gap",
        "The loss on held-out groups does not rise while that of training falls.",
        ("overfit",),
        ("held_out_loss", "loss"),
        lambda stage: stage.early_stopping is not None,
    ),
    Aspect(
        "pairs_told_apart",
        "Preferred answers are told from the others better than by chance.",
        ("pairs_at_chance",),
        ("accuracy",),
        lambda stage: stage.method in ("dpo", "orpo", "reward"),
    ),
    Aspect(
        "reward_hacking",
        "The reward does not grow by length or format alone, groups differ, answers end, and the reference is near.",
        ("reward_by_length", "answers_collapse", "groups_agree", "answers_unfinished", "kl_runaway"),
        ("reward", "answer_tokens", "kl"),
        lambda stage: stage.method in RL_METHODS,
    ),
)


def aspects_of(config: BaseModelConfig | StageConfig) -> tuple[Aspect, ...]:
    """Return what can go wrong in a stage; nothing in a base model, which is not trained."""
    return tuple(aspect for aspect in ASPECTS if isinstance(config, StageConfig) and aspect.counts_for(config))


def curve_checks(key: list[str], config: BaseModelConfig | StageConfig) -> list[dg.AssetCheckSpec]:
    """Declare the checks of a model asset."""
    return [
        dg.AssetCheckSpec(name=aspect.name, asset=key, description=aspect.description, blocking=False)
        for aspect in aspects_of(config)
    ]


def curve_results(snapshot: Snapshot, config: BaseModelConfig | StageConfig) -> list[dg.AssetCheckResult]:
    """Evaluate them on a finished run."""
    return [_evaluate(aspect, snapshot.values) for aspect in aspects_of(config)]


def _evaluate(aspect: Aspect, values: dict[str, Any]) -> dg.AssetCheckResult:
    curves = {"loss": values.get("loss_curve"), **(values.get("curves") or {})}
    metadata: dict[str, Any] = {
        name: dg.MetadataValue.md(text_plot(name.replace("_", " "), points))
        for name in aspect.curves
        if (points := curves.get(name))
    }
    if aspect.curves[0] not in metadata:
        said = f"The run logged no {aspect.curves[0]}, so nothing is known."
        return dg.AssetCheckResult(
            check_name=aspect.name, passed=False, severity=dg.AssetCheckSeverity.WARN, description=said, metadata=metadata
        )
    found = [sign for sign in values.get("signs", []) if sign["name"] in aspect.signs]
    if found:
        metadata["signs"] = dg.MetadataValue.md(sign_table(found))
    is_error = any(sign["severity"] == "error" for sign in found)
    return dg.AssetCheckResult(
        check_name=aspect.name,
        passed=not found,
        severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
        description=" ".join(f"{sign['name']} at step {sign['step']}: {sign['detail']}" for sign in found) or None,
        metadata=metadata,
    )
