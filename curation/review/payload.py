"""Review items as the database stores them: ASCII JSON, so that any text (NUL, half surrogates) survives in any database.

unpack_item(pack_item(item)) == item
"""

import json

from curation.record_rows import as_row, from_row
from curation.records import ReviewItem


def pack_item(item: ReviewItem) -> str:
    """Return an item as one line of ASCII JSON."""
    return json.dumps(as_row(item), sort_keys=True, separators=(",", ":"))


def unpack_item(payload: str) -> ReviewItem:
    """Return the item that `pack_item` was given."""
    return from_row(ReviewItem, json.loads(payload))
