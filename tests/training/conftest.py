"""A tiny corpus, tables of it, and a base model of 2 layers and width 32."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curation.records import Document, Example, Message, PreferencePair, Provenance, Section
from curation.store import Store
from training.config import DATA_OF, BaseModelConfig, StageConfig
from training.parent_watch import Stop
from training.run import run
from training.spec import RunSpec

PARTS = ("strings", "dates", "lists", "files")
WORDS = {"strings": "upper case text", "dates": "month of a day", "lists": "items in a row", "files": "read a table"}
MADE = Provenance(origin="synthetic", method="routing")


def make_document(number: int, part: str) -> Document:
    head, body = f"api.{part}.f{number}()", f"Get the {WORDS[part]} number {number}."
    text = f"{head}\n\n{body}"
    sections = (
        Section(heading_path=(head,), kind="signature", start=0, end=len(head)),
        Section(heading_path=(head,), kind="summary", start=len(head) + 2, end=len(text)),
    )
    return Document(
        key=f"api/{part}/{number}", source="api", title=head, kind="function", text=text, sections=sections,
        group=str(number), license="", output_terms="",
    )  # fmt: skip


def make_example(number: int, part: str, question: str = "") -> Example:
    asked = question or f"How do I get the {WORDS[part]} number {number}?"
    return Example(
        key=f"api/{part}/{number}#routing/0", task="routing", group=str(number), split="train", provenance=MADE,
        messages=(Message(role="user", content=asked), Message(role="assistant", content=f'{{"part":"{part}"}}')),
    )  # fmt: skip


def make_pair(example: Example) -> PreferencePair:
    return PreferencePair(
        key=f"{example.key}~pair/0", task="routing", prompt=example.prompt, chosen=example.answer, rejected="Hard to say.",
        rejected_kind="wrong_format", group=example.group, split="train", provenance=MADE,
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Bench:
    """A store with data, and a way to run a stage on it."""

    folder: Path
    url: str
    tables: dict[str, str]
    base: Path
    said: list[str]

    def spec(self, config: BaseModelConfig | StageConfig, *, name: str, parent: Path | None = None, **changes: Any) -> RunSpec:
        table = "documents" if isinstance(config, BaseModelConfig) else DATA_OF[config.method].table
        values = {"tables": {table: self.tables[table]}, "parent_model": str(parent or self.base), "seed": 0, **changes}
        return RunSpec(config=config, store_url=self.url, work_folder=str(self.folder / name), **values)

    def run(self, spec: RunSpec, *, say: Callable[[str], None] | None = None, stop: Stop | None = None) -> Path:
        Path(spec.work_folder).mkdir(parents=True, exist_ok=True)
        return run(spec, say or self.said.append, stop or Stop())


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("training")
    store = Store(str(folder / "store"))
    examples = [make_example(number, PARTS[number % 4]) for number in range(32)]
    tables = {
        "documents": store.write_table(Document, [make_document(number, PARTS[number % 4]) for number in range(32)]).root,
        "examples": store.write_table(Example, examples).root,
        "pairs": store.write_table(PreferencePair, [make_pair(example) for example in examples]).root,
    }
    bench = Bench(folder, store.url, tables, folder / "base" / "output", [])
    config = BaseModelConfig(hidden_size=32, num_layers=2, num_heads=2, vocab_size=320, context_length=128)
    bench.run(bench.spec(config, name="base"))
    return bench


@pytest.fixture(scope="session")
def tokenizer(bench: Bench) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(bench.base, local_files_only=True)
