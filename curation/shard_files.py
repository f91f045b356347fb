"""The bytes of a shard: a Parquet file that carries the hash of its own bytes, so that damage is always noticed.

    data = encode_shard(table)        any Parquet reader reads it
    decode_shard(data)                the table again; ValueError if one bit is wrong

Parquet alone does not tell: with one flipped bit, about one file in six is read without an error and with other values, and
some crash the process. The hash is checked before Arrow sees the file. It is computed with zeros in its own place.
"""

import pyarrow as pa
import pyarrow.parquet as pq

from curation.ids import hash_bytes

_MARKER = b"tunewright.blake2b"
_BLANK = b"0" * 32
_GAP = 2
"""Between key and value of the file's metadata stand a Thrift field header and the length of the value, one byte each."""


def encode_shard(table: pa.Table) -> bytes:
    """Return a table as a Parquet file with the hash of its bytes in the metadata."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, compression="zstd") as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({_MARKER.decode(): _BLANK.decode()})
    data: bytes = sink.getvalue().to_pybytes()
    place = _find_hash(data)
    assert data[place : place + len(_BLANK)] == _BLANK, "Parquet metadata is not where it should be"
    return data[:place] + hash_bytes(data).encode() + data[place + len(_BLANK) :]


def decode_shard(data: bytes) -> pa.Table:
    """Return the table of a Parquet file made by `encode_shard`.

    Raises:
        ValueError: if the bytes are not exactly those that were written.
    """
    place = _find_hash(data)
    end = place + len(_BLANK)
    if place < 0 or hash_bytes(data[:place] + _BLANK + data[end:]).encode() != data[place:end]:
        raise ValueError("its bytes do not have the hash that they had when they were written")
    # A shard is small: starting threads for it takes ten times as long as reading it.
    return pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)


def _find_hash(data: bytes) -> int:
    found = data.rfind(_MARKER)
    return found + len(_MARKER) + _GAP if found >= 0 else -1
