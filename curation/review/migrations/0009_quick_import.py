"""Indexes that a new item has no place in: keys are hashes, so each index by key costs an import a page of its own an item.

Free slots have no holder and most items no lot, so indexes over those hold the others only. Nothing reads `review_items_open`.
"""

import sqlalchemy as sa
from alembic import op

revision = "review_0009"
down_revision = "review_0008"
branch_labels = None
depends_on = None

HELD = sa.text("holder IS NOT NULL")
LEASED = sa.text("holder IS NOT NULL AND done_sequence = 0 AND is_listed")
IN_LOT = sa.text("lot <> ''")


def upgrade() -> None:
    """Put the smaller indexes in the place of the old ones, and add one over the items of a lot in the order of a search."""
    op.drop_index("review_items_open", "review_items")
    for table, name, columns, where, is_unique in (
        ("review_items", "lot", ["recipe", "lot", "item_key"], IN_LOT, False),
        ("review_slots", "holder", ["recipe", "item_key", "holder"], HELD, True),
        ("review_slots", "leases", ["recipe", "holder", "expires_at"], LEASED, False),
    ):
        op.drop_index(f"{table}_{name}", table)
        op.create_index(f"{table}_{name}", table, columns, unique=is_unique, sqlite_where=where, postgresql_where=where)
    columns = ["recipe", "lot", "arrival"]
    op.create_index("review_items_lot_arrival", "review_items", columns, sqlite_where=IN_LOT, postgresql_where=IN_LOT)
