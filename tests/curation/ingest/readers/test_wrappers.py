"""Compressed files and archives: members are files of their own; bombs and unsafe names are rejections."""

import gzip
import io
import stat
import struct
import zipfile
from dataclasses import replace

import pytest
import zstandard

from curation.ingest.config import SourceConfig
from curation.ingest.file_records import iterate_file, options_of
from curation.ingest.ingested import Ingested, SourceReport
from curation.ingest.readers.limits import Limits
from tests.curation.ingest.readers.samples import ROWS, json_lines, zipped

LIMITS = Limits(ratio_free_bytes=100_000, unpacked_bytes=50_000_000, unpacked_ratio=100, members=20)


def read(name: str, data: bytes, limits: Limits = LIMITS) -> Ingested:
    source = SourceConfig(name="s", kind="files", path="x", text_columns=())
    reports: list[SourceReport] = []
    options = replace(options_of(source), limits=limits)
    return Ingested.of(iterate_file(source, name, io.BytesIO(data), reports.append, options), reports)


def reasons(ingested: Ingested) -> dict[str, str]:
    return {rejection.key: rejection.reason for rejection in ingested.rejections}


def test_members_are_files_of_their_own() -> None:
    data = zipped(
        {"b/rows.jsonl": json_lines(), "a.md": b"# A\n\ntext", "folder/": b"", "x.gz": gzip.compress(b"x"), "c.exe": b"?"}
    )
    ingested = read("docs.zip", data)
    assert ingested.documents[0].key == "s/docs.zip!/a.md"
    assert ingested.documents[0].title == "A"
    assert [document.key for document in ingested.documents[1:3]] == [
        "s/docs.zip!/b/rows.jsonl#q0",
        "s/docs.zip!/b/rows.jsonl#q1",
    ]
    assert len(ingested.documents) == 1 + len(ROWS)
    assert reasons(ingested) == {
        "s/docs.zip!/c.exe": "unsupported_file_type",
        "s/docs.zip!/x.gz": "unsupported_file_type",
    }
    assert len(ingested.reports) == 4


def test_packing_is_taken_off_twice_but_not_more() -> None:
    inner = zipped({"a.jsonl.gz": gzip.compress(b'{"text": "x"}')})
    assert [document.key for document in read("o.zip", inner).documents] == ["s/o.zip!/a.jsonl.gz#1"]
    assert reasons(read("o.zip", zipped({"i.zip": inner}))) == {"s/o.zip!/i.zip!/a.jsonl.gz": "nested_archive"}


def test_several_frames_are_read_to_the_end() -> None:
    lines = [b'{"text": "one"}\n', b'{"text": "two"}\n']
    for name, data in {
        "a.jsonl.gz": b"".join(map(gzip.compress, lines)) + b"\0" * 50,
        "a.jsonl.zst": b"".join(map(zstandard.ZstdCompressor().compress, lines)),
    }.items():
        assert [document.text for document in read(name, data).documents] == ["one", "two"]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_a_cut_stream_keeps_the_rows_before_and_says_so(name: str) -> None:
    lines = b"".join(b'{"text": "%d"}\n' % number for number in range(3000))
    data = (gzip.compress if name.endswith("gz") else zstandard.ZstdCompressor().compress)(lines)
    ingested = read(name, data[: len(data) * 9 // 10])
    assert reasons(ingested) == {f"s/{name}": "damaged_file"}
    assert "cut off" in ingested.rejections[0].detail


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "json", "txt", "parquet", "pdf"])
def test_bombs_are_rejections(suffix: str) -> None:
    zeros = b"[" + b"0," * 6_000_000
    for name, data in {
        f"a.{suffix}.gz": gzip.compress(zeros),
        f"a.{suffix}.zst": zstandard.ZstdCompressor(level=19).compress(zeros),
        "a.zip": zipped({f"a.{suffix}": zeros}),
    }.items():
        found = reasons(read(name, data))
        assert "decompression_bomb" in found.values(), (name, found)


def test_many_members_share_one_budget() -> None:
    data = zipped({f"{number}.txt": b"x" * 90_000 for number in range(10)})
    found = read("a.zip", data)
    assert 0 < len(found.documents) < 10
    assert set(reasons(found).values()) == {"decompression_bomb"}
    assert reasons(read("b.zip", zipped({f"{number}.txt": b"x" for number in range(30)}))) == {"s/b.zip": "decompression_bomb"}


def test_unsafe_members_are_named_and_not_read() -> None:
    file = io.BytesIO()
    link = zipfile.ZipInfo("link.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("../up.txt", "/root.txt", "a/../../b.txt", "C:/x.txt", "ok.txt"):
            archive.writestr(name, "text")
        archive.writestr(link, "/etc/passwd")
    found = read("a.zip", file.getvalue())
    assert [document.key for document in found.documents] == ["s/a.zip!/ok.txt"]
    assert reasons(found).pop("s/a.zip!/link.txt") == "link_member"
    assert sorted(reasons(found).values()) == ["link_member"] + ["unsafe_member_name"] * 4


def test_doubled_and_encrypted_members_are_rejected() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "first")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.txt", "second")
    found = read("a.zip", file.getvalue())
    assert [document.text for document in found.documents] == ["first"]
    assert list(reasons(found).values()) == ["duplicate_member"]
    locked = bytearray(zipped({"a.txt": b"text"}))
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        place = locked.index(signature) + offset
        locked[place : place + 2] = struct.pack("<H", 1)
    assert list(reasons(read("b.zip", bytes(locked))).values()) == ["encrypted_file"]


def test_what_is_no_archive_is_a_rejection() -> None:
    for data in (b"", b"PK\x03\x04", b"not a zip at all"):
        assert list(reasons(read("a.zip", data)).values()) == ["damaged_file"]
    assert list(reasons(read("a.zip", zipped({}))).values()) == ["empty_text"]
