"""Lots: their plans and decisions, the items of their samples, and an index over what is offered."""

import sqlalchemy as sa
from alembic import op

revision = "review_0007"
down_revision = "review_0006"
branch_labels = None
depends_on = None

OFFERED = sa.text("done_sequence = 0 AND is_listed AND priority >= 0")


def upgrade() -> None:
    """Create the tables and indexes."""
    op.create_table(
        "review_lots",
        sa.Column("recipe", sa.Text, primary_key=True),
        sa.Column("lot", sa.Text, primary_key=True),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("c", sa.Integer, nullable=False),
        sa.Column("quality_level", sa.Float, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("num_inspected", sa.Integer, nullable=False),
        sa.Column("num_bad", sa.Integer, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("decided_at", sa.Text, nullable=False),
        sa.Column("decided_sequence", sa.Integer, nullable=False),
        sa.Column("offered_to", sa.Text, nullable=False),
    )
    op.create_table(
        "review_lot_samples",
        sa.Column("recipe", sa.Text, primary_key=True),
        sa.Column("item_key", sa.Text, primary_key=True),
        sa.Column("lot", sa.Text, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
    )
    op.create_index("review_lot_samples_lot", "review_lot_samples", ["recipe", "lot", "rank"])
    op.create_index("review_items_lot", "review_items", ["recipe", "lot", "item_key"])
    columns = ["recipe", "role", "random_rank", "item_key", "slot"]
    op.create_index("review_slots_offered", "review_slots", columns, sqlite_where=OFFERED, postgresql_where=OFFERED)
    op.drop_index("review_slots_random", "review_slots")
