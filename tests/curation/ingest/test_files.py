"""Files of every kind, good and bad: good rows are kept, bad ones are rejections, nothing vanishes."""

import json
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.errors import ConfigError, EmptySourceError, SourceNotFoundError, SourceUnreadableError
from curation.ingest.config import SourceConfig
from curation.ingest.file_records import read_file
from curation.ingest.ingested import Ingested
from curation.ingest.sources import list_shards, read_shard
from curation.records import record_hash


def _source(path: object, **fields: object) -> SourceConfig:
    return SourceConfig(**{"name": "src", "kind": "files", "path": str(path), **fields})


def _read(path: object, **fields: object) -> Ingested:
    return read_shard(_source(path, **fields), "src-0of1")


def _reasons(ingested: Ingested) -> dict[str, str]:
    return {rejection.key: rejection.reason for rejection in ingested.rejections}


def test_good_rows_of_jsonl_are_kept_and_bad_ones_named(tmp_path: Path) -> None:
    lines = [
        b'{"id": "a", "text": "one"}',
        b"{oops",
        b"",
        b'{"text": "caf\xe9"}',
        b"[1]",
        b'{"id": "a", "text": "again"}',
        b'{"text": ""}',
    ]
    (tmp_path / "rows.jsonl").write_bytes(
        b"\xef\xbb\xbf" + b"\n".join(lines) + b'\n{"text": "two", "n": NaN}\n{"text": "three"}'
    )
    ingested = _read(tmp_path)
    assert [(document.key, document.text) for document in ingested.documents] == [
        ("src/rows.jsonl#a", "one"),
        ("src/rows.jsonl#row-9", "three"),
    ]
    assert _reasons(ingested) == {
        "src/rows.jsonl#row-2": "invalid_json",
        "src/rows.jsonl#row-4": "not_utf8",
        "src/rows.jsonl#row-5": "not_an_object",
        "src/rows.jsonl#row-6": "duplicate_key",
        "src/rows.jsonl#row-7": "empty_text",
        "src/rows.jsonl#row-8": "invalid_json",
    }
    detail = {rejection.key: rejection.detail for rejection in ingested.rejections}["src/rows.jsonl#row-4"]
    assert "rows.jsonl" in detail
    assert "Line 4" in detail
    assert "0xe9 at offset 13" in detail


def test_good_rows_of_csv_are_kept_and_bad_ones_named(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b'title,text\r\nA,"one, with\nbreak"\r\nragged\r\n\r\nB,\xff\xfe\r\nC,three\r\nD,"open')
    ingested = _read(tmp_path / "rows.csv")
    assert [(document.title, document.text) for document in ingested.documents] == [("A", "one, with\nbreak"), ("C", "three")]
    assert _reasons(ingested) == {
        "src/rows.csv#2": "ragged_row",
        "src/rows.csv#3": "not_utf8",
        "src/rows.csv#5": "unreadable_row",
    }
    assert "Line 4" in ingested.rejections[0].detail


def test_parquet_rows_with_several_text_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"topic": ["x", "y"], "note": ["n", None], "id": [7, None]}), tmp_path / "rows.parquet")
    ingested = _read(tmp_path / "*.parquet", text_columns=("topic", "note"))
    assert [(document.key, document.text) for document in ingested.documents] == [
        ("src/rows.parquet#7", "topic: x\n\nnote: n"),
        ("src/rows.parquet#row-2", "y"),
    ]
    first = ingested.documents[0]
    assert [first.text[section.start : section.end] for section in first.sections] == ["x", "n"]
    assert first.group == "7"


def test_files_that_are_not_what_their_name_says(tmp_path: Path) -> None:
    (tmp_path / "good.md").write_text("# Good\n\ntext")
    (tmp_path / "picture.md").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "wide.txt").write_bytes("text".encode("utf-16"))
    (tmp_path / "fake.parquet").write_bytes(b"PAR1 not really PAR1")
    (tmp_path / "binary.jsonl").write_bytes(b"\0\1\2")
    (tmp_path / "array.jsonl").write_bytes(b'[{"text": "x"}]')
    (tmp_path / "headless.csv").write_bytes(b"")
    (tmp_path / "twice.csv").write_bytes(b"a,a\n1,2\n")
    (tmp_path / "empty.md").write_bytes(b" \n\n")
    (tmp_path / "logo.png").write_bytes(b"x")
    (tmp_path / ".hidden.md").write_text("not read")
    ingested = _read(tmp_path)
    assert [(document.key, document.text) for document in ingested.documents] == [
        ("src/array.jsonl#1", "x"),
        ("src/good.md", "# Good\n\ntext"),
        ("src/wide.txt", "text"),
    ]
    assert _reasons(ingested) == {
        "src/picture.md": "binary_file",
        "src/latin.txt": "not_utf8",
        "src/fake.parquet": "not_parquet",
        "src/binary.jsonl": "binary_file",
        "src/headless.csv": "invalid_header",
        "src/twice.csv": "invalid_header",
        "src/empty.md": "empty_text",
        "src/logo.png": "unsupported_file_type",
    }
    assert "offset 3" in next(item.detail for item in ingested.rejections if item.key == "src/latin.txt")
    assert ingested.num_records == 11


def test_a_cut_parquet_file_is_one_rejection(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["x"] * 1000}), tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(data[: len(data) // 2])
    (tmp_path / "b.txt").write_text("fine")
    assert _reasons(_read(tmp_path)) == {"src/a.parquet": "not_parquet"}


def test_demonstrations_from_messages_and_from_columns(tmp_path: Path) -> None:
    talk = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi "},
        {"role": "assistant", "content": "Hello"},
    ]
    rows = [
        {"id": 1, "messages": talk, "customer": "c1"},
        {"id": 2, "question": "Q", "answer": "A"},
        {"id": 3, "messages": json.dumps(talk)},
        {"id": 4, "question": "Q"},
        {"id": 5, "messages": talk[:2]},
        {"id": 6, "messages": [{"role": "robot", "content": "x"}]},
        {"id": 7, "messages": "not json"},
        {"id": 8, "question": "Q", "answer": " "},
        {"id": 9, "messages": [{"role": "user", "content": None}]},
    ]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)))
    ingested = _read(tmp_path, role="demonstrations", group_column="customer", license="CC0", task="support")
    assert [example.key for example in ingested.examples] == ["src/d.jsonl#1", "src/d.jsonl#2", "src/d.jsonl#3"]
    first, second, third = ingested.examples
    assert (first.prompt[1].content, first.answer, first.group, first.task) == ("Hi", "Hello", "c1", "support")
    assert (second.prompt[0].content, second.answer) == ("Q", "A")
    assert third.messages == first.messages
    assert (first.provenance.origin, first.provenance.method, first.provenance.license) == ("human", "demonstration", "CC0")
    assert list(_reasons(ingested).values()) == [
        "missing_column", "ends_with_user", "unknown_role", "invalid_messages", "empty_text", "empty_turn",
    ]  # fmt: skip


def test_white_space_edits_leave_the_document_hash_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("# A\n\nSome text here.\n\n```py\nif x:\n    y\n```\n")
    before = list_shards(_source(tmp_path)), record_hash(_read(tmp_path).documents[0])
    path.write_bytes(b"\xef\xbb\xbf# A  \r\n\r\n\r\n\r\nSome  text here. \r\n\r\n```py\r\nif x:\r\n    y\r\n```")
    after = list_shards(_source(tmp_path)), record_hash(_read(tmp_path).documents[0])
    assert before[0] != after[0]
    assert before[1] == after[1]
    path.write_text("# A\n\nSome text here.\n\n```py\nif x:\n  y\n```\n")
    assert record_hash(_read(tmp_path).documents[0]) != before[1]


def test_an_edit_of_the_same_size_changes_one_shard_only(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}.txt").write_text("one")
    source = _source(tmp_path, shards=4)
    before = {shard.key: shard.fingerprint for shard in list_shards(source)}
    (tmp_path / "7.txt").write_text("two")
    after = {shard.key: shard.fingerprint for shard in list_shards(source)}
    assert set(before) == set(after)
    assert sum(before[key] != after[key] for key in before) == 1


def test_only_buckets_with_files_are_shards(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (shard,) = list_shards(_source(tmp_path, shards=8))
    assert read_shard(_source(tmp_path, shards=8), shard.key).documents[0].text == "x"
    empty = next(f"src-{number}of8" for number in range(8) if f"src-{number}of8" != shard.key)
    assert read_shard(_source(tmp_path, shards=8), empty).num_records == 0


def test_an_empty_shard_beside_good_ones_is_no_error_but_an_empty_source_is(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"{number}.md").write_text(" ")
    source = _source(tmp_path, shards=3)
    for shard in list_shards(source):
        with pytest.raises(EmptySourceError, match="src"):
            read_shard(source, shard.key)
    (tmp_path / "good.txt").write_text("text")
    assert sum(len(read_shard(source, shard.key).documents) for shard in list_shards(source)) == 1


def test_missing_sources_name_the_path(tmp_path: Path) -> None:
    for path in (tmp_path / "none.md", tmp_path / "*.md", tmp_path / "folder"):
        with pytest.raises(SourceNotFoundError, match=path.name.replace("*", r"\*")):
            list_shards(_source(path))
    with pytest.raises(SourceUnreadableError, match="nosuch"):
        list_shards(_source("nosuch://bucket/x"))


def test_stale_shard_keys_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    for key in ("src-0of2", "src-1of1", "other-0of1", "src-0of1\n"):
        with pytest.raises(ConfigError, match="shard"):
            read_shard(_source(tmp_path), key)


def test_remote_files_are_named_as_local_ones() -> None:
    files = fsspec.filesystem("memory")
    files.pipe("/ingest-test/docs/a/one.md", b"# One\n\ntext")
    files.pipe("/ingest-test/docs/two.txt", b"text")
    try:
        source = _source("memory://ingest-test/docs")
        assert [document.key for document in read_shard(source, "src-0of1").documents] == ["src/a/one.md", "src/two.txt"]
        globbed = _source("memory://ingest-test/docs/**/*.md")
        assert [document.key for document in read_shard(globbed, "src-0of1").documents] == ["src/a/one.md"]
        assert list_shards(source) == list_shards(source)
    finally:
        files.rm("/ingest-test", recursive=True)


def test_index_files_are_grouped_by_their_folder(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "README.md").write_text("text")
        (tmp_path / name / "guide.md").write_text("text")
    groups = {document.key: document.group for document in _read(tmp_path).documents}
    assert groups["src/a/README.md"] != groups["src/b/README.md"]
    assert groups["src/a/guide.md"] == groups["src/b/guide.md"] == "guide"


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv", "x.tsv", "x.parquet", "x.md", "x.txt", "x.exe"])
@pytest.mark.parametrize("role", ["documents", "demonstrations"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(data=st.one_of(st.binary(max_size=200), st.text(st.sampled_from('{}[]":,\n\ra1\\ud8')).map(str.encode)))
def test_any_bytes_give_records_or_rejections(name: str, role: str, data: bytes) -> None:
    ingested = read_file(_source("x", role=role), name, data)
    rows = (*ingested.documents, *ingested.examples, *ingested.rejections)
    assert ingested.num_records == len(rows) >= 1
    assert len({row.key for row in (*ingested.documents, *ingested.examples)}) == len(ingested.documents) + len(
        ingested.examples
    )
    for row in rows:
        record_hash(row)
    for document in ingested.documents:
        document.text.encode()
        assert all(0 <= section.start < section.end <= len(document.text) for section in document.sections)
