"""A world of word problems in the shape of gsm8k, written by a rule, and a small model that solves half of them.

    Ann has 3 pens and buys 4 more. How many pens has Ann?      ->      3 + 4 = 7
                                                                        #### 7

Who has what, and how many, is drawn. A problem of the held-out side has a pair of name and thing that no problem of the
training side has. The model to start from has learnt from solutions of which some are wrong.
"""

import random
from pathlib import Path
from typing import Any, NamedTuple

from curation.records import Document, Example, Message, Provenance, VerifiableTask
from curation.store import Store
from tests.training.methods.two_words import World
from training.config import BaseModelConfig, StageConfig

NAMES = ("Ann", "Ben", "Eva", "Tom", "Kim", "Leo", "Mia", "Sam", "Zoe", "Max")
THINGS = ("pens", "cups", "eggs", "hats", "keys", "nuts", "bags", "toys", "figs", "caps")
LARGEST = 4
GRADER = "number"
SHARE_RIGHT = 0.7
"""Of the solutions that the first model learns from."""
NUM_PROBLEMS = 1200
MADE = Provenance(origin="synthetic", method="grounded_qa")
QUICK: dict[str, Any] = {
    "gradient_accumulation": 1,
    "max_length": 96,
    "checkpoint_every_steps": 0,
    "gradient_checkpointing": False,
}


class Problem(NamedTuple):
    """One word problem."""

    name: str
    thing: str
    first: int
    second: int
    is_sum: bool

    @property
    def prompt(self) -> tuple[Message, ...]:
        """The question as a conversation."""
        return (Message(role="user", content=self.question),)

    @property
    def question(self) -> str:
        """What is asked."""
        verb = "buys" if self.is_sum else "loses"
        more = f"{self.second} more" if self.is_sum else f"{self.second}"
        return f"{self.name} has {self.first} {self.thing} and {verb} {more}. How many {self.thing} has {self.name}?"

    @property
    def result(self) -> int:
        """What is right."""
        return self.first + self.second if self.is_sum else self.first - self.second

    def solution(self, result: int | None = None) -> str:
        """Return the worked solution, or a wrong one."""
        result = self.result if result is None else result
        return f"{self.first} {'+' if self.is_sum else '-'} {self.second} = {result}\n#### {result}"


def draw_problems(count: int, *, is_held_out: bool, seed: int = 0) -> list[Problem]:
    """Return different problems of one side."""
    rng, found = random.Random(f"{seed}/{is_held_out}"), dict[Problem, None]()
    while len(found) < count:
        name, thing = rng.choice(NAMES), rng.choice(THINGS)
        if ((NAMES.index(name) + THINGS.index(thing)) % 5 == 0) != is_held_out:
            continue
        is_sum, first, second = rng.random() < 0.5, rng.randint(1, LARGEST), rng.randint(1, LARGEST)
        found[Problem(name, thing, max(first, second), min(first, second), is_sum)] = None
    return list(found)


def draw_solution(problem: Problem, rng: random.Random) -> str:
    """Return a solution that is right as often as `SHARE_RIGHT` says."""
    if rng.random() < SHARE_RIGHT:
        return problem.solution()
    return problem.solution(rng.choice([result for result in range(2 * LARGEST + 1) if result != problem.result]))


def build_world(folder: Path) -> World:
    """Write problems as documents, as examples of which some are wrong, and as tasks."""
    store, rng = Store(str(folder / "store")), random.Random(0)
    problems = draw_problems(NUM_PROBLEMS, is_held_out=False)
    keys = [f"p/{number:04d}" for number in range(NUM_PROBLEMS)]
    common: dict[str, Any] = {"task": "sums", "split": "train", "provenance": MADE}
    rows: dict[str, tuple[type, list[Any]]] = {
        "documents": (
            Document,
            [
                Document(
                    key=key, source="p", title="t", kind="text", text=f"{problem.question} {problem.solution()}", sections=(),
                    group=key, license="", output_terms="",
                )
                for key, problem in zip(keys[:300], problems, strict=False)
            ],
        ),
        "examples": (
            Example,
            [
                Example(
                    key=key, group=key, **common,
                    messages=(*problem.prompt, Message(role="assistant", content=draw_solution(problem, rng))),
                )
                for key, problem in zip(keys, problems, strict=True)
            ],
        ),
        "tasks": (
            VerifiableTask,
            [
                VerifiableTask(
                    key=key, prompt=problem.prompt, reference=problem.solution(), grader=GRADER, group=key, **common
                )
                for key, problem in zip(keys, problems, strict=True)
            ],
        ),
    }  # fmt: skip
    tables = {name: store.write_table(cls, records).root for name, (cls, records) in rows.items()}
    return World(folder, store.url, tables, [])


def train_start(world: World) -> Path:
    """Train the model to start from: it knows the form, and half of the results."""
    base = world.run(BaseModelConfig(hidden_size=48, num_layers=2, num_heads=4, vocab_size=320, context_length=128), "base")
    stage = StageConfig(method="sft", tuning="full", max_steps=400, learning_rate=0.005, batch_size=32, **QUICK)
    return world.run(stage, "start", parent_model=str(base))
