"""The fastest setting that fits into a device's memory, why it is that one, and what to change when none fits.

    plan = make_plan(shape, wish, memory=80 * GIB, tokens_per_step=65_536)
    plan.chosen.settings.is_checkpointed       # False: 52.8 of 80 GiB, and checkpointing would be 41 % slower
    plan.reason

Only settings that leave the result alone are varied freely: tokens a micro-batch against accumulation (the effective batch
stays), how many layers are checkpointed, and offloading what it keeps. Another kind of tuning changes the result, so it is only
tried where the caller names it; otherwise it is at most proposed.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from curation.config import check
from training.memory.checkpointing import fewest_checkpointed, with_checkpointed
from training.memory.estimate import GIB, MemoryEstimate, estimate_peak
from training.memory.model_shape import ModelShape
from training.memory.run_shape import RunShape, TuningName
from training.memory.speed import seconds_per_step

MARGIN = 0.06
"""Share of the device that a setting leaves free: the estimate may be 2 % too low, and other processes take some."""
NUM_RUNNERS_UP = 3
WORTH = 0.95
"""What does not fit is worth telling when it takes less than this share of the time of what was chosen."""
Keeping = Literal["all", "some", "none", "offloaded"]
KEEPING: tuple[Keeping, ...] = ("all", "some", "none", "offloaded")
"""All layers keep what they computed; as many as fit do; none does (checkpointing), or what that keeps waits on the host."""


class Option(NamedTuple):
    """A setting with its price."""

    settings: RunShape
    memory: MemoryEstimate
    seconds: float
    """Seconds of an optimizer step on the reference card of `training.memory.speed`."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What was chosen for a device, or what would have to change."""

    budget: int
    """Bytes of the device that may be used."""
    chosen: Option | None
    runners_up: tuple[Option, ...] = ()
    """The next best: slower ones that fit, and the fastest one that does not."""
    reason: str
    remedies: tuple[str, ...] = ()
    """When nothing fits: single changes that would, the smallest first."""

    @property
    def options(self) -> tuple[Option, ...]:
        """What was chosen, and the runners-up."""
        return (*([self.chosen] if self.chosen else []), *self.runners_up)


def make_plan(
    shape: ModelShape,
    wish: RunShape,
    *,
    memory: int,
    tokens_per_step: int,
    tunings: tuple[TuningName, ...] = (),
    margin: float = MARGIN,
    may_offload: bool = False,
    fewest_tokens: int = 1,
) -> Plan:
    """Choose the fastest setting that fits.

    Args:
        shape: the model.
        wish: what the recipe fixes; its tokens a micro-batch, accumulation, checkpointing and offloading are chosen here.
        memory: bytes of one device.
        tokens_per_step: tokens of one device in one optimizer step, the same whatever is chosen.
        tunings: kinds of tuning to choose from; none: that of `wish`.
        margin: share of the device that stays free.
        may_offload: whether the trainer can keep checkpoints on the host.
        fewest_tokens: of a micro-batch, where one row is too few: both answers of a pair.
    """
    check(memory > 0, "gpu_memory", "must be above 0", memory)
    check(0 <= margin < 1, "margin", "must lie in [0, 1)", margin)
    fits = tokens_per_step >= wish.longest_row
    check(fits, "tokens_per_step", f"must hold the longest row ({wish.longest_row} tokens)", tokens_per_step)
    budget = round(memory * (1 - margin))
    fewest = max(wish.longest_row, fewest_tokens)
    kinds = itertools.product(tunings or (wish.tuning,), KEEPING if may_offload else KEEPING[:3])
    options = sorted(_options(shape, wish, tokens_per_step, kinds, budget, fewest), key=_rank)
    fitting = [option for option in options if option.memory.device <= budget]
    if not fitting:
        return _refuse(shape, min(options, key=lambda option: option.memory.device), memory, budget)
    chosen = fitting[0]
    faster = [option for option in options if option.seconds < WORTH * chosen.seconds and option.memory.device > budget]
    closest = [min(faster, key=lambda option: option.memory.device)] if faster else []
    runners_up = (*closest, *_distinct(fitting[1:], chosen))[:NUM_RUNNERS_UP]
    reason = _explain(chosen, runners_up, budget, shape.num_layers)
    return Plan(budget=budget, chosen=chosen, runners_up=runners_up, reason=reason)


def _refuse(shape: ModelShape, least: Option, memory: int, budget: int) -> Plan:
    needs = f"{describe(least.settings, shape.num_layers)}, needs {_gib(least.memory.device)}"
    return Plan(
        budget=budget,
        chosen=None,
        runners_up=(least,),
        reason=f"nothing fits into {_gib(budget)}: the thriftiest setting, {needs}",
        remedies=tuple(_remedies(shape, least.settings, memory, budget)),
    )


def _options(
    shape: ModelShape,
    wish: RunShape,
    tokens_per_step: int,
    kinds: Iterable[tuple[TuningName, Keeping]],
    budget: int,
    fewest: int,
) -> Iterable[Option]:
    for tuning, keeping in kinds:
        for accumulation in _divisions(tokens_per_step, wish, fewest):
            tokens = tokens_per_step // accumulation
            cut = replace(wish, tuning=tuning, accumulation=accumulation, tokens_per_micro_batch=tokens)
            settings = _keep(shape, cut, keeping, budget)
            if settings is not None:
                yield Option(settings, estimate_peak(shape, settings), seconds_per_step(shape, settings))


def _keep(shape: ModelShape, cut: RunShape, keeping: Keeping, budget: int) -> RunShape | None:
    """Return a setting in which so many layers keep what they computed; None where "some" is all, or does not fit."""
    num_layers = shape.num_layers
    if keeping == "some":
        number = fewest_checkpointed(shape, cut, budget=budget)
        return with_checkpointed(cut, number, num_layers) if number not in (None, 0, num_layers) else None
    settings = with_checkpointed(cut, 0 if keeping == "all" else num_layers, num_layers)
    return replace(settings, is_offloaded=keeping == "offloaded")


def _divisions(tokens_per_step: int, wish: RunShape, fewest: int) -> Iterable[int]:
    """Return into how many micro-batches a step may be cut: powers of two, until one holds the fewest tokens only."""
    if wish.is_optimizer_in_backward:
        return [1]
    most = max(1, tokens_per_step // fewest)
    return [1 << power for power in range(most.bit_length()) if tokens_per_step % (1 << power) == 0]


def _rank(option: Option) -> tuple[float, int]:
    return option.seconds, option.memory.device


def _distinct(options: list[Option], chosen: Option) -> list[Option]:
    """Return the best option of each other kind: what differs in more than the micro-batch says more."""
    seen, best = {_kind(chosen.settings)}, []
    for option in options:
        if _kind(option.settings) not in seen:
            seen.add(_kind(option.settings))
            best.append(option)
    return best or options[:1]


def _kind(settings: RunShape) -> tuple[str, bool, bool, bool]:
    return settings.tuning, settings.is_checkpointed, settings.is_offloaded, settings.num_checkpointed is not None


def describe(settings: RunShape, num_layers: int) -> str:
    """Return a setting of a model of so many layers in words."""
    keeps = "no checkpointing"
    if settings.num_checkpointed is not None:
        keeps = f"checkpointing {settings.count_checkpointed(num_layers)} of {num_layers} layers"
    elif settings.is_checkpointed:
        keeps = "offloaded checkpoints" if settings.is_offloaded else "checkpointing"
    return f"{settings.tuning}, {keeps}, {settings.tokens_per_micro_batch:,} tokens x {settings.accumulation}"


def _explain(chosen: Option, others: tuple[Option, ...], budget: int, num_layers: int) -> str:
    said = [f"{describe(chosen.settings, num_layers)} is the fastest that fits: {_gib(chosen.memory.device)} of {_gib(budget)}"]
    for other in others:
        change = other.seconds / chosen.seconds - 1
        pace = f"{abs(change):.0%} {'slower' if change >= 0 else 'faster'}"
        verdict = "" if other.memory.device <= budget else ", but does not fit"
        said.append(f"{describe(other.settings, num_layers)}: {pace}, {_gib(other.memory.device)}{verdict}")
    return "; ".join(said)


def _remedies(shape: ModelShape, least: RunShape, memory: int, budget: int) -> Iterable[str]:
    """Return single changes of the thriftiest setting that make it fit, then combined ones, then the device it needs."""
    changes: list[tuple[str, RunShape]] = []
    if not least.is_head_fused:
        changes.append(("a fused output head", replace(least, is_head_fused=True)))
    if least.longest_row > 512:
        half = max(256, least.longest_row // 2)
        changes.append((f"max_length: {half}", replace(least, longest_row=half, tokens_per_micro_batch=half)))
    if least.tuning == "full":
        stepped = replace(
            least, optimizer="adamw_8bit", is_optimizer_in_backward=True, accumulation=1, precision="bf16", is_liger=True
        )
        changes.append(("optimizer: adamw_8bit (with packing: true)", stepped))
        offloaded = replace(stepped, optimizer="paged_adamw_8bit")
        changes.append(("optimizer: adamw_8bit_offloaded (with packing: true)", offloaded))
        changes.append(("tuning: lora", replace(least, tuning="lora", precision="bf16")))
    if least.tuning != "qlora":
        changes.append(("tuning: qlora", replace(least, tuning="qlora", precision="bf16", is_optimizer_in_backward=False)))
    if least.sharding != "zero3":
        changes += [
            (f"strategy: fsdp2 on {size} devices", replace(least, sharding="zero3", world_size=size)) for size in (2, 4, 8)
        ]
    needs = [(name, estimate_peak(shape, settings).device) for name, settings in changes]
    yield from (f"{name} needs {_gib(size)}" for name, size in needs if size <= budget)
    device = round(estimate_peak(shape, least).device / (budget / memory))
    yield f"a device of {-(-device // GIB)} GiB"


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
