"""Everything that the rules of `training.scale.conflicts` look at: one stage, its model, its data, and the machine."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from training.memory.device import Gpu
from training.memory.model_shape import ModelShape
from training.scale.config import Layout

ONLINE = ("rloo", "grpo", "ppo", "distillation")
"""Methods that write answers while they learn."""
GROUPED = ("rloo", "grpo")
"""Methods that compare several answers to a prompt."""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """One stage where it is going to run."""

    layout: Layout = Layout()
    method: str = "sft"
    tuning: str = "lora"
    rank: int = 16
    has_dora: bool = False
    batch_size: int = 4
    accumulation: int = 4
    max_length: int = 1024
    epochs: float | None = 1.0
    max_steps: int | None = None
    is_packed: bool = False
    optimizer: str = "adamw"
    precision: str = "auto"
    is_checkpointed: bool = False
    checkpoint_every_steps: int = 200
    num_generations: int | None = None
    max_new_tokens: int | None = None
    num_rows: int | None = None
    """Rows that are learnt from; None: not known yet."""
    shape: ModelShape | None = None
    """Sizes of the model; None: not known yet."""
    gpus: tuple[Gpu, ...] | None = None
    """Devices of this machine; None: the run is not for this machine."""
    packages: frozenset[str] | None = None
    """Installed packages among those that a setting may need; None: the run is not for this machine."""
    programs: frozenset[str] = frozenset({"sbatch", "scontrol", "srun"})
    """Programs on PATH among those that a launcher needs."""

    @property
    def world_size(self) -> int:
        """Training processes on all hosts."""
        return self.layout.world_size

    @property
    def rows_per_step(self) -> int:
        """Rows of an optimizer step, over all devices; for methods that compare the answers to a prompt, these answers."""
        return self.batch_size * self.accumulation * self.world_size

    @property
    def examples_per_step(self) -> int:
        """Rows of the data that an optimizer step takes: a prompt for each group of answers."""
        group = self.num_generations if self.method in GROUPED else None
        return max(1, self.rows_per_step // (group or 1))

    @property
    def is_sharded(self) -> bool:
        """Whether weights are spread over devices."""
        return self.layout.strategy in ("fsdp2", "deepspeed_zero3")

    @property
    def is_adapter(self) -> bool:
        """Whether the base is frozen."""
        return self.tuning != "full"


class Rule(NamedTuple):
    """Something that must not be, with the setting to change."""

    name: str
    field: str
    """Path of the setting in the recipe, from `training` on."""
    breaks: Callable[[Situation], bool]
    value: Callable[[Situation], Any]
    """What the setting is."""
    problem: str
    fix: str


class Conflict(NamedTuple):
    """A broken rule in a situation."""

    rule: str
    field: str
    value: Any
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.field}: {self.problem} (received {self.value!r}); {self.fix}"
