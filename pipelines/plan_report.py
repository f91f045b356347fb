"""The plan of training for people, and as JSON."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from curation.config import as_plain as plain_config
from pipelines.training_plan import TrainingPlan
from training.memory.estimate import GIB
from training.memory.plan import Option
from training.memory.stage_plan import StagePlan

LENGTHS = {
    "steps": "num_steps",
    "rows a step": "rows_per_step",
    "tokens a step at most": "tokens_per_step",
    "tokens": "tokens",
}
MOMENTS = {
    "loss": "the loss is made",
    "head": "the head goes back",
    "backward": "layers go back",
    "step": "gradients are there",
}
PARTS = ("weights", "adapters", "gradients", "optimizer", "buckets", "activations", "workspace", "logits")


def print_plan(plan: TrainingPlan, console: Console, *, shows_values: bool = True) -> None:
    """Print what the stages need, how long they take, what would be faster, and what is refused."""
    size = _count_parameters(plan.shape.num_parameters)
    console.print(f"[bold]{escape(plan.recipe)}[/]: {size} ({escape(plan.base)}), on {escape(plan.device)}", soft_wrap=True)
    console.print(_stage_table(plan))
    for stage in plan.stages:
        if shows_values:
            console.print(_value_table(stage))
        _print_advice(plan, stage, console)


def _count_parameters(number: int) -> str:
    return f"{number / 1e9:.2f}B parameters" if number >= 1e9 else f"{number / 1e6:.1f}M parameters"


def _stage_table(plan: TrainingPlan) -> Table:
    table = Table("")
    for stage in plan.stages:
        table.add_column(stage.model_name, justify="right")
    table.add_row("method", *(f"{stage.method}, {stage.settings.tuning}" for stage in plan.stages))
    unit = "GiB" if max(stage.estimate.allocated for stage in plan.stages) >= GIB else "MiB"
    for name in PARTS:
        table.add_row(f"{name}, {unit}", *(_size(stage.estimate.parts.get(name, 0), unit) for stage in plan.stages))
    table.add_section()
    table.add_row("at worst, when", *(MOMENTS[stage.estimate.moment] for stage in plan.stages))
    table.add_row(f"[bold]peak, {unit}[/]", *(f"[bold]{_size(stage.estimate.allocated, unit)}[/]" for stage in plan.stages))
    if plan.gpu_memory is not None:
        table.add_row(f"device, {unit}", *(_size(stage.estimate.device, unit) for stage in plan.stages))
        table.add_row("", *("[green]fits[/]" if stage.fits else "[bold red]does not fit[/]" for stage in plan.stages))
    if any(stage.num_checkpointed for stage in plan.stages):
        table.add_row("layers computed again", *map(_again, plan.stages))
    table.add_section()
    for name, field in LENGTHS.items():
        values = [getattr(stage, field) for stage in plan.stages]
        table.add_row(name, *("-" if value is None else f"{value:,}" for value in values))
    table.add_row("hours", *("not measured" if stage.hours is None else f"{stage.hours:.2f}" for stage in plan.stages))
    return table


def _again(stage: StagePlan) -> str:
    """Say how many layers are checkpointed, and what that costs."""
    return f"{stage.num_checkpointed} of {stage.num_layers}, +{stage.seconds_added:.0%} time"


def _value_table(stage: StagePlan) -> Table:
    table = Table(stage.model_name, "value", "from")
    for name, (value, origin) in sorted(stage.values.items()):
        table.add_row(name, escape(_brief(value)), escape(origin))
    return table


def _brief(value: Any) -> str:
    plain = plain_config(value)
    if isinstance(plain, dict):
        return ", ".join(f"{name}: {item}" for name, item in plain.items() if item not in (None, False, [], ()))
    return str(plain)


def _print_advice(plan: TrainingPlan, stage: StagePlan, console: Console) -> None:
    if stage.proposal is not None:
        reason = escape(stage.proposal.reason)
        console.print(f"[bold]{stage.model_name}[/]: {reason}", soft_wrap=True)
        if stage.keys:
            keys = ", ".join(f"{name}: {str(value).lower()}" for name, value in stage.keys.items())
            console.print(f"  in the recipe: {{{keys}}}", markup=False, soft_wrap=True)
        for remedy in stage.proposal.remedies:
            console.print(f"  would do: {escape(remedy)}", soft_wrap=True)
    for conflict in plan.conflicts[stage.model_name]:
        console.print(f"  [bold red]refused[/] {escape(str(conflict))}", soft_wrap=True)
    for note in plan.notes[stage.model_name]:
        console.print(f"  [bold yellow]note[/] {escape(str(note))}", soft_wrap=True)


def _size(number: int, unit: str) -> str:
    return f"{number / GIB:.2f}" if unit == "GiB" else f"{number / 2**20:.1f}"


def as_plain(plan: TrainingPlan) -> dict[str, Any]:
    """Return the plan as JSON, sizes in bytes."""
    return {
        "recipe": plan.recipe,
        "base": plan.base,
        "num_parameters": plan.shape.num_parameters,
        "device": plan.device,
        "gpu_memory": plan.gpu_memory,
        "world_size": plan.world_size,
        "is_possible": plan.is_possible,
        "stages": [_plain_stage(plan, stage) for stage in plan.stages],
    }


def _plain_stage(plan: TrainingPlan, stage: StagePlan) -> dict[str, Any]:
    proposal = stage.proposal
    return {
        "model": stage.model_name,
        "method": stage.method,
        "settings": plain_config(stage.settings),
        "memory": {**stage.estimate.parts, "peak": stage.estimate.allocated, "device": stage.estimate.device},
        "moment": stage.estimate.moment,
        "checkpointed_layers": stage.num_checkpointed,
        "layers": stage.num_layers,
        "checkpointing_adds": stage.seconds_added,
        "fits": stage.fits,
        "num_steps": stage.num_steps,
        "rows_per_step": stage.rows_per_step,
        "tokens_per_step": stage.tokens_per_step,
        "tokens": stage.tokens,
        "hours": stage.hours,
        "values": {name: {"value": plain_config(value), "from": origin} for name, (value, origin) in stage.values.items()},
        "keys": stage.keys,
        "proposal": None
        if proposal is None
        else {
            "reason": proposal.reason,
            "remedies": list(proposal.remedies),
            "chosen": _plain_option(proposal.chosen) if proposal.chosen else None,
            "runners_up": [_plain_option(option) for option in proposal.runners_up],
        },
        "conflicts": [conflict._asdict() for conflict in plan.conflicts[stage.model_name]],
        "notes": [note._asdict() for note in plan.notes[stage.model_name]],
    }


def _plain_option(option: Option) -> dict[str, Any]:
    return {"settings": plain_config(option.settings), "device": option.memory.device, "reference_seconds": option.seconds}
