"""Row counts of real files equal those that were counted without this code (a table beside the data)."""

import os
from pathlib import Path

import pytest

from curation.ingest.config import SourceConfig
from curation.ingest.file_records import options_of
from curation.ingest.ingested import Ingested
from curation.ingest.listing import list_files
from curation.ingest.readers.limits import Limits
from curation.ingest.readers.opening import open_rows
from curation.ingest.readers.unwrapping import unwrap
from curation.ingest.rows import Row
from curation.ingest.sources import read_shard

pytestmark = pytest.mark.realdata

COUNTS = {
    "llamafactory_demo/alpaca_en_demo.json": ("json_array", 999),
    "llamafactory_demo/dpo_en_demo.json": ("json_array", 300),
    "llamafactory_demo/kto_en_demo.json": ("json_array", 300),
    "llamafactory_demo/glaive_toolcall_en_demo.json": ("json_array", 300),
    "llamafactory_demo/c4_demo.jsonl": ("json_lines", 300),
    "llamafactory_demo/wiki_demo.txt": ("text", 30),
    "banking77/train.csv": ("csv", 10003),
    "banking77/test.csv": ("csv", 3080),
    "aqua/dev.json": ("json_lines", 254),
    "aqua/test.json": ("json_lines", 254),
    "bfcl/BFCL_v4_simple_python.json": ("json_lines", 400),
    "bfcl/BFCL_v4_multiple.json": ("json_lines", 200),
    "bfcl/BFCL_v4_irrelevance.json": ("json_lines", 240),
    "gsm8k/data/train.jsonl": ("json_lines", 7473),
    "gsm8k/data/test.jsonl": ("json_lines", 1319),
    "humaneval/HumanEval.jsonl.gz": ("json_lines", 164),
    "gpteacher_codegen/codegen-instruct.json": ("json_array", 4535),
    "fastchat_dummy_chat/dummy_conversation.json": ("json_array", 500),
    "presidio_pii/data/synth_dataset_v2.json": ("json_array", 1500),
    "pandalm_testset/testset-v1.json": ("json_array", 999),
    "llmbar/Natural/dataset.json": ("json_array", 100),
    "xquad/xquad.de.json": ("json_object", 48),
    "ifeval/input_data.jsonl": ("json_lines", 541),
    "self_instruct_seeds/data/seed_tasks.jsonl": ("json_lines", 175),
}
FOLDERS = {"polars_docs": 86, "fastapi_docs": 155, "httpx_docs": 23, "dagster_university": 240}
PROVENANCE_FILES = ("SOURCE.md", "LICENSE.md")
"""Added beside the copied files."""


@pytest.fixture
def realdata() -> Path:
    folder = os.environ.get("REALDATA_DIR", "")
    if not folder:
        pytest.skip("REALDATA_DIR is not set: unpack the real data and name its folder there")
    return Path(folder)


@pytest.mark.parametrize("name", sorted(set(COUNTS) - {"llamafactory_demo/wiki_demo.txt"}))
def test_row_counts(realdata: Path, name: str) -> None:
    source = SourceConfig(name="s", kind="files", path=str(realdata / name))
    with (realdata / name).open("rb") as stream:
        (file,) = unwrap(name, stream, Limits())
        assert file.stream is not None
        rows = open_rows(file.inner_name, file.stream, options_of(source))
        found = list(rows)
    assert (rows.format, len(found)) == COUNTS[name]
    assert all(isinstance(row, Row) for row in found)
    assert rows.encoding.name == "utf-8"


def _read(path: Path, **fields: object) -> Ingested:
    return read_shard(SourceConfig(name="s", kind="files", path=str(path), **fields), "s-0of1")


def test_medquad_has_4607_answers_in_745_files(realdata: Path) -> None:
    path = realdata / "medquad" / "**" / "*.xml"
    ingested = _read(path, role="demonstrations", record_path="QAPair", key_column="@pid")
    assert len(ingested.reports) == 745
    assert all(report.format == "xml" for report in ingested.reports)
    assert sum(report.rows - report.rejected for report in ingested.reports) == len(ingested.examples) == 4607
    assert {rejection.reason for rejection in ingested.rejections} == {"no_records"}
    assert len(ingested.rejections) == sum(
        b"<QAPair " not in file.read_bytes() for file in (realdata / "medquad").rglob("*.xml")
    )


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_documentation_trees(realdata: Path, folder: str) -> None:
    paths = [realdata / folder / "**" / "*.md", *(realdata / folder).glob(".[a-z]*/")]
    found = [_read(path) for path in paths]
    documents = [document for ingested in found for document in ingested.documents]
    names = [document.key for document in documents if not document.key.endswith(PROVENANCE_FILES)]
    rejected = [rejection for ingested in found for rejection in ingested.rejections]
    assert len(names) + len(rejected) == FOLDERS[folder]
    assert {rejection.reason for rejection in rejected} <= {"empty_text"}
    for document in documents:
        assert document.kind == "markdown"
        assert all(0 <= section.start < section.end <= len(document.text) for section in document.sections)


def test_a_text_file_is_one_document(realdata: Path) -> None:
    (document,) = _read(realdata / "llamafactory_demo" / "wiki_demo.txt").documents
    assert len([line for line in document.text.split("\n") if line.strip()]) >= COUNTS["llamafactory_demo/wiki_demo.txt"][1]


def test_every_real_file_gives_rows_or_a_reason(realdata: Path) -> None:
    source = SourceConfig(name="all", kind="files", path=str(realdata))
    assert len(list_files(source).files) > 1000
    ingested = read_shard(source, "all-0of1")
    assert sum(report.rows for report in ingested.reports) == ingested.num_records > 40_000
    reasons = {rejection.reason for rejection in ingested.rejections}
    assert "unreadable_file" not in reasons
    assert "not_utf8" not in reasons
