"""Whether the learning rate of a stage lies where it learns and does not diverge: a range test as a native check, opt-in.

    training:
      stages:
        - {method: sft, learning_rate_check: true}      # the check `learning_rate_range` of sft_model

It trains the stage for at most 100 steps while the rate rises, and keeps nothing of that but the curve, by which the same
stage on the same rows is judged again without a cost.
"""

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg

from assets.models import list_stage_specs
from assets.recipe import Recipe
from curation.errors import TrainingFailedError
from curation.files import write_atomically
from curation.home import Home
from training.config import StageConfig
from training.health.range_launch import launch_range_test
from training.spec import RunSpec

CHECK = "learning_rate_range"
FOLDER = "learning_rate_check"
RESULT = "found.json"
BLOCKS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"


def build_checks(recipe: Recipe, condition: dg.AutomationCondition[Any] | None = None) -> list[dg.AssetChecksDefinition]:
    """Return the check of every stage that asks for it."""
    return [_check(recipe, stage, condition) for stage in recipe.training.stages if stage.learning_rate_check]


def _check(recipe: Recipe, stage: StageConfig, condition: dg.AutomationCondition[Any] | None) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey([recipe.name, stage.model_name]),
        name=CHECK,
        automation_condition=condition,
        pool="gpu",
        description="The learning rate lies where a range test saw the loss fall. It costs as much as 100 steps of the stage.",
    )
    def learning_rate_range(home: dg.ResourceParam[Home]) -> dg.AssetCheckResult:
        (spec,) = list_stage_specs(home, recipe, folder=FOLDER, stage=stage.model_name)
        found = find_range(spec)
        return range_result(found, price_per_gpu_hour=recipe.training.price_per_gpu_hour)

    return learning_rate_range


def find_range(spec: RunSpec) -> dict[str, Any]:
    """Return what a range test finds for a stage, or found before on the same rows, model and settings (`is_reused`).

    Raises:
        TrainingFailedError: if the test fails.
    """
    file = Path(spec.work_folder) / RESULT
    known = _read(file)
    if known.get("fingerprint") == spec.fingerprint:
        return {**known, "is_reused": True}
    done = launch_range_test(spec, is_quiet=True)
    if done.exit_code:
        lines = done.said.splitlines() or [_how_it_ended(done.exit_code)]
        reason = f"the range test of the learning rate failed: {lines[-1].removeprefix('error: ')}"
        raise TrainingFailedError(stage=spec.stage, reason=reason.rstrip("."), folder=spec.work_folder)
    write_atomically(file, json.dumps({**done.found, "fingerprint": spec.fingerprint}).encode())
    return {**done.found, "is_reused": False}


def _read(file: Path) -> dict[str, Any]:
    try:
        known = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _how_it_ended(exit_code: int) -> str:
    return f"it was killed by {signal.Signals(-exit_code).name}" if exit_code < 0 else f"it ended with code {exit_code}"


class Verdict(NamedTuple):
    """What a range test says of a learning rate."""

    passed: bool
    is_error: bool
    said: str


def judge_rate(rate: float, found: dict[str, Any]) -> Verdict:
    """Say whether a learning rate lies in the range that a test found to be safe; one that diverges is an error."""
    if found["suggested"] is None:
        return Verdict(False, False, "The loss did not fall at any learning rate: look at the data first (preflight).")
    lowest, highest, diverged = found["lowest"], found["highest"], found["diverged"]
    where = f"The learning rate {rate:.2g}"
    safe = f"the safe range, {lowest:.1e} to {highest:.1e}; {found['suggested']:.1e} is suggested"
    if diverged is not None and rate >= diverged:
        return Verdict(False, True, f"{where} is one at which the test diverged (from {diverged:.1e} on), above {safe}.")
    if rate > highest:
        return Verdict(False, False, f"{where} lies above {safe}.")
    return Verdict(rate >= lowest, False, f"{where} lies {'in' if rate >= lowest else 'below'} {safe}.")


def range_result(found: dict[str, Any], *, price_per_gpu_hour: float | None = None) -> dg.AssetCheckResult:
    """Evaluate the check on what a test found: the verdict, the plot, and what the test cost now."""
    rate = float(found["learning_rate"])
    verdict = judge_rate(rate, found)
    seconds = 0.0 if found["is_reused"] else float(found["seconds"])
    metadata: dict[str, Any] = {
        "curve": dg.MetadataValue.md(draw_range(found)),
        "points": dg.MetadataValue.json(found["curve"]),
        "learning_rate": rate,
        "steps": int(found["steps"]),
        "tokens": int(found["tokens"]),
        "seconds": seconds,
        "reused": dg.MetadataValue.bool(found["is_reused"]),
    }
    metadata |= {name: found[name] for name in ("suggested", "lowest", "highest", "diverged") if found[name] is not None}
    if price_per_gpu_hour is not None:
        metadata["cost_usd"] = round(seconds / 3600 * price_per_gpu_hour, 4)
    return dg.AssetCheckResult(
        passed=verdict.passed,
        severity=dg.AssetCheckSeverity.ERROR if verdict.is_error else dg.AssetCheckSeverity.WARN,
        description=verdict.said,
        metadata=metadata,
    )


def draw_range(found: dict[str, Any]) -> str:
    """Return the loss over the learning rate as a line of bars, with marks under it, as Markdown of fixed width."""
    curve = [(rate, loss) for rate, loss in found["curve"] if loss is not None]
    if not curve:
        return "No loss was seen."
    rates = [rate for rate, _ in curve]
    lines = [f"loss  {draw_losses([loss for _, loss in curve])}"]
    marks = {
        "stage": found["learning_rate"],
        "suggested": found["suggested"],
        "lowest": found["lowest"],
        "highest": found["highest"],
    }
    for name, rate in marks.items():
        if rate is not None:
            lines.append(f"      {' ' * _nearest(rates, rate)}^ {name} {rate:.1e}")
    first, last = f"{rates[0]:.0e}", f"{rates[-1]:.0e}"
    lines.insert(1, f"rate  {first}{last.rjust(max(1, len(rates) - len(first)))}")
    return "\n".join(["```", *lines, "```"])


def draw_losses(losses: Sequence[float]) -> str:
    """Return losses as blocks; what lies above the first loss is drawn as high as it."""
    low, high = min(losses), max(losses[0], min(losses) + 1e-9)
    return "".join(BLOCKS[round((min(loss, high) - low) / (high - low) * (len(BLOCKS) - 1))] for loss in losses)


def _nearest(rates: Sequence[float], rate: float) -> int:
    """Return the place of the rate that is nearest by its logarithm."""
    return min(range(len(rates)), key=lambda at: max(rates[at] / rate, rate / rates[at]))
