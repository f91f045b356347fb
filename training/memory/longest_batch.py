"""The longest batch goes first, and leaves no trace: what does not fit fails in the first seconds, not after hours.

    try_longest_batch_first(trainer, lengths=[120, 4096, ...], batch_size=8, say=print)
    trainer.train()

Before the first step, also of a resumed run, the micro-batch with the most tokens goes forward and backward; its gradients are
dropped. Random states, metrics and counters are put back, so that the run is bit for bit the one without the dry step.
"""

import contextlib
import copy
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

COUNTERS = ("_metrics", "_total_train_tokens", "_logs", "_step", "_buffered_inputs")
"""What TRL's trainers count in a step."""


def find_longest_batch(lengths: Sequence[int], batch_size: int) -> range:
    """Return the rows of the micro-batch with the most tokens, padding included.

    Args:
        lengths: tokens of each row, in the order of training; batches are cut from the start.
        batch_size: rows of a micro-batch.
    """
    starts = range(0, len(lengths), batch_size)
    widths = [max(lengths[start : start + batch_size]) * min(batch_size, len(lengths) - start) for start in starts]
    start = starts[max(range(len(widths)), key=widths.__getitem__)]
    return range(start, min(start + batch_size, len(lengths)))


def try_longest_batch_first(trainer: Any, *, lengths: Sequence[int], batch_size: int, say: Callable[[str], None]) -> None:
    """Let a transformers trainer take a dry step with its longest micro-batch before its first real one.

    DeepSpeed counts every backward pass as a micro-batch of its own, so there nothing is tried.
    """
    if not lengths or getattr(trainer, "is_deepspeed_enabled", False):
        return
    rows = find_longest_batch(lengths, batch_size)
    whole = trainer.training_step

    def first_step(model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
        del trainer.training_step  # from now on the method of its class
        with untouched(trainer, model):
            say(f"trying the longest batch first: {len(rows)} rows of up to {max(lengths[row] for row in rows)} tokens")
            batch = trainer.data_collator([trainer.train_dataset[row] for row in rows])
            with _reserved(trainer, model), _unsynchronised(model):
                for _ in range(min(2, trainer.args.gradient_accumulation_steps)):
                    whole(model, dict(batch), num_items_in_batch)
        return whole(model, inputs, num_items_in_batch)

    trainer.training_step = first_step


@contextlib.contextmanager
def untouched(trainer: Any, model: Any) -> Iterator[None]:
    """Put back what a step changes: random states, gradients, and the trainer's counters."""
    counters = {name: copy.deepcopy(vars(trainer)[name]) for name in COUNTERS if name in vars(trainer)}
    try:
        with same_random_states():
            yield
    finally:
        for parameter in model.parameters():
            parameter.grad = None
        vars(trainer).update(counters)


@contextlib.contextmanager
def same_random_states() -> Iterator[None]:
    """Leave the random states of Python, numpy and torch, of this process's device too, as they were."""
    import numpy
    import torch

    python, legacy = random.getstate(), numpy.random.get_state()
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(python)
        numpy.random.set_state(legacy)


@contextlib.contextmanager
def _reserved(trainer: Any, model: Any) -> Iterator[None]:
    """Hold as much memory as the optimizer's moments will need, which do not exist before the first step."""
    import torch

    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    has_states = bool(getattr(trainer.optimizer, "state", None))
    if has_states or not trained or not trained[0].is_cuda:
        yield
        return
    bytes_each = 1 if "8bit" in str(trainer.args.optim) else trained[0].element_size()
    size = 2 * bytes_each * sum(parameter.numel() for parameter in trained)
    held = torch.empty(size, dtype=torch.uint8, device=trained[0].device)
    yield
    del held


def _unsynchronised(model: Any) -> Any:
    """Keep distributed data parallelism from averaging gradients that are dropped."""
    return model.no_sync() if hasattr(model, "no_sync") else contextlib.nullcontext()
