"""The lineage index: for every row of a table its key, hash, documents, parents and request ids, in mapped Arrow files.

    lineage/ab/ab....arrow      one part: the rows of up to 32 consecutive shards, named by the hashes of these shards
    key                      id     hash   documents                parents  requests
    docs/boats-oar.md#qa/0   9f...  3c...  ["docs/boats-oar.md"]    [...]    [...]

Ids of keys, parents and requests are 64 bits of BLAKE2b, `hash` the first 64 bits of the record hash, so that a million rows
are searched in a millisecond or two without sorting. A part follows from its shards alone: it is never changed, an unchanged
one is never written again, and one that is missing is built from them.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from curation.files import FileSystem
from curation.ids import content_hash
from curation.records import Document, Example, PreferencePair, ReviewItem, UnpairedPreference, VerifiableTask

SHARDS_PER_PART = 32
INDEXED: dict[str, type] = {
    cls.__name__: cls for cls in (Document, Example, PreferencePair, UnpairedPreference, VerifiableTask, ReviewItem)
}
"""Records that have a place in a lineage, by the name in a table's manifest."""
SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("id", pa.uint64()),
        ("hash", pa.uint64()),
        ("documents", pa.list_(pa.string())),
        ("parents", pa.list_(pa.uint64())),
        ("requests", pa.list_(pa.uint64())),
    ]
)


def id_of(name: str) -> int:
    """Return the 64 bits that stand for a key or a request id."""
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def part_path(shard_hashes: Sequence[str]) -> str:
    """Return the path of the part over these shards, below the root of the store."""
    name = content_hash([1, *shard_hashes])
    return f"lineage/{name[:2]}/{name}.arrow"


class IndexWriter:
    """Takes the rows of a table shard by shard, in the order of its manifest, and writes a part whenever one is full."""

    def __init__(self, files: FileSystem, cls: type, *, is_forced: bool = False) -> None:
        self._files = files
        self._is_forced = is_forced
        self._is_on = INDEXED.get(cls.__name__) is cls
        self._shards: list[str] = []
        self._columns: list[list[Any]] = [[] for _ in SCHEMA]

    def add(self, shard_hash: str, rows: Iterable[tuple[str, str, Any]]) -> None:
        """Take the rows of one shard as (key, record hash, record). Raises StoreFullError."""
        if not self._is_on:
            return
        self._shards.append(shard_hash)
        for key, digest, record in rows:
            for column, value in zip(self._columns, _entry(key, digest, record), strict=True):
                column.append(value)
        if len(self._shards) == SHARDS_PER_PART:
            self.finish()

    def finish(self) -> None:
        """Write what is left. Raises StoreFullError."""
        if self._shards:
            path = part_path(self._shards)
            if self._is_forced or not self._files.exists(path):
                self._files.write_bytes(path, _encode(self._columns))
            self._shards, self._columns = [], [[] for _ in SCHEMA]


def _entry(key: str, digest: str, record: Any) -> tuple[Any, ...]:
    origin = getattr(record, "provenance", None)
    if origin is None:
        return key, id_of(key), int(digest[:16], 16), (), (), ()
    parents = (*origin.parents, record.record_key) if isinstance(record, ReviewItem) else origin.parents
    return (
        key,
        id_of(key),
        int(digest[:16], 16),
        tuple({span.document_key: None for span in origin.spans}),
        tuple(map(id_of, parents)),
        tuple(map(id_of, origin.request_ids)),
    )


def _encode(columns: list[list[Any]]) -> bytes:
    arrays = [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, SCHEMA) as writer:
        writer.write_batch(pa.record_batch(arrays, schema=SCHEMA))
    data: bytes = sink.getvalue().to_pybytes()
    return data


def read_part(files: FileSystem, shard_hashes: Sequence[str]) -> pa.RecordBatch | None:
    """Return a part, mapped where the store is a local folder; None if it is missing or cannot be read."""
    path = part_path(shard_hashes)
    if not files.exists(path):
        return None
    try:
        mapped = files.is_local
        source = pa.memory_map(str(files.local_path(path))) if mapped else pa.BufferReader(files.read_bytes(path))
        batch = pa.ipc.open_file(source).get_batch(0)
    except (OSError, pa.ArrowException):
        return None
    return batch if batch.schema.equals(SCHEMA) else None
