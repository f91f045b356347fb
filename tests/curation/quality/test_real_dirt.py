"""The dirt that is known to be in the real data is found by the default suites, by name and count."""

import json
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from curation.quality.config import QualityConfig, TableName
from curation.quality.flatten import flatten_table, record_class
from curation.quality.suites import ExpectationOutcome, run_suite
from curation.records import Document, Example, Message, PreferencePair, Provenance, Section, UnpairedPreference
from curation.tables import to_arrow

pytestmark = pytest.mark.realdata
PROVENANCE = Provenance(origin="human", method="demonstration")
ROLES = {"human": "user", "gpt": "assistant", "system": "system"}


@pytest.fixture(scope="module")
def folder() -> Path:
    where = os.environ.get("REALDATA_DIR")
    if not where:
        pytest.skip("REALDATA_DIR is not set: unpack the real data and point it there")
    return Path(where)


def _json(file: Path) -> Any:
    return json.loads(file.read_text())


def _lines(file: Path) -> list[Any]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def _example(key: str, prompt: str, answer: str) -> Example:
    messages = (Message(role="user", content=prompt), Message(role="assistant", content=answer))
    return Example(key=key, task="t", messages=messages, group=key, split="train", provenance=PROVENANCE)


def _failing(name: TableName, rows: Iterable[Any]) -> dict[str, int]:
    outcomes = _outcomes(name, rows)
    assert [item.detail for item in outcomes if item.errored] == []
    return {item.name.split("__", 1)[-1]: item.num_failing for item in outcomes if not item.passed and item.severity != "info"}


def _outcomes(name: TableName, rows: Iterable[Any]) -> tuple[ExpectationOutcome, ...]:
    return run_suite(QualityConfig().suite(name), flatten_table(name, to_arrow(record_class(name), rows)))


def test_alpaca_repeats_fourteen_prompts(folder: Path) -> None:
    rows = _json(folder / "llamafactory_demo/alpaca_en_demo.json")
    examples = [
        _example(f"alpaca/a.json#{n}", "\n\n".join(filter(None, (row["instruction"], row["input"]))), row["output"])
        for n, row in enumerate(rows)
    ]
    assert len(examples) == 999
    assert _failing("demonstrations", examples)["prompt_copy"] == 14


def test_186_of_the_dpo_rows_have_more_than_one_message(folder: Path) -> None:
    rows = _json(folder / "llamafactory_demo/dpo_en_demo.json")
    pairs = [
        PreferencePair(
            key=f"dpo/{n}",
            task="t",
            prompt=tuple(Message(role=ROLES[item["from"]], content=item["value"]) for item in row["conversations"]),  # type: ignore[arg-type]
            chosen=row["chosen"]["value"],
            rejected=row["rejected"]["value"],
            rejected_kind="ranked_lower",
            group=str(n),
            split="train",
            provenance=PROVENANCE,
        )
        for n, row in enumerate(rows)
    ]
    counts = {
        item.name.split("__")[1]: item.num_failing for item in _outcomes("preference_dataset", pairs) if "__num_" in item.name
    }
    assert counts == {"num_messages": 186, "num_turns": 106}


def test_gsm8k_carries_calculator_marks(folder: Path) -> None:
    rows = _lines(folder / "gsm8k/data/train.jsonl")
    examples = [_example(f"gsm8k/train.jsonl#{n}", row["question"], row["answer"]) for n, row in enumerate(rows)]
    found = _failing("demonstrations", examples)
    assert [count for name, count in found.items() if name.startswith("answer")] == [7378]


def test_medquad_is_whole(folder: Path) -> None:
    files = sorted((folder / "medquad").rglob("*.xml"))
    assert len(files) == 745
    examples = [
        _example(
            f"medquad/{file.stem}#{pair.get('pid')}", pair.findtext("Question") or "", (pair.findtext("Answer") or "").strip()
        )
        for file in files
        for pair in ElementTree.parse(file).getroot().iter("QAPair")
    ]
    assert len(examples) == 4607
    critical = [item for item in _outcomes("demonstrations", examples) if item.severity == "critical"]
    assert [item.name for item in critical if not item.passed and "unique" not in item.name] == []


def test_kto_has_both_labels_and_its_refusals_are_named(folder: Path) -> None:
    rows = [
        UnpairedPreference(
            key=f"kto/{n}",
            task="t",
            prompt=tuple(Message(role=item["role"], content=item["content"]) for item in row["messages"][:-1]),
            answer=row["messages"][-1]["content"],
            is_desirable=row["label"],
            group=str(n),
            split="train",
            provenance=PROVENANCE,
        )
        for n, row in enumerate(_json(folder / "llamafactory_demo/kto_en_demo.json"))
    ]
    found = _failing("unpaired_preferences", rows)
    assert len(rows) == 300
    assert "is_desirable" not in found
    assert sum(count for name, count in found.items() if name.startswith("answer")) > 0


def test_mixed_kinds_of_ids_are_named(folder: Path) -> None:
    """The benchmark's ids are numbers, the seeds' are names: put together, the rarer kind is odd."""
    questions = _lines(next((folder / "fastchat_mt_bench").rglob("question.jsonl")))
    seeds = _lines(next((folder / "self_instruct_seeds").rglob("seed_tasks.jsonl")))
    assert (len(questions), len(seeds)) == (80, 175)
    keys = [f"all/all.jsonl#{row['id']}" for row in seeds] + [f"all/all.jsonl#{row['question_id']}" for row in questions]
    assert _failing("demonstrations", [_example(key, key, "yes") for key in keys]) == {"has_odd_id": 80}


def test_documentation_has_no_damage(folder: Path) -> None:
    documents = [
        Document(
            key=f"httpx/{file.name}",
            source="httpx",
            title=file.stem,
            kind="markdown",
            text=(text := file.read_text()),
            sections=(Section(heading_path=(), kind="body", start=0, end=len(text)),),
            group=file.stem,
            license="BSD-3-Clause",
            output_terms="",
        )
        for file in sorted((folder / "httpx_docs").rglob("*.md"))
    ]
    assert len(documents) >= 23
    assert "text" not in _failing("documents", documents)
