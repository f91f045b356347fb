"""Writing a table row by row, in bounded memory: rows are spooled to disk in ranges of their bucket and sorted range by range.

    with TableWriter(files, Example) as writer:
        for example in endless_source():
            writer.add(example)
        table = writer.finish()                  # TableRef(record="Example", root="9f...", num_rows=80_000_000)

Rows are cut into buckets by a stable hash of their key; the number of buckets is a power of two that only the number of rows
decides, so a bucket is always a part of one spool file or made of whole ones, and the same rows give the same shards
whatever their order and however they were spooled.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, NamedTuple, TypeVar

import pyarrow as pa

from curation.errors import StoreFullError
from curation.files import FileSystem
from curation.ids import canonical_json, hash_text, merkle_root, stable_bucket
from curation.lineage.index import IndexWriter
from curation.record_rows import as_row
from curation.records import Record
from curation.shard_files import encode_shard
from curation.table_layout import TableRef, num_buckets_for, schema_text, shard_path
from curation.tables import from_arrow, schema_of, to_arrow

R = TypeVar("R", bound=Record)

SPOOL_RANGES = 64
MAX_ROWS_IN_MEMORY = 32_768
MAX_CHARS_IN_MEMORY = 48_000_000


class _Keyed(NamedTuple):
    """A row with what it is sorted by."""

    key: str
    hash: str
    record: Any


class TableWriter(Generic[R]):
    """Collects the rows of one table. Small tables stay in memory; leaving the `with` block removes the spool files."""

    def __init__(self, files: FileSystem, cls: type[R]) -> None:
        self._files = files
        self._cls = cls
        self._rows: list[_Keyed] = []
        self._num_chars = 0
        self._spool: Path | None = None
        self._sinks: dict[int, tuple[Any, pa.RecordBatchFileWriter]] = {}
        self._part = 0
        self._index = IndexWriter(files, cls)
        self.num_rows = 0

    def __enter__(self) -> "TableWriter[R]":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._spool is not None:
            shutil.rmtree(self._spool, ignore_errors=True)

    def add(self, record: R) -> None:
        """Take one row. Raises StoreFullError if the disk with the temporary files is full."""
        text = canonical_json(as_row(record))
        self._rows.append(_Keyed(record.key, hash_text(text), record))
        self._num_chars += len(text)
        self.num_rows += 1
        if len(self._rows) >= MAX_ROWS_IN_MEMORY or self._num_chars >= MAX_CHARS_IN_MEMORY:
            self._spill()

    def finish(self) -> TableRef:
        """Write the shards that are not there yet and the manifest, and return the table's address.

        Raises:
            StoreFullError: if the file system refuses a write. Nothing half-written stays behind.
        """
        num_buckets = num_buckets_for(self.num_rows)
        shards = [self._write_shard(bucket) for bucket in self._buckets(num_buckets) if bucket]
        self._index.finish()
        root = merkle_root((shard["hash"] for shard in shards), salt=schema_text(self._cls))
        manifest = {"record": self._cls.__name__, "root": root, "num_rows": self.num_rows, "shards": shards}
        path = f"tables/{root}.json"
        if not self._files.exists(path):
            self._files.write_bytes(path, canonical_json(manifest).encode())
        return TableRef(record=self._cls.__name__, root=root, num_rows=self.num_rows)

    def _buckets(self, num_buckets: int) -> Iterator[list[_Keyed]]:
        """Yield the sorted rows of every bucket, in order."""
        if self._spool is None:
            yield from _cut(self._rows, range(num_buckets), num_buckets)
            return
        self._spill()
        per_range = max(1, num_buckets // SPOOL_RANGES)
        ranges_each = max(1, SPOOL_RANGES // num_buckets)
        for first in range(0, num_buckets, per_range):
            start = first * SPOOL_RANGES // num_buckets
            rows = [row for number in range(start, start + ranges_each) for row in self._read_range(number)]
            yield from _cut(rows, range(first, first + per_range), num_buckets)

    def _write_shard(self, rows: list[_Keyed]) -> dict[str, Any]:
        shard_hash = merkle_root((row.hash for row in rows), salt=schema_text(self._cls))
        path = shard_path(shard_hash)
        if not self._files.exists(path):
            self._files.write_bytes(path, encode_shard(to_arrow(self._cls, (row.record for row in rows))))
        self._index.add(shard_hash, rows)
        return {"hash": shard_hash, "num_rows": len(rows)}

    def _spill(self) -> None:
        """Move the rows in memory to the spool files of their ranges, one Arrow file a range and spill."""
        rows, self._rows, self._num_chars = self._rows, [], 0
        try:
            self._spool = self._spool or Path(tempfile.mkdtemp(prefix="tunewright-spool-"))
            ranges: list[list[_Keyed]] = [[] for _ in range(SPOOL_RANGES)]
            for row in rows:
                ranges[stable_bucket(row.key, SPOOL_RANGES)].append(row)
            for number, part in enumerate(ranges):
                if part:
                    self._write_part(self._spool / f"{number}-{self._part}.arrow", part)
            self._part += 1
        except OSError as error:
            raise StoreFullError(path=str(self._spool), reason=error.strerror or str(error)) from error

    def _write_part(self, path: Path, rows: list[_Keyed]) -> None:
        table = to_arrow(self._cls, (row.record for row in rows))
        table = table.append_column("__hash", pa.array([row.hash for row in rows], pa.string()))
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)

    def _read_range(self, number: int) -> Iterator[_Keyed]:
        assert self._spool is not None
        for part in range(self._part):
            path = self._spool / f"{number}-{part}.arrow"
            if path.exists():
                with pa.memory_map(str(path)) as source:
                    table = pa.ipc.open_file(source).read_all()
                hashes = table["__hash"].to_pylist()
                records = from_arrow(self._cls, table.select(schema_of(self._cls).names))
                yield from (_Keyed(row.key, digest, row) for row, digest in zip(records, hashes, strict=True))


def _cut(rows: list[_Keyed], buckets: range, num_buckets: int) -> list[list[_Keyed]]:
    """Sort rows by key and hash and cut them into these buckets."""
    cut: list[list[_Keyed]] = [[] for _ in buckets]
    for row in sorted(rows, key=lambda row: row[:2]):
        cut[stable_bucket(row.key, num_buckets) - buckets.start].append(row)
    return cut
