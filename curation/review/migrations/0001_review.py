"""The review queue: settings and chain head of each recipe, items, append-only verdicts."""

import sqlalchemy as sa
from alembic import op

revision = "review_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "review_queues",
        sa.Column("recipe", sa.Text, primary_key=True),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("accept", sa.Text, nullable=False),
        sa.Column("rubric", sa.Text, nullable=False),
        sa.Column("num_verdicts", sa.Integer, nullable=False),
        sa.Column("head", sa.Text, nullable=False),
    )
    op.create_table(
        "review_items",
        sa.Column("recipe", sa.Text, primary_key=True),
        sa.Column("item_key", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("record_key", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("is_listed", sa.Boolean, nullable=False),
        sa.Column("opened_at", sa.Text, nullable=False),
        sa.Column("human_sequence", sa.Integer, nullable=False),
        sa.Column("automatic_sequence", sa.Integer, nullable=False),
    )
    op.create_index("review_items_open", "review_items", ["recipe", "is_listed", "human_sequence", "item_key"])
    op.create_index("review_items_record", "review_items", ["recipe", "record_key"])
    op.create_table(
        "review_verdicts",
        sa.Column("recipe", sa.Text, primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("item_key", sa.Text, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("reviewer", sa.Text, nullable=False),
        sa.Column("reviewer_kind", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("edited_answer", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=True),
        sa.Column("previous_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.UniqueConstraint("recipe", "token", name="review_verdicts_token"),
    )
    op.create_index("review_verdicts_item", "review_verdicts", ["recipe", "item_key"])
