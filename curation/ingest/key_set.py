"""The keys that a file of any length has used so far, in 16 to 40 bytes each.

keys = KeySet()
keys.add("q7"), keys.add("q7")      True, False
"""

import hashlib
from array import array

_FIRST_SLOTS = 1024


class KeySet:
    """A hash table of 64-bit key hashes. Two keys of ten million are taken for one with a chance of about 3 in a million."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * _FIRST_SLOTS))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, key: str) -> bool:
        """Add a key; False if it was there already."""
        digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        added = self._insert(int.from_bytes(digest) or 1)
        if added and self._count * 5 > len(self._slots) * 3:
            self._grow()
        return added

    def _insert(self, value: int) -> bool:
        slots = self._slots
        mask = len(slots) - 1
        place = value & mask
        while slots[place]:
            if slots[place] == value:
                return False
            place = (place + 1) & mask
        slots[place] = value
        self._count += 1
        return True

    def _grow(self) -> None:
        before = self._slots
        self._slots = array("Q", bytes(16 * len(before)))
        self._count = 0
        for value in before:
            if value:
                self._insert(value)
