"""A job of training that is made smaller until it fits: the same rows in every step, in smaller micro-batches.

trainer = train_job(job, attempt, say)      # attempt(job) trains and returns the trainer
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from curation.errors import MemoryExhaustedError, TrainingFailedError
from training.config.stage import STEPPED_IN_BACKWARD
from training.memory.checkpointing import AUTO, count_layers
from training.memory.device import find_gpus
from training.memory.oom import Batching, halve, is_out_of_memory, read_batching, train_within_memory, write_batching
from training.memory.smaller_packs import refit_packs
from training.memory.stage_plan import settle_checkpointing
from training.methods.job import Job
from training.packing import PackPlan
from training.scale.ranks import running_layout, world_size
from training.scale.stage_situation import find_shape

WRITING_METHODS = ("rloo", "grpo", "ppo", "distillation")
"""Methods whose batches do not exist before the model has written its answers."""
PACK_SHARES = 64
"""A pack can be halved six times."""
PAIRWISE_METHODS = ("kto",)
"""Methods that compare the rows of a micro-batch, of which there must be two."""


def tries_longest_batch(job: Job) -> bool:
    """Tell whether a dry step with the longest batch is worth its time: on a GPU, where memory is what ends a run."""
    return job.stage.method not in WRITING_METHODS and job.numerics().is_on_gpu


def train_job(job: Job, attempt: Callable[[Job], Any], say: Callable[[str], None]) -> Any:
    """Train with the batching that fits, found before or now.

    One process of several cannot go on alone: there the smaller batching is written down, the run fails, and its next start
    (that of torchrun if `scale.max_restarts` is set) goes on with it from the last checkpoint.

    Raises:
        MemoryExhaustedError: if the smallest micro-batch is too much.
        TrainingFailedError: if memory ran out in one of several processes.
    """
    job = settle_job(job, say)
    work, fingerprint, method = Path(job.spec.work_folder), job.spec.fingerprint, job.stage.method
    batching = read_batching(work, fingerprint, first_batching(job))
    smallest = 2 if method in PAIRWISE_METHODS else 1

    def train(batching: Batching) -> Any:
        return attempt(cut_job(job, batching))

    def remember(found: Batching) -> None:
        write_batching(work, fingerprint, found)

    if world_size() == 1:
        return train_within_memory(batching, train, stage=method, smallest=smallest, remember=remember, say=say)
    try:
        return train(batching)
    except Exception as error:
        smaller = halve(batching, smallest=smallest)
        if smaller is None or not is_out_of_memory(error):
            raise
        remember(smaller)
        reason = (
            f"a process ran out of memory; the next start goes on with {smaller.batch_size} instead of {batching.batch_size}"
        )
        raise TrainingFailedError(stage=method, reason=f"{reason} rows (or shares of a pack) at once", folder=work) from error


def settle_job(job: Job, say: Callable[[str], None] = lambda line: None) -> Job:
    """Return the job with `gradient_checkpointing: auto` decided for the GPUs of this machine, and say what it is.

    A model of a family that the plan does not know has all its layers checkpointed. Every process decides by the smallest
    device that it sees: hosts of unlike devices need a share in the recipe.
    """
    if job.stage.gradient_checkpointing != AUTO:
        return job
    shape, gpus = find_shape(job.spec.parent_model), find_gpus()
    if shape is None:
        return replace(job, stage=replace(job.stage, gradient_checkpointing=True))
    memory = min(gpu.memory for gpu in gpus) if gpus else None
    stage = settle_checkpointing(job.stage, shape, running_layout(), memory=memory)
    say(f"{count_layers(stage, shape.num_layers)} of {shape.num_layers} layers are computed again in the backward pass")
    return replace(job, stage=stage)


def first_batching(job: Job) -> Batching:
    """Return the batching of the recipe; a pack counts as so many shares, of which a smaller micro-batch takes fewer.

    A pack stays whole where the optimizer steps in the backward pass, for nothing can be accumulated there.
    """
    if _packs(job) is not None:
        is_whole = job.stage.optimizer in STEPPED_IN_BACKWARD
        return Batching(1 if is_whole else PACK_SHARES, job.stage.gradient_accumulation or 1)
    return Batching(job.stage.batch_size or 1, job.stage.gradient_accumulation or 1)


def cut_job(job: Job, batching: Batching) -> Job:
    """Return the job with smaller micro-batches, and more of them in a step.

    Raises:
        MemoryExhaustedError: if the packs of a step have too few rows to be divided.
    """
    accumulation, packs = batching.accumulation, _packs(job)
    if packs is None:
        return replace(job, stage=replace(job.stage, batch_size=batching.batch_size, gradient_accumulation=accumulation))
    before = first_batching(job)
    if batching == before:
        return job
    group = before.accumulation * world_size()
    smaller = refit_packs(packs, group=group, parts=before.batch_size // batching.batch_size)
    if smaller is None:
        reason = "the rows of a step cannot be divided further"
        raise MemoryExhaustedError(stage=job.stage.method, batch_size=1, reason=reason)
    changes: dict[str, Any] = {"packs": smaller, "stage": replace(job.stage, gradient_accumulation=accumulation)}
    return replace(job, **changes)


def _packs(job: Job) -> PackPlan | None:
    packs: PackPlan | None = getattr(job, "packs", None)
    return packs
