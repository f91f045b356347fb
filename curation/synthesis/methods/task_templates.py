"""Verifiable tasks without a teacher: templates with drawn numbers and an answer that is computed.

    template = TaskTemplate(text="What is {a} times {b}?", operation="product", low=2, high=99, tasks=100)
    draw_tasks({"times": template}, seed=0)[0]       DrawnTask(key="times/17x23", text="What is 17 times 23?", reference="391")

A task is named by its numbers, and numbers are drawn by stable hash, so asking for more tasks keeps those that are there.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from curation.config import check, config
from curation.ids import stable_bucket

Operation = Literal["sum", "difference", "product", "quotient", "remainder"]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)
_COMPUTE: dict[Operation, Callable[[int, int], int]] = {
    "sum": operator.add,
    "difference": operator.sub,
    "product": operator.mul,
    "quotient": operator.floordiv,
    "remainder": operator.mod,
}


@config
class TaskTemplate:
    """A question about two whole numbers."""

    text: str
    """The question, with `{a}` and `{b}` where the numbers go."""

    operation: Operation
    """How the answer is computed from a and b; `quotient` draws numbers that leave no remainder."""

    low: int = 2
    """Smallest number drawn."""

    high: int = 99
    """Largest number drawn (with `quotient` a may be larger: it is a multiple of b)."""

    tasks: int = 100
    """Tasks drawn; equal draws count once."""

    def __post_init__(self) -> None:
        has_both = "{a}" in self.text and "{b}" in self.text
        check(has_both, "text", "must hold {a} and {b}", self.text)
        check(self.operation in OPERATIONS, "operation", f"must be of {', '.join(OPERATIONS)}", self.operation)
        check(-(10**9) <= self.low <= self.high <= 10**9, "high", "must lie in low..1000000000", self.high)
        divides = self.operation in ("quotient", "remainder")
        check(not divides or self.low >= 1, "low", "must be at least 1 for a division", self.low)
        check(1 <= self.tasks <= 100_000, "tasks", "must lie in 1..100000", self.tasks)


@dataclass(frozen=True, kw_only=True)
class DrawnTask:
    """A question with its answer."""

    key: str
    text: str
    reference: str


def draw_tasks(templates: Mapping[str, TaskTemplate], *, seed: int) -> list[DrawnTask]:
    """Return the tasks of all templates, each once."""
    drawn: dict[str, DrawnTask] = {}
    for name, template in templates.items():
        for number in range(template.tasks):
            task = _draw(name, template, number, seed)
            drawn.setdefault(task.key, task)
    return list(drawn.values())


def _draw(name: str, template: TaskTemplate, number: int, seed: int) -> DrawnTask:
    width = template.high - template.low + 1
    first, second = (template.low + stable_bucket(f"{name}/{number}/{side}", width, salt=f"template {seed}") for side in "ab")
    first = first * second if template.operation == "quotient" else first
    text = template.text.replace("{a}", str(first)).replace("{b}", str(second))
    return DrawnTask(key=f"{name}/{first}x{second}", text=text, reference=str(_COMPUTE[template.operation](first, second)))
