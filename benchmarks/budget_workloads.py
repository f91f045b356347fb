"""Seeded workloads with heavy-tailed lengths, for the tests of the estimate and for its benchmark.

    make_workload(seed=3, num_tasks=1000)[0].planned

Prompts: log-normal (sigma 0.5 to 1 by method), so that the longest are many times as long as most. Replies: a base and a
share of the prompt, times log-normal noise (sigma 0.5); cut at `MAX_TOKENS`. `read_gsm8k` gives real lengths to compare with.
"""

import json
import math
import random
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from curation.synthesis.budget.estimate import Planned, Spent
from curation.synthesis.budget.prices import Price

MAX_TOKENS = 2048
PRICE = Price(input_usd=Decimal("0.40"), output_usd=Decimal("1.60"), cached_input_usd=Decimal("0.10"))


@dataclass(frozen=True)
class Task:
    """One call of a workload, and how long its reply will be."""

    key: str
    method: str
    prompt_bytes: int
    prompt_tokens: int
    completion_tokens: int

    @property
    def cost_usd(self) -> Decimal:
        """What the call costs."""
        return PRICE.cost(prompt_tokens=self.prompt_tokens, completion_tokens=self.completion_tokens)

    @property
    def planned(self) -> Planned:
        """What is known beforehand."""
        return Planned(key=self.key, stratum=self.method, size=self.prompt_bytes)

    @property
    def spent(self) -> Spent:
        """What is known afterwards."""
        return Spent(tokens=self.prompt_tokens + self.completion_tokens, cost_usd=self.cost_usd)


METHODS = (("raft", 1.0, 0.04, 120), ("grounded_qa", 0.8, 0.08, 60), ("evol_instruct", 0.5, 0.3, 200))
"""Name, sigma of the prompts, share of the prompt and base of the replies, in tokens."""


def make_workload(seed: int, num_tasks: int, *, noise: float = 0.5) -> list[Task]:
    """Return a workload of one to three methods in shares that depend on the seed."""
    source = random.Random(f"workload {seed}")
    methods = METHODS[: source.choice([1, 2, 3])]
    shares = [source.random() + 0.2 for _ in methods]
    return [_make_task(f"{seed}/{number}", *source.choices(methods, shares)[0], noise, source) for number in range(num_tasks)]


def _make_task(key: str, method: str, sigma: float, share: float, base: int, noise: float, source: random.Random) -> Task:
    size = int(min(60_000, max(200, math.exp(source.gauss(7.6, sigma)))))
    prompt = int(size / 4.2 * math.exp(source.gauss(0, 0.05))) + 30
    factor = math.exp(source.gauss(-(noise**2) / 2, noise))
    completion = int(min(MAX_TOKENS, max(1, (base + share * prompt) * factor)))
    return Task(key=f"{key}#{method}", method=method, prompt_bytes=size, prompt_tokens=prompt, completion_tokens=completion)


def read_gsm8k(folder: Path) -> list[Task]:
    """Return GSM8K's training set as if it were written by a teacher: a question with a prompt around it, and its solution."""
    tasks = []
    with next(folder.rglob("train.jsonl")).open(encoding="utf-8") as lines:
        for number, row in enumerate(map(json.loads, lines)):
            size = len(row["question"].encode()) + 400
            reply = min(MAX_TOKENS, len(row["answer"].encode()) * 10 // 42)
            tasks.append(
                Task(
                    key=f"{number}#gsm8k",
                    method="gsm8k",
                    prompt_bytes=size,
                    prompt_tokens=size * 10 // 42,
                    completion_tokens=reply,
                )
            )
    return tasks
