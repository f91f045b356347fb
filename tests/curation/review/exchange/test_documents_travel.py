"""Reviewed documents leave and come back in every shape, under the key that the recipe gives them."""

import json
from pathlib import Path

import pytest

from curation.records import Document
from curation.review.config import ReviewConfig
from curation.review.documents import DocumentReview, build_document_items, document_item_key
from curation.review.exchange.export import export_items
from curation.review.exchange.import_items import import_items
from curation.review.exchange.shapes import ShapeName
from curation.review.queue import ReviewQueue

CONFIG = ReviewConfig(documents="all")
DOCUMENT = Document(
    key="mail/7",
    source="mail",
    title="7",
    kind="text",
    text="Write to [EMAIL].\n",
    sections=(),
    group="7",
    license="CC-BY-4.0",
    output_terms="no_training",
)


@pytest.mark.parametrize(
    ("shape", "name"),
    [
        ("tunewright", "a.jsonl"),
        ("tunewright", "a.parquet"),
        ("flat", "a.csv"),
        ("argilla", "a.json"),
        ("label_studio", "a.json"),
    ],
)
def test_a_document_comes_back_as_it_was(queue: ReviewQueue, tmp_path: Path, shape: ShapeName, name: str) -> None:
    [item] = build_document_items(DocumentReview(documents=[DOCUMENT]), CONFIG)
    queue.sync_items([item], CONFIG)
    queue.submit(item.key, "reject", "Ada", reason="private: the name is still there")
    export_items(queue, tmp_path / name, shape)
    other = ReviewQueue(queue.database, "other")
    report = import_items(other, tmp_path / name, config=CONFIG)
    assert (report.num_rows, report.num_added, report.num_votes, report.refused) == (1, 1, 1, {})
    [entry] = other.list_items("all")
    assert entry.item.key == document_item_key(DOCUMENT, CONFIG)
    assert (entry.item.kind, entry.item.prompt, entry.item.answer) == ("document", (), DOCUMENT.text)
    assert (entry.item.record_key, entry.item.provenance) == (item.record_key, item.provenance)
    assert entry.human is not None
    assert (entry.human.decision, entry.human.reason) == ("reject", "private: the name is still there")


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_document_without_a_text_is_refused(queue: ReviewQueue, tmp_path: Path, text: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"kind": "document", "answer": text, "prompt": "What is it?"}) + "\n")
    report = import_items(queue, file, config=CONFIG, rejects=tmp_path / "rejects.jsonl")
    assert (report.num_added, report.refused) == (0, {"missing_value": 1})
