"""Sources behind fsspec URLs: a web server, memory, and a large file that is never held whole."""

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from curation.errors import SourceNotFoundError, SourceUnreadableError
from curation.ingest.config import SourceConfig
from curation.ingest.sources import iterate_shard, list_shards, read_shard
from curation.records import Document, Rejection
from tests.curation.ingest.readers.samples import ROW_FILES, ROWS


def source_of(path: object, **fields: object) -> SourceConfig:
    return SourceConfig(**({"name": "src", "kind": "files", "path": str(path)} | fields))


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return None


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet", "a.zip", "a.jsonl.gz", "object.json", "a.arrow"])
def test_files_of_a_web_server_are_read(web: str, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(ROW_FILES[name])
    source = source_of(f"{web}/{name}", role="demonstrations")
    before = list_shards(source)
    assert list_shards(source) == before
    assert len(read_shard(source, "src-0of1").examples) == len(ROWS)
    with pytest.raises((SourceNotFoundError, SourceUnreadableError), match="nothing"):
        list_shards(source_of(f"{web}/nothing.jsonl"))


def test_a_server_that_gives_no_parts_of_files_is_read_to_the_end(web: str, tmp_path: Path) -> None:
    lines = [b'{"text": "%d %s"}\n' % (number, b"x" * 1000) for number in range(8000)]
    (tmp_path / "large.jsonl").write_bytes(b"".join(lines))
    assert len(read_shard(source_of(f"{web}/large.jsonl"), "src-0of1").documents) == 8000


@pytest.mark.parametrize("name", sorted(ROW_FILES))
def test_every_format_is_read_from_memory(name: str) -> None:
    files = fsspec.filesystem("memory")
    files.pipe(f"/remote-test/{name}", ROW_FILES[name])
    try:
        ingested = read_shard(source_of(f"memory://remote-test/{name}", role="demonstrations"), "src-0of1")
        assert len(ingested.examples) == len(ROWS)
    finally:
        files.rm("/remote-test", recursive=True)


def test_rows_come_before_the_file_has_been_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"".join(b'{"text": "%d%s"}\n' % (number, b" x" * 500) for number in range(5_000)))
    shard = iterate_shard(source_of(tmp_path), "src-0of1")
    first = next(shard)
    assert isinstance(first, Document)
    assert first.text.startswith("0 x")
    (tmp_path / "a.jsonl").write_bytes(b"")
    assert sum(1 for _ in shard) < 4_999


def test_reports_come_file_by_file(tmp_path: Path) -> None:
    for name in ("b.csv", "a.jsonl"):
        (tmp_path / name).write_bytes(ROW_FILES[name if name != "b.csv" else "a.csv"])
    (tmp_path / "c.bin").write_bytes(b"?")
    reports = []
    items = list(iterate_shard(source_of(tmp_path, text_columns=("answer",)), "src-0of1", reports.append))
    assert [(report.name, report.rows, report.rejected) for report in reports] == [
        ("a.jsonl", 20, 0),
        ("b.csv", 20, 0),
        ("c.bin", 1, 1),
    ]
    assert sum(isinstance(item, Rejection) for item in items) == 1


def test_an_unreadable_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    ingested = read_shard(source_of(tmp_path), "src-0of1")
    assert len(ingested.documents) == 1
    assert sum(report.rejected for report in ingested.reports) == len(ingested.rejections)
