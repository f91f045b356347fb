import csv
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from curation.privacy.config import PrivacyConfig
from curation.privacy.detect import screen_texts
from curation.privacy.entities import is_secret

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("REALDATA_DIR" not in os.environ, reason="REALDATA_DIR is not set"),
]
OURS = {"EMAIL_ADDRESS": "EMAIL", "IBAN_CODE": "IBAN", "US_SSN": "NATIONAL_ID", "DOMAIN_NAME": "URL"}


def folder() -> Path:
    return Path(os.environ["REALDATA_DIR"])


def labelled(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((folder() / "presidio_pii" / name).read_text(encoding="utf-8"))
    return rows


def wrong_spans(rows: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [
        (number, span["entity_type"])
        for number, row in enumerate(rows)
        for span in row["spans"]
        if row["full_text"][span["start_position"] : span["end_position"]] != span["entity_value"]
    ]


def test_the_labels_are_exact_but_for_one() -> None:
    large, small = labelled("data/synth_dataset_v2.json"), labelled("tests/data/generated_small.json")
    assert sum(len(row["spans"]) for row in large) == 2863
    assert wrong_spans(large) == []
    assert sum(len(row["spans"]) for row in small) == 173
    assert wrong_spans(small) == [(56, "PERSON")]


def test_entities_that_have_a_form_are_found_exactly() -> None:
    rows = labelled("data/synth_dataset_v2.json") + labelled("tests/data/generated_small.json")
    config = PrivacyConfig(entities={"URL": "keep"})
    labels, hits = Counter[str](), Counter[str]()
    for row, findings in zip(rows, screen_texts([row["full_text"] for row in rows], config), strict=True):
        found = {(item.entity, item.start, item.end) for item in findings}
        for span in row["spans"]:
            kind = span["entity_type"]
            labels[kind] += 1
            hits[kind] += (OURS.get(kind, kind), span["start_position"], span["end_position"]) in found
    for kind in ("EMAIL_ADDRESS", "PHONE_NUMBER", "IBAN_CODE", "US_SSN", "DOMAIN_NAME", "IP_ADDRESS"):
        assert hits[kind] == labels[kind], kind
    assert hits["CREDIT_CARD"] >= 0.99 * labels["CREDIT_CARD"]


def test_ordinary_rows_are_left_alone() -> None:
    with next((folder() / "banking77").rglob("train.csv")).open(encoding="utf-8") as file:
        rows = [row["text"] for row in csv.DictReader(file)]
    assert len(rows) == 10_003
    assert sum(len(findings) for findings in screen_texts(rows, PrivacyConfig())) <= 5


def test_documentation_of_software_shows_no_secrets() -> None:
    names = ("polars_docs", "fastapi_docs", "httpx_docs", "dagster_university")
    files = [path for name in names for path in sorted((folder() / name).rglob("*.md"))]
    assert len(files) > 500
    texts = [path.read_text(encoding="utf-8") for path in files]
    secrets = [
        (path.name, item.entity)
        for path, findings in zip(files, screen_texts(texts, PrivacyConfig()), strict=True)
        for item in findings
        if is_secret(item.entity)
    ]
    assert secrets == []
