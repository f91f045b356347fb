"""Items that test reviewers, what the recipe wants of reviewers, and the guidelines with their cases."""

import sqlalchemy as sa
from alembic import op

revision = "review_0004"
down_revision = "review_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "review_gold",
        sa.Column("recipe", sa.Text, primary_key=True),
        sa.Column("item_key", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("origin_key", sa.Text, nullable=False),
        sa.Column("expected", sa.Text, nullable=False),
        sa.Column("damage", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("set_by", sa.Text, nullable=False),
        sa.Column("set_at", sa.Text, nullable=False),
    )
    op.create_index("review_gold_origin", "review_gold", ["recipe", "origin_key"])
    op.create_table(
        "review_reviewer_settings",
        sa.Column("recipe", sa.Text, primary_key=True),
        sa.Column("settings", sa.Text, nullable=False),
    )
    op.create_table(
        "review_guidelines",
        sa.Column("recipe", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
    )
    op.create_table(
        "review_guideline_cases",
        sa.Column("recipe", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("item_key", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
    )
    op.create_index("review_guideline_cases_item", "review_guideline_cases", ["recipe", "item_key"])
