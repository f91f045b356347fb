"""Vectors that were computed before, kept by model revision and text hash: one edited row embeds one text.

    cache = EmbeddingCache("/data/tunewright/embeddings")            a folder or any fsspec URL
    embedder = CachedEmbedder(ProcessEmbedder("offline-minilm"), cache)

Layout: `REVISION/HASH.parquet`, immutable files that carry the hash of their own bytes. Each is written under a temporary name,
fsynced and renamed; a damaged or vanished file only means that its texts are embedded again. Many small files become one.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from curation.embedding.embedder import Embedder, Vectors
from curation.files import FileSystem
from curation.ids import hash_bytes, hash_text
from curation.shard_files import decode_shard, encode_shard

BLOCK_TEXTS = 4_096
"""Texts that are embedded before they are committed: what a crash can cost."""
MAX_FILES = 64
MERGED_ROWS = 65_536
"""Files of at least so many rows are not merged any further."""


class EmbeddingCache:
    """A folder of vectors. Several processes may use it at once."""

    def __init__(self, url: str) -> None:
        self._files = FileSystem(url)
        self._known: dict[str, dict[str, tuple[str, int]]] = {}

    def find(
        self, revision: str, hashes: Sequence[str], dimension: int
    ) -> tuple[Vectors, "np.ndarray[tuple[int], np.dtype[np.bool_]]"]:
        """Return (num_hashes, dimension) vectors and which of them were there; the others are zeros."""
        vectors = np.zeros((len(hashes), dimension), dtype=np.float32)
        found = np.zeros(len(hashes), dtype=np.bool_)
        known = self._index(revision)
        wanted: dict[str, list[int]] = {}
        for position, text_hash in enumerate(hashes):
            if text_hash in known:
                wanted.setdefault(known[text_hash][0], []).append(position)
        for path, positions in sorted(wanted.items()):
            table = self._read(path)
            if table is None or table.schema.field("vector").type.list_size != dimension:
                continue
            rows = _vectors_of(table)
            vectors[positions] = rows[[known[hashes[position]][1] for position in positions]]
            found[positions] = True
        return vectors, found

    def dimension(self, revision: str) -> int:
        """Return the length of the vectors of a revision, 0 if none is there."""
        for path, _ in self._index(revision).values():
            table = self._read(path)
            if table is not None:
                return int(table.schema.field("vector").type.list_size)
        return 0

    def add(self, revision: str, hashes: Sequence[str], vectors: Vectors) -> None:
        """Keep vectors durably.

        Raises:
            StoreFullError: if the file system refuses the write.
        """
        if len(hashes):
            self._write(revision, _table_of(hashes, vectors))
            self._merge(revision)

    def _write(self, revision: str, table: pa.Table) -> str:
        data = encode_shard(table)
        path = f"{revision}/{hash_bytes(data)}.parquet"
        self._files.write_bytes(path, data)
        known = self._known.get(revision)
        if known is not None:
            known.update({text_hash: (path, row) for row, text_hash in enumerate(table["hash"].to_pylist())})
        return path

    def _index(self, revision: str) -> dict[str, tuple[str, int]]:
        """Return where each text's vector is; files that other processes wrote later are found by the next instance."""
        if revision not in self._known:
            known: dict[str, tuple[str, int]] = {}
            for path in self._files.find(revision, ".parquet"):
                table = self._read(path)
                if table is not None:
                    known.update({text_hash: (path, row) for row, text_hash in enumerate(table["hash"].to_pylist())})
            self._known[revision] = known
        return self._known[revision]

    def _read(self, path: str) -> pa.Table | None:
        try:
            return decode_shard(self._files.read_bytes(path))
        except (OSError, ValueError, pa.ArrowException):
            return None

    def _merge(self, revision: str) -> None:
        """Put the small files of a revision into one when there are too many; a file is removed after its rows are safe."""
        paths = self._files.find(revision, ".parquet")
        if len(paths) <= MAX_FILES:
            return
        tables = {path: self._read(path) for path in paths}
        small = {path: table for path, table in tables.items() if table is not None and table.num_rows < MERGED_ROWS}
        if len(small) < 2:
            return
        merged = _distinct(pa.concat_tables(list(small.values())))
        kept = self._write(revision, merged)
        for path in small:
            if path != kept:
                self._files.remove(path)


class CachedEmbedder:
    """An embedder that asks another one only for texts that the cache does not hold."""

    def __init__(self, embedder: Embedder, cache: EmbeddingCache) -> None:
        self._embedder = embedder
        self._cache = cache
        self.num_embedded = 0
        """Texts that the model was asked for so far."""
        self.num_found = 0
        """Texts that the cache held so far."""

    @property
    def name(self) -> str:
        """The model's name."""
        return self._embedder.name

    @property
    def revision(self) -> str:
        """The model's revision."""
        return self._embedder.revision

    @property
    def dimension(self) -> int:
        """Length of a vector; the model is not started if the cache knows."""
        return self._cache.dimension(self.revision) or self._embedder.dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return (num_texts, dimension) float32 rows; new ones are committed block by block.

        Raises what the model and the cache raise.
        """
        by_hash = {hash_text(text): text for text in texts}
        distinct = sorted(by_hash)
        dimension = self.dimension
        vectors, found = self._cache.find(self.revision, distinct, dimension)
        missing: list[int] = np.flatnonzero(~found).tolist()
        missing.sort(key=lambda position: (len(by_hash[distinct[position]]), distinct[position]))
        for start in range(0, len(missing), BLOCK_TEXTS):
            block = missing[start : start + BLOCK_TEXTS]
            vectors[block] = self._embedder.embed([by_hash[distinct[position]] for position in block])
            self._cache.add(self.revision, [distinct[position] for position in block], vectors[block])
        self.num_embedded += len(missing)
        self.num_found += len(distinct) - len(missing)
        places = {text_hash: place for place, text_hash in enumerate(distinct)}
        return vectors[[places[hash_text(text)] for text in texts]]

    def close(self) -> None:
        """Stop the model."""
        self._embedder.close()


def _table_of(hashes: Sequence[str], vectors: Vectors) -> pa.Table:
    flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel())
    return pa.table({"hash": pa.array(list(hashes)), "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])})


def _vectors_of(table: pa.Table) -> Vectors:
    column = table["vector"].combine_chunks()
    rows: Vectors = column.values.to_numpy(zero_copy_only=False).reshape(table.num_rows, column.type.list_size)
    return rows


def _distinct(table: pa.Table) -> pa.Table:
    first = {text_hash: row for row, text_hash in reversed(list(enumerate(table["hash"].to_pylist())))}
    return table.take(pa.array([first[text_hash] for text_hash in sorted(first)]))
