"""Which unit a row, a rejection or a call belongs to: the longest beginning of its key that is a unit's key.

find_unit("guides/intro.md#raft/0~pair/1", {"guides/intro.md#raft"})      "guides/intro.md#raft"
find_unit("guides/intro.md", {"guides/intro.md#raft"})                    None
"""

import re
from collections.abc import Container

_SEPARATOR = re.compile(r"[/~#@]")


def find_unit(key: str, units: Container[str]) -> str | None:
    """Return the key of the unit that a key belongs to, or None."""
    if key in units:
        return key
    for match in reversed(list(_SEPARATOR.finditer(key))):
        if key[: match.start()] in units:
            return key[: match.start()]
    return None
