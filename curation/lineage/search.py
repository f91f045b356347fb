"""Finding rows by key, hash or request id, and all that descends from a withdrawn document, in tables of any size.

    table = open_table(store, root)
    [place] = table.find_key("docs/boats-oar.md#routing/0")
    table.read(place)                                         # the Example: one shard is read
    hits = find_descendants([candidates, curated], [Subject.parse("docs/boats-oar.md")])
    candidates.keys(hits[0])                                  # keys of the rows

Only the lineage index is searched. Keys and parents are compared by 64 bits of their hash: among four million keys two
different ones agree with a probability of one in two million, and then a row too many is found, never one too few.
"""

import functools
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import pyarrow as pa

from curation.errors import CorruptTableError
from curation.lineage.index import INDEXED, SHARDS_PER_PART, IndexWriter, id_of, read_part
from curation.lineage.subject import Subject
from curation.records import record_hash
from curation.store import Store
from curation.tables import from_arrow


class TableIndex:
    """The index of one stored table; rows are named by their position in it."""

    def __init__(self, store: Store, root: str) -> None:
        manifest = store.read_manifest(root)
        self.root = root
        self.num_rows: int = manifest["num_rows"]
        self._store = store
        self._cls = INDEXED[manifest["record"]]
        self._shards: list[dict[str, Any]] = manifest["shards"]
        self._starts = [0, *accumulate(shard["num_rows"] for shard in self._shards)]

    @property
    def record(self) -> type:
        """The class of the records."""
        return self._cls

    @functools.cached_property
    def parts(self) -> list[tuple[int, pa.RecordBatch]]:
        """The parts of the index, each with the position of its first row; those that are missing are built first.

        Raises:
            CorruptTableError: if a shard cannot be read, or a part does not have as many rows as its shards.
        """
        found = []
        for first in range(0, len(self._shards), SHARDS_PER_PART):
            shards = self._shards[first : first + SHARDS_PER_PART]
            num_rows = sum(shard["num_rows"] for shard in shards)
            hashes = [shard["hash"] for shard in shards]
            batch = read_part(self._store.files, hashes)
            if batch is None or batch.num_rows != num_rows:
                self._build(shards)
                batch = read_part(self._store.files, hashes)
            if batch is None or batch.num_rows != num_rows:
                raise CorruptTableError(path=f"lineage of {self.root}", reason="its index cannot be read")
            found.append((self._starts[first], batch))
        return found

    def _build(self, shards: list[dict[str, Any]]) -> None:
        writer = IndexWriter(self._store.files, self._cls, is_forced=True)
        for shard in shards:
            rows: Iterator[Any] = from_arrow(self._cls, self._store.read_shard(self._cls, shard))
            writer.add(shard["hash"], ((row.key, record_hash(row), row) for row in rows))
        writer.finish()

    def find_key(self, key: str) -> list[int]:
        """Return the positions of the rows with this key."""
        return self._where_equal("id", id_of(key))

    def find_key_prefix(self, prefix: str) -> list[int]:
        """Return the positions of the rows whose key starts with this."""
        import pyarrow.compute as pc

        found: list[int] = []
        for start, batch in self.parts:
            found += (start + _flags(pc.starts_with(batch.column("key"), prefix)).nonzero()[0]).tolist()
        return found

    def key_at(self, position: int) -> str:
        """Return the key of the row at a position, without reading its shard."""
        start, batch = next((start, batch) for start, batch in self.parts if start <= position < start + batch.num_rows)
        return str(batch.column("key")[position - start].as_py())

    def find_hash(self, prefix: str) -> list[int]:
        """Return the positions of rows whose record hash starts with these hexadecimal digits (of which 16 are compared)."""
        digits = prefix[:16].lower()
        if not digits or not set(digits) <= set("0123456789abcdef"):
            return []
        low, high = int(digits.ljust(16, "0"), 16), int(digits.ljust(16, "f"), 16)
        found: list[int] = []
        for start, batch in self.parts:
            hashes = _numbers(batch.column("hash"))
            found += (start + ((hashes >= low) & (hashes <= high)).nonzero()[0]).tolist()
        return found

    def find_request(self, request_id: str) -> list[int]:
        """Return the positions of the rows that came of a teacher call."""
        return self._where_listed("requests", id_of(request_id))

    def find_parent(self, key: str) -> list[int]:
        """Return the positions of the rows that were made from this row (for review items: that show it)."""
        return self._where_listed("parents", id_of(key))

    def _where_equal(self, column: str, value: int) -> list[int]:
        found: list[int] = []
        for start, batch in self.parts:
            found += (start + (_numbers(batch.column(column)) == value).nonzero()[0]).tolist()
        return found

    def _where_listed(self, column: str, value: int) -> list[int]:
        found: list[int] = []
        for start, batch in self.parts:
            lists = batch.column(column)
            hits = (_numbers(lists.flatten()) == value).nonzero()[0]
            found += sorted({start + row for row in _rows_of(lists, hits).tolist()})
        return found

    def read(self, position: int) -> Any:
        """Return the record at a position; its shard is read and its bytes are checked. Raises CorruptTableError."""
        import bisect

        number = bisect.bisect_right(self._starts, position) - 1
        shard = self._store.read_shard(self._cls, self._shards[number])
        return next(iter(from_arrow(self._cls, shard.slice(position - self._starts[number], 1))))

    def keys(self, positions: Any) -> list[str]:
        """Return the keys at these positions (a sorted NumPy array), in order."""
        found: list[str] = []
        for start, batch in self.parts:
            inside = positions[(positions >= start) & (positions < start + batch.num_rows)]
            found += batch.column("key").take(pa.array(inside - start)).to_pylist() if len(inside) else []
        return found

    def ids(self, positions: Any) -> Any:
        """Return the ids of the keys at these positions, as a NumPy array."""
        import numpy as np

        found = [np.empty(0, np.uint64)]
        for start, batch in self.parts:
            inside = positions[(positions >= start) & (positions < start + batch.num_rows)]
            found.append(_numbers(batch.column("id"))[inside - start])
        return np.concatenate(found)

    def seeds(self, subjects: Sequence[Subject]) -> Any:
        """Return the sorted positions of rows that a subject names: by their own key, or as a document that they rest on."""
        import numpy as np

        found = [np.empty(0, np.int64)]
        for start, batch in self.parts:
            keys, lists = batch.column("key"), batch.column("documents")
            documents = lists.flatten()
            for subject in subjects:
                found.append(start + np.flatnonzero(_flags(subject.mask(keys))))
                found.append(start + _rows_of(lists, np.flatnonzero(_flags(subject.mask(documents)))))
        return _distinct(np.concatenate(found))

    def children(self, ids: Any) -> Any:
        """Return the sorted positions of the rows one of whose parents has one of these ids (a sorted NumPy array)."""
        import numpy as np

        found = [np.empty(0, np.int64)]
        for start, batch in self.parts:
            lists = batch.column("parents")
            parents = _numbers(lists.flatten())
            places = np.searchsorted(ids, parents)
            is_hit = ids[np.minimum(places, len(ids) - 1)] == parents if len(ids) else np.zeros(len(parents), bool)
            found.append(start + _rows_of(lists, np.flatnonzero(is_hit)))
        return _distinct(np.concatenate(found))


def open_table(store: Store, root: str) -> TableIndex:
    """Open the index of a stored table.

    Raises:
        MissingTableError: if no table has this root.
        KeyError: if its records have no lineage; see `has_lineage`.
    """
    return TableIndex(store, root)


def has_lineage(record: str) -> bool:
    """Tell whether tables of a class of records (by name) are indexed."""
    return record in INDEXED


def find_descendants(tables: Sequence[TableIndex], subjects: Sequence[Subject]) -> list[Any]:
    """Return for every table the sorted positions of the rows that descend from a subject, through rows of any table."""
    import numpy as np

    found = [table.seeds(subjects) for table in tables]
    known = np.empty(0, np.uint64)
    while True:
        ids = _distinct(np.concatenate([known, *(table.ids(rows) for table, rows in zip(tables, found, strict=True))]))
        fresh = np.setdiff1d(ids, known, assume_unique=True)
        if not len(fresh):
            return found
        found = [_distinct(np.concatenate([rows, table.children(fresh)])) for table, rows in zip(tables, found, strict=True)]
        known = ids


def count_keys(tables: Sequence[TableIndex], found: Sequence[Any]) -> int:
    """Return how many different keys stand at these positions of these tables."""
    import numpy as np

    ids = [table.ids(rows) for table, rows in zip(tables, found, strict=True)]
    return len(_distinct(np.concatenate([np.empty(0, np.uint64), *ids])))


def _distinct(numbers: Any) -> Any:
    """Return the numbers sorted, each once; `numpy.unique` hashes, which takes ten times as long for a million."""
    import numpy as np

    ordered = np.sort(numbers)
    is_first = np.ones(len(ordered), bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    return ordered[is_first]


def _numbers(column: pa.Array) -> Any:
    return column.to_numpy(zero_copy_only=True)


def _flags(mask: pa.Array) -> Any:
    return mask.to_numpy(zero_copy_only=False)


def _rows_of(lists: pa.Array, positions: Any) -> Any:
    """Return in which row each position of the flattened values stands."""
    import numpy as np

    offsets = lists.offsets.to_numpy(zero_copy_only=True)
    return np.searchsorted(offsets - offsets[0], positions, side="right") - 1
