"""What a process of several has to know about itself, from the variables that torchrun and accelerate set.

prepare_ranks()     # first thing in a training process
is_first_rank()     # who writes what is written once
running_layout()    # Layout(processes=8, nodes=2, strategy="fsdp2")
"""

import os
from collections.abc import Mapping, MutableMapping

from training.memory.device import find_gpus
from training.scale.config import Layout, ParallelConfig, ScaleConfig, Strategy
from training.scale.cpu_sharding import DEEPSPEED, FSDP, ON_CPU, is_set

VISIBLE = "CUDA_VISIBLE_DEVICES"


def world_size() -> int:
    """Return how many processes train together, on all hosts."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def running_layout() -> Layout:
    """Return the layout by which this process was started, as far as it says what a device holds."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    strategy: Strategy = "fsdp2" if is_set(FSDP) else "ddp"
    if is_set(DEEPSPEED):
        strategy = "deepspeed_zero3" if os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") == "3" else "deepspeed_zero2"
    copies = int(os.environ.get("PARALLELISM_CONFIG_DP_REPLICATE_SIZE", "1"))
    scale = ScaleConfig(parallel=ParallelConfig(replicate=copies))
    return Layout(processes=processes, nodes=max(1, world_size() // processes), strategy=strategy, scale=scale)


def is_first_rank() -> bool:
    """Tell whether this is the process that writes the output."""
    return os.environ.get("RANK", "0") == "0"


def name_checkpoints(fingerprint: str) -> str:
    """Return what the checkpoints of a run are known by: with another number of processes, its steps hold other rows."""
    return fingerprint if world_size() == 1 else f"{fingerprint}-{world_size()}"


def prepare_ranks(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let several processes on a machine without GPUs train together, over gloo, and show one process one GPU.

    A single process that saw several would spread its batches over them in threads (`nn.DataParallel`), which no trainer here
    supports. It keeps the first of CUDA_VISIBLE_DEVICES. To be called before CUDA is.
    """
    if int(environment.get("WORLD_SIZE", "1")) == 1:
        environment[VISIBLE] = environment.get(VISIBLE, "0").partition(",")[0]
    elif ON_CPU not in environment and not find_gpus():
        environment[ON_CPU] = "true"


def own_device(environment: Mapping[str, str] = os.environ) -> str:
    """Return the name of the GPU of this process, of those that it sees."""
    return f"cuda:{environment.get('LOCAL_RANK', '0')}"
