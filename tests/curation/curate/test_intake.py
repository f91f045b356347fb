"""A shard goes into the store screened, counted, and whole."""

import json
from pathlib import Path

import pytest

from curation.contamination.items import EvalItem
from curation.curate.intake import take_in
from curation.curate.settings import CurateSettings
from curation.ingest.config import SourceConfig
from curation.records import Document, Example, PrivacyFinding, Rejection, UnpairedPreference
from curation.store import Store

PROSE = "The harbour master keeps a list of every boat that has a berth, and the list is read aloud each morning at seven. "


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def source(tmp_path: Path, name: str, **more: str) -> SourceConfig:
    return SourceConfig(name="src", kind="files", path=str(tmp_path / name), license="MIT", **more)  # type: ignore[arg-type]


def test_documents_are_screened_before_they_are_stored(tmp_path: Path, store: Store) -> None:
    (tmp_path / "a.md").write_text(f"# Berths\n\n{PROSE}Write to ada.okafor@northwind-traders.co about it.\n")
    (tmp_path / "b.md").write_text("x\n")
    (tmp_path / "c.md").write_bytes(b"\x00\x01")
    taken = take_in(store, source(tmp_path, "*.md"), "src-0of1", CurateSettings())
    (document,) = store.read_table(Document, taken.tables["documents"].root)
    assert "[EMAIL]" in document.text
    assert document.text[document.sections[-1].start : document.sections[-1].end].endswith("[EMAIL] about it.")
    reasons = {row.key: row.reason for row in store.read_table(Rejection, taken.tables["rejections"].root)}
    assert reasons["src/b.md"] == "document_too_short"
    assert set(reasons) == {"src/b.md", "src/c.md"}
    assert taken.rows_in == taken.rows_out + taken.tables["rejections"].num_rows == 3
    assert [row.entity for row in store.read_table(PrivacyFinding, taken.tables["findings"].root)] == ["EMAIL"]
    assert not any(b"okafor" in file.read_bytes() for file in (tmp_path / "store").rglob("*.parquet"))


def test_documents_that_give_a_benchmark_away_are_dropped(tmp_path: Path, store: Store) -> None:
    question = "Which of the seven lanterns on the northern pier was lit by the widow of the clockmaster in winter?"
    (tmp_path / "leak.md").write_text(f"# Quiz\n\n{question} It was the fourth one, as everybody knows.\n\n{PROSE}\n")
    (tmp_path / "fine.md").write_text(f"# Berths\n\n{PROSE}\n")
    items = [EvalItem(key="quiz/1", benchmark="quiz", prompt=question, answer="the fourth")]
    taken = take_in(store, source(tmp_path, "*.md"), "src-0of1", CurateSettings(), items)
    assert [row.key for row in store.read_table(Document, taken.tables["documents"].root)] == ["src/fine.md"]
    (rejection,) = store.read_table(Rejection, taken.tables["rejections"].root)
    assert (rejection.reason, rejection.other_key) == ("contaminated", "quiz/1")


def test_demonstrations_keep_their_kind(tmp_path: Path, store: Store) -> None:
    rows = [{"id": n, "question": f"What is part {n} for?", "answer": "For steering the boat."} for n in range(3)]
    rated = [{"id": n, "prompt": f"Say {n}", "completion": f"It is {n}.", "label": bool(n % 2)} for n in range(4)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rated) + "{broken\n")
    taken = take_in(store, source(tmp_path, "*.jsonl", role="demonstrations"), "src-0of1", CurateSettings())
    assert len(list(store.read_table(Example, taken.tables["examples"].root))) == 3
    assert [row.is_desirable for row in store.read_table(UnpairedPreference, taken.tables["unpaired"].root)].count(True) == 2
    assert taken.rows_in == 8
    assert len(taken.reports) == 2
