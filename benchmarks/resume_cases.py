"""What `benchmarks.resume_kills` trains: a small base model, tables of rows, and one stage a case.

workshop = build_workshop(Path("folder"))
workshop.cases["sft_lora"]              StageConfig(method="sft", tuning="lora", ...)
workshop.spec("sft_lora", "run-1")      RunSpec(..., work_folder="folder/run-1")
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.records import Document, Example, Message, PreferencePair, Provenance, Section, VerifiableTask
from curation.store import Store
from training.config import BaseModelConfig, EarlyStoppingConfig, LoraConfig, RlConfig, StageConfig
from training.parent_watch import Stop
from training.run import run
from training.spec import RunSpec

NUM_ROWS = 48
NUM_STEPS, STEPS_A_CHECKPOINT = 24, 3
TOPICS = ("strings", "dates", "lists", "files")
MADE = Provenance(origin="synthetic", method="routing")
SHARED: dict[str, Any] = {
    "learning_rate": 0.01, "batch_size": 4, "gradient_accumulation": 1, "max_length": 128, "gradient_checkpointing": False,
    "max_steps": NUM_STEPS, "checkpoint_every_steps": STEPS_A_CHECKPOINT,
}  # fmt: skip
CASES: dict[str, StageConfig] = {
    "sft_full": StageConfig(method="sft", tuning="full", **SHARED),
    "sft_lora": StageConfig(method="sft", tuning="lora", lora=LoraConfig(rank=4, dropout=0.1), **SHARED),
    "dpo": StageConfig(method="dpo", tuning="full", **{**SHARED, "gradient_accumulation": 2}),
    "dapt_packed": StageConfig(method="dapt", tuning="full", packing=True, tokens_per_batch=256, **SHARED),
    "early_stopping": StageConfig(
        method="sft",
        tuning="full",
        early_stopping=EarlyStoppingConfig(patience=2, min_improvement=0.1, every_steps=2),
        **{**SHARED, "learning_rate": 0.05, "max_steps": 60},
    ),
    "grpo": StageConfig(
        method="grpo",
        tuning="full",
        rl=RlConfig(num_generations=4, max_new_tokens=8),
        **{**SHARED, "max_steps": 8, "checkpoint_every_steps": 2, "batch_size": 8},
    ),
}
TABLES = {"dapt": "documents", "sft": "examples", "dpo": "pairs", "grpo": "tasks"}


@dataclass(frozen=True)
class Workshop:
    """A store with rows, a base model, and the cases."""

    folder: Path
    store_url: str
    tables: dict[str, str]
    base: Path
    cases: dict[str, StageConfig]

    def spec(self, case: str, name: str) -> RunSpec:
        """Return a run of a case with a work folder of its own."""
        config = self.cases[case]
        table = TABLES[config.method]
        return RunSpec(
            config=config,
            store_url=self.store_url,
            tables={table: self.tables[table]},
            parent_model=str(self.base),
            work_folder=str(self.folder / name),
        )


def build_workshop(folder: Path) -> Workshop:
    """Write the tables and build the base model, with 2 layers of width 32."""
    store = Store(str(folder / "store"))
    numbers = range(NUM_ROWS)
    tables = {
        "documents": store.write_table(Document, [_document(number) for number in numbers]).root,
        "examples": store.write_table(Example, [_example(number) for number in numbers]).root,
        "pairs": store.write_table(PreferencePair, [_pair(number) for number in numbers]).root,
        "tasks": store.write_table(VerifiableTask, [_task(number) for number in numbers]).root,
    }
    config = BaseModelConfig(hidden_size=32, num_layers=2, num_heads=2, vocab_size=320, context_length=128)
    base = RunSpec(
        config=config, store_url=store.url, tables={"documents": tables["documents"]}, work_folder=str(folder / "base")
    )
    Path(base.work_folder).mkdir()
    output = run(base, lambda line: None, Stop())
    return Workshop(folder, store.url, tables, output, CASES)


def _topic(number: int) -> str:
    return TOPICS[number % len(TOPICS)]


def _question(number: int) -> str:
    return f"How do I get the {_topic(number)} number {number}?"


def _answer(number: int) -> str:
    return f'{{"part":"{_topic(number)}"}}'


def _document(number: int) -> Document:
    title, body = f"api.{_topic(number)}.f{number}()", f"Get the {_topic(number)} number {number}. " * (1 + number % 3)
    section = Section(heading_path=(title,), kind="summary", start=0, end=len(body))
    return Document(
        key=f"api/{number:04d}", source="api", title=title, kind="function", text=body, sections=(section,),
        group=str(number), license="", output_terms="",
    )  # fmt: skip


def _example(number: int) -> Example:
    messages = (Message(role="user", content=_question(number)), Message(role="assistant", content=_answer(number)))
    return Example(
        key=f"api/{number:04d}", task="routing", group=str(number), split="train", provenance=MADE, messages=messages
    )


def _pair(number: int) -> PreferencePair:
    return PreferencePair(
        key=f"api/{number:04d}~pair", task="routing", prompt=(Message(role="user", content=_question(number)),),
        chosen=_answer(number), rejected="Hard to say.", rejected_kind="wrong_format", group=str(number), split="train",
        provenance=MADE,
    )  # fmt: skip


def _task(number: int) -> VerifiableTask:
    return VerifiableTask(
        key=f"api/{number:04d}~task", task="routing", prompt=(Message(role="user", content=_question(number)),),
        reference=_topic(number)[0], grader="exact", group=str(number), split="train", provenance=MADE,
    )  # fmt: skip
