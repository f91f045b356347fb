"""Random byte flips and cuts of every format: rows, documents or rejections come out, never an exception."""

import random

import pytest

from curation.ingest.config import SourceConfig
from curation.ingest.file_records import read_file
from curation.records import record_hash
from tests.curation.ingest.readers.samples import PROSE_FILES, ROW_FILES

FILES = ROW_FILES | PROSE_FILES


def damage(data: bytes, chance: random.Random) -> bytes:
    """Flip 1 to 8 bytes, or cut the file, or both, or repeat a part of it."""
    damaged = bytearray(data)
    kind = chance.randrange(4)
    if kind != 1:
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    if kind in (1, 2):
        del damaged[chance.randrange(len(damaged)) :]
    if kind == 3:
        start = chance.randrange(len(damaged))
        damaged[start:start] = damaged[: chance.randrange(1, 200)]
    return bytes(damaged)


def check_damaged(name: str, num_files: int, role: str) -> None:
    """Read damaged copies of a file; each gives something, reported with the same count, and every record has a hash."""
    chance = random.Random(f"{name} {num_files}")
    source = SourceConfig(
        name="fuzz", kind="files", path="x", role=role, text_columns=() if role != "documents" else ("answer",)
    )
    for number in range(num_files):
        ingested = read_file(source, name, damage(FILES[name], chance))
        assert ingested.num_records >= 1, number
        assert sum(report.rows for report in ingested.reports) == ingested.num_records
        assert sum(report.rejected for report in ingested.reports) == len(ingested.rejections)
        for record in (*ingested.documents, *ingested.examples, *ingested.rejections):
            record_hash(record)
        assert all(rejection.reason and rejection.detail.startswith("File '") for rejection in ingested.rejections)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_hundred_damaged_files_raise_nothing(name: str) -> None:
    check_damaged(name, 100 if name != "a.docx" else 30, "documents")


@pytest.mark.slow
@pytest.mark.parametrize("role", ["documents", "demonstrations"])
@pytest.mark.parametrize("name", sorted(FILES))
def test_two_thousand_damaged_files_raise_nothing(name: str, role: str) -> None:
    if role == "documents" or name in ROW_FILES:
        check_damaged(name, 2000, role)
