"""Do rows, batches and processes fit together?

find_size_faults(subject)      [Hit("less_than_a_step", detail="...")]
"""

from collections.abc import Iterator

from training.preflight.findings import Hit
from training.preflight.subject import Subject

RULES = ("too_few_rows", "less_than_a_step", "last_step_partial", "group_split")
"""What is looked for here."""


def find_size_faults(subject: Subject) -> Iterator[Hit]:
    """Yield what does not fit."""
    sizes, rows = subject.sizes, subject.num_rows
    at_once = sizes.batch_size * sizes.world_size
    step = at_once * sizes.gradient_accumulation
    if sizes.num_generations and step % sizes.num_generations:
        answers = f"{step} answers a step ({sizes.batch_size} x {sizes.world_size} x {sizes.gradient_accumulation})"
        yield Hit("group_split", detail=f"{answers}, {sizes.num_generations} for each prompt.")
    if sizes.num_generations:
        step = max(1, step // sizes.num_generations)
        at_once = min(at_once, step)
    if rows < at_once and sizes.world_size > 1:
        detail = f"{rows} rows; {sizes.world_size} processes take {at_once} at once."
        yield Hit("too_few_rows", detail=detail)
    elif rows < step:
        taken = f"{step} micro-batches" if sizes.is_packed else str(step)
        yield Hit("less_than_a_step", detail=f"{rows} rows; one step takes {taken}.")
    elif rows % step and not sizes.is_packed:
        yield Hit("last_step_partial", detail=f"{rows % step} of {step} rows in the last step of an epoch.")
