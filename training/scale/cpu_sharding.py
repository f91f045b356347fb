"""FSDP2 on a machine without devices, over gloo: what a cluster will do can be rehearsed on a laptop.

    TrainingArguments(**sharding_arguments(is_bf16=False), ...)      # {} unless `strategy: fsdp2` runs on the CPU

accelerate 1.15 reads its FSDP settings for processes on GPUs only and lets those on a CPU train with DDP, without a word
(`AcceleratorState.__init__`); torch's `fully_shard` itself runs on both.
"""

import os
from typing import Any

from curation.config import check

FSDP = "ACCELERATE_USE_FSDP"
"""Set by `accelerate launch` when its configuration file says FSDP."""
DEEPSPEED = "ACCELERATE_USE_DEEPSPEED"
ON_CPU = "ACCELERATE_USE_CPU"
"""Without it, transformers' trainers let each process on a machine without GPUs train alone."""


def is_sharded_on_cpu() -> bool:
    """Tell whether this process is one of several without devices that were told to shard."""
    return is_set(FSDP) and is_set(ON_CPU) and int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_set(name: str) -> bool:
    """Tell whether a variable of accelerate's is switched on."""
    return os.environ.get(name, "false").lower() in ("true", "1")


def sharding_arguments(*, is_bf16: bool) -> dict[str, Any]:
    """Tell accelerate to shard on the CPU where that was asked for, and return the trainer's arguments that keep it so.

    Raises:
        ConfigError: if DeepSpeed was asked for, which would be left out.
    """
    is_left_out = is_set(DEEPSPEED) and is_set(ON_CPU)
    check(not is_left_out, "training.strategy", "needs CUDA devices; on CPUs use fsdp2 or ddp", "deepspeed")
    if not is_sharded_on_cpu():
        return {}
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, DistributedType, PartialState
    from accelerate.utils import FullyShardedDataParallelPlugin

    precision = "bf16" if is_bf16 else "no"
    AcceleratorState._reset_state(reset_partial_state=True)
    state = Accelerator(cpu=True, mixed_precision=precision).state
    state.fsdp_plugin = FullyShardedDataParallelPlugin()
    if is_bf16:
        state.fsdp_plugin.set_mixed_precision(precision)
    state.distributed_type = PartialState().distributed_type = DistributedType.FSDP
    return {"accelerator_config": {"use_configured_state": True}}
