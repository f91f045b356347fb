"""A world of two words: boats belong to the sea, bread to the oven. The model has seen
the right answer seven times in ten, and is as unsure."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.records import (
    Document,
    Example,
    Message,
    PreferencePair,
    Provenance,
    UnpairedPreference,
    VerifiableTask,
)
from curation.store import Store
from training.config import BaseModelConfig, LoraConfig, StageConfig
from training.parent_watch import Stop
from training.run import run
from training.spec import RunSpec

ANSWERS = {"boat": "sea", "bread": "oven"}
MADE = Provenance(origin="synthetic", method="routing")
NUM_HELD_OUT = 24
QUICK: dict[str, Any] = {
    "batch_size": 16,
    "gradient_accumulation": 1,
    "max_length": 64,
    "checkpoint_every_steps": 0,
    "gradient_checkpointing": False,
}

PREPARED: dict[str, Any] = {**QUICK, "precision": "fp32"}
"""Models to start from know the same on every device."""


def prompt_of(number: int) -> tuple[Message, ...]:
    """Return the prompt of a row; even numbers ask for boats."""
    return (Message(role="user", content=f"{number} {thing_of(number)}?"),)


def thing_of(number: int) -> str:
    return "boat" if number % 2 == 0 else "bread"


def right_of(number: int) -> str:
    return ANSWERS[thing_of(number)]


def wrong_of(number: int) -> str:
    return ANSWERS["bread" if number % 2 == 0 else "boat"]


def example_of(number: int, answer: str) -> Example:
    messages = (*prompt_of(number), Message(role="assistant", content=answer))
    return Example(key=f"w/{number:04d}", task="t", messages=messages, group=str(number), split="train", provenance=MADE)


@dataclass(frozen=True)
class World:
    """Tables, and models to start from."""

    folder: Path
    url: str
    tables: dict[str, str]
    said: list[str]

    def run(self, config: BaseModelConfig | StageConfig, name: str, **spec: Any) -> Path:
        table = "documents" if isinstance(config, BaseModelConfig) else config.data.table
        values = {"tables": {table: self.tables[table]}, "seed": 0, **spec}
        work = self.folder / name
        work.mkdir(parents=True, exist_ok=True)
        stop = values.pop("stop", None) or Stop()
        say = values.pop("say", None) or self.said.append
        return run(RunSpec(config=config, store_url=self.url, work_folder=str(work), **values), say, stop)


def build_world(folder: Path) -> World:
    """Write the tables of the world into a folder."""
    store = Store(str(folder / "store"))
    rng = random.Random(0)
    numbers = range(96)
    common = {"task": "t", "split": "train", "provenance": MADE}
    unsure = [example_of(n, right_of(n) if rng.random() < 0.7 else wrong_of(n)) for n in range(384)]
    rows: dict[str, tuple[type, list[Any]]] = {
        "documents": (Document, [_document(number) for number in numbers]),
        "unsure": (Example, unsure),
        "examples": (Example, [example_of(number, right_of(number)) for number in numbers]),
        "pairs": (
            PreferencePair,
            [
                PreferencePair(
                    key=f"w/{number:04d}~p", prompt=prompt_of(number), chosen=right_of(number), rejected=wrong_of(number),
                    rejected_kind="wrong", group=str(number), **common,
                )
                for number in numbers
            ],
        ),
        "unpaired": (
            UnpairedPreference,
            [
                UnpairedPreference(
                    key=f"w/{number:04d}~{good}", prompt=prompt_of(number), is_desirable=good,
                    answer=right_of(number) if good else wrong_of(number), group=str(number), **common,
                )
                for number in numbers
                for good in ((True, False) if number % 3 else (True,))
            ],
        ),
        "tasks": (
            VerifiableTask,
            [
                VerifiableTask(
                    key=f"w/{number:04d}", prompt=prompt_of(number), reference=right_of(number), grader="exact",
                    group=str(number), **common,
                )
                for number in numbers
            ],
        ),
    }  # fmt: skip
    tables = {name: store.write_table(cls, records).root for name, (cls, records) in rows.items()}
    return World(folder, store.url, tables, [])


def _document(number: int) -> Document:
    text = f"{number} boat sea? {number} bread oven?"
    return Document(
        key=f"w/{number:04d}", source="w", title="t", kind="text", text=text, sections=(), group=str(number), license="",
        output_terms="",
    )  # fmt: skip


def train_base(world: World) -> Path:
    """Build a model that knows nothing."""
    return world.run(BaseModelConfig(hidden_size=48, num_layers=2, num_heads=2, vocab_size=300, context_length=64), "base")


def train_knowing(world: World, base: Path) -> Path:
    """Train a model that knows the right answers: a teacher."""
    config = StageConfig(method="sft", tuning="full", max_steps=100, learning_rate=0.004, **PREPARED)
    return world.run(config, "knowing", parent_model=str(base))


def train_unsure(world: World, knowing: Path) -> Path:
    """Make that model unsure: it answers questions for bread no better than by chance."""
    config = StageConfig(method="sft", tuning="full", max_steps=12, learning_rate=0.001, **PREPARED)
    return world.run(config, "start", parent_model=str(knowing), tables={"examples": world.tables["unsure"]})


LORA = LoraConfig(rank=8, alpha=16.0)


def answer_logps(folder: Path, answer_of: Any) -> list[float]:
    """Return the log-probability of an answer to each held-out prompt."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from training.chat_format import ChatFormat

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).eval()
    chat, found = ChatFormat(tokenizer), []
    for number in range(1000, 1000 + NUM_HELD_OUT):
        tokens = chat.encode(prompt_of(number), answer_of(number))
        with torch.no_grad():
            logps = model(torch.tensor([tokens.ids])).logits[0].log_softmax(-1)
        start, end = len(tokens.prompt), len(tokens.ids)
        found.append(sum(logps[at - 1, tokens.ids[at]].item() for at in range(start, end)))
    return found


def margins(folder: Path) -> list[float]:
    """Return by how much the right answer is likelier than the wrong one, for each held-out prompt."""
    return [right - wrong for right, wrong in zip(answer_logps(folder, right_of), answer_logps(folder, wrong_of), strict=True)]


def p_value(before: list[float], after: list[float]) -> float:
    """Return the one-sided p-value of Wilcoxon's signed-rank test that values rose."""
    from scipy.stats import wilcoxon

    return float(wilcoxon(after, before, alternative="greater").pvalue)
