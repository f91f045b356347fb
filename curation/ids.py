"""Identity: canonical JSON, content hashes, Merkle roots and stable fractions.

Every id is BLAKE2b (RFC 7693) with a 16 byte digest, printed as 32 hexadecimal characters:

    content_hash({"b": 1, "a": 2}) == content_hash({"a": 2, "b": 1})
"""

import hashlib
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

DIGEST_BYTES = 16
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: Any) -> str:
    """Serialise to the one JSON text of a value: sorted keys, no spaces, UTF-8, no NaN.

    Raises:
        ValueError: if a number is not finite, since it would not survive a round trip.
    """
    return _ENCODER.encode(value)


def hash_bytes(data: bytes) -> str:
    """Return the 32 character hash of raw bytes."""
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()


def hash_file(path: Path) -> str:
    """Return the hash of a file's bytes, read piece by piece. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES)).hexdigest()


def hash_text(text: str) -> str:
    """Return the hash of a text; lone surrogates are kept distinct instead of failing."""
    return hash_bytes(text.encode("utf-8", "surrogatepass"))


def content_hash(value: Any) -> str:
    """Return the hash of the canonical JSON of a value."""
    return hash_text(canonical_json(value))


def merkle_root(hashes: Iterable[str], *, salt: str = "") -> str:
    """Return one hash over many, whatever their order; repeated hashes count as often as they occur."""
    state = hashlib.blake2b(salt.encode(), digest_size=DIGEST_BYTES)
    for item in sorted(hashes):
        state.update(item.encode())
        state.update(b"\n")
    return state.hexdigest()


def stable_fraction(key: str, salt: str) -> float:
    """Map a key to [0, 1) so that it never moves as other keys come and go (hash split, sampling)."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, key=hash_bytes(salt.encode()).encode())
    return int.from_bytes(digest.digest()) / math.exp2(64)


def stable_bucket(key: str, num_buckets: int, salt: str = "bucket") -> int:
    """Map a key to one of `num_buckets` buckets (source shards, table shards)."""
    return min(int(stable_fraction(key, salt) * num_buckets), num_buckets - 1)
