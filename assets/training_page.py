"""What the page of a trained model shows: how it learnt, how fast, on what, and what that cost.

Outputs(values=training_facts(work, config, price_per_gpu_hour=2.5), ...)     when it was trained
as_result(home, run, checks, **curve_plots(run.snapshot.values))              whenever it is shown
"""

import json
import math
from pathlib import Path
from typing import Any

import dagster as dg

from assets.health import health_facts
from assets.presentation import displayable, loss_plot, text_plot
from training.config import BaseModelConfig, StageConfig
from training.progress import read_busy_seconds

TIMINGS = ("seconds", "tokens_per_s", "mfu", "device", "num_devices", "peak_gib", "peak_host_gib")
COUNTS = ("trained_tokens", "num_rows", "num_steps")
CURVES = ("learning_rate", "grad_norm", "held_out_loss", "accuracy", "reward", "answer_tokens", "kl")
"""What is plotted beside the loss, where it was logged."""


def training_facts(
    work: Path, config: BaseModelConfig | StageConfig, *, price_per_gpu_hour: float | None = None
) -> dict[str, Any]:
    """Return what a finished run left, ready for JSON. Raises OSError."""
    manifest = json.loads((work / "output" / "manifest.json").read_text())
    timings = json.loads((work / "timings.json").read_text())
    points = manifest["loss_curve"]
    facts = {name: timings[name] for name in TIMINGS if name in timings}
    facts |= {name: manifest[name] for name in COUNTS if name in manifest}
    facts |= {"loss_curve": [[point["step"], point["loss"]] for point in points], **health_facts(manifest, config)}
    facts["curves"] = {
        name: [[point["step"], point[name]] for point in points if name in point]
        for name in CURVES
        if any(name in point for point in points)
    }
    facts |= estimate_cost(work, timings.get("num_devices", 1), price_per_gpu_hour)
    return facts | ({"final_loss": points[-1]["loss"]} if points else {})


def estimate_cost(work: Path, num_devices: int, price_per_gpu_hour: float | None) -> dict[str, float]:
    """Return how long the devices were held, interrupted lives included, and what that costs at a price."""
    hours = read_busy_seconds(work / "progress.jsonl") * num_devices / 3600
    facts = {"device_hours": round(hours, 6)}
    return facts if price_per_gpu_hour is None else {**facts, "training_cost_usd": round(hours * price_per_gpu_hour, 4)}


def curve_plots(values: dict[str, Any]) -> dict[str, Any]:
    """Return the loss and what was logged beside it as metadata: text plots, and the points of the loss as JSON."""
    plots = loss_plot(values)
    for name, points in (values.get("curves") or {}).items():
        plots[f"{name}_plot"] = dg.MetadataValue.md(text_plot(name.replace("_", " "), points))
        last = float(points[-1][1])
        if math.isfinite(last):
            plots[f"last_{name}"] = displayable(last)
    return plots
