"""How a training went, as a native check: what the logged curve shows, where, and what to do.

Outputs(values={..., **health_facts(manifest, config)}), ... as_result(home, run, [health_result(run.snapshot)])
"""

import dataclasses
import math
from typing import Any

import dagster as dg

from assets.charts import escape
from assets.presentation import displayable, loss_plot
from curation.store import Snapshot
from training.config import BaseModelConfig, StageConfig
from training.config.presets import EPOCHS
from training.health.detect import LIKELIHOOD, find_signs

CHECK = "training_health"


def health_check(key: list[str]) -> dg.AssetCheckSpec:
    """Declare the check of a model asset."""
    return dg.AssetCheckSpec(
        name=CHECK, asset=key, description="The loss is finite and fell, and the curve shows no sign of trouble.", blocking=True
    )


def health_facts(manifest: dict[str, Any], config: BaseModelConfig | StageConfig) -> dict[str, Any]:
    """Return the signs of trouble in the curve of a finished stage, and whether its loss has to fall, ready for JSON."""
    if not isinstance(config, StageConfig):
        return {}
    is_likelihood = config.method in LIKELIHOOD
    epochs = config.epochs or EPOCHS[config.method]
    steps_per_epoch = math.inf if config.max_steps else manifest["num_steps"] / epochs
    signs = find_signs(manifest["loss_curve"], is_likelihood=is_likelihood, steps_per_epoch=steps_per_epoch)
    return {"signs": [dataclasses.asdict(sign) for sign in signs], "is_likelihood": is_likelihood}


def health_result(snapshot: Snapshot) -> dg.AssetCheckResult:
    """Evaluate the check: it fails at any sign, as an error where the model cannot be used."""
    values = snapshot.values
    losses = [float(point[1]) for point in values.get("loss_curve", [])]
    num_ends = max(1, len(losses) // 5)
    first, last = (sum(part) / len(part) if part else 0.0 for part in (losses[:num_ends], losses[-num_ends:]))
    signs = values.get("signs", [])
    is_broken = not all(map(math.isfinite, losses)) or any(sign["severity"] == "error" for sign in signs)
    fell = len(losses) < 2 or last < first or not values.get("is_likelihood", True)
    metadata: dict[str, Any] = {"first_loss": displayable(first), "last_loss": displayable(last), "num_points": len(losses)}
    metadata |= {name: value for name, value in loss_plot(values).items() if name == "loss"}
    if signs:
        metadata["signs"] = dg.MetadataValue.md(sign_table(signs))
    return dg.AssetCheckResult(
        check_name=CHECK,
        passed=not is_broken and fell and not signs,
        severity=dg.AssetCheckSeverity.ERROR if is_broken else dg.AssetCheckSeverity.WARN,
        description=" ".join(f"{sign['name']} at step {sign['step']}: {sign['detail']}" for sign in signs) or None,
        metadata=metadata,
    )


def sign_table(signs: list[dict[str, Any]]) -> str:
    """Return signs as a Markdown table."""
    names = ("name", "severity", "step", "detail", "advice")
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(escape(str(sign[name])) for name in names) + " |" for sign in signs]
    return "\n".join(lines)
