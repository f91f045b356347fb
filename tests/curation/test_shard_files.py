"""One flipped bit anywhere in a shard is noticed before Arrow reads it."""

import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.shard_files import decode_shard, encode_shard

TABLE = pa.table({"key": [f"k{number}" for number in range(200)], "text": ["some text " * 5] * 200})


def test_any_parquet_reader_reads_a_shard() -> None:
    data = encode_shard(TABLE)
    assert decode_shard(data) == TABLE
    assert pq.read_table(pa.BufferReader(data)) == TABLE
    assert encode_shard(TABLE) == data


def test_every_flipped_bit_is_noticed() -> None:
    data = encode_shard(TABLE)
    choose = random.Random(3)
    for _ in range(500):
        damaged = bytearray(data)
        damaged[choose.randrange(len(data))] ^= 1 << choose.randrange(8)
        with pytest.raises(ValueError, match="hash"):
            decode_shard(bytes(damaged))


@pytest.mark.parametrize("data", [b"", b"PAR1", b"tunewright.blake2b", encode_shard(TABLE)[:-1], encode_shard(TABLE) + b"x"])
def test_cut_and_foreign_files_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="hash"):
        decode_shard(data)


def test_a_table_that_holds_the_marker_itself() -> None:
    table = pa.table({"text": ["tunewright.blake2b", "tunewright.blake2b" + "0" * 40]})
    assert decode_shard(encode_shard(table)) == table
