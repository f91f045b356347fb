"""Where the parts of a table lie in the store, and what an address is.

TableRef(record="Example", root="9f...", num_rows=1200)
"""

from dataclasses import dataclass

from curation.tables import schema_of

ROWS_PER_SHARD = 2048
"""Aim for this many rows a shard; the bucket count is the next power of two."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TableRef:
    """The address of a table: the class of its records, its Merkle root and its size."""

    record: str
    root: str
    num_rows: int


def num_buckets_for(num_rows: int) -> int:
    """Return into how many buckets a table of this size is cut: a power of two."""
    buckets = 1
    while buckets * ROWS_PER_SHARD < num_rows:
        buckets *= 2
    return buckets


def schema_text(cls: type) -> str:
    """Return what tells two schemas apart; it salts the hashes of shards and tables."""
    return f"{cls.__name__}:{schema_of(cls).to_string(show_schema_metadata=False)}"


def shard_path(shard_hash: str) -> str:
    """Return the path of a shard below the root of the store."""
    return f"shards/{shard_hash[:2]}/{shard_hash}.parquet"
