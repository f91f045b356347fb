"""For how many reviewers the slots of a queue are made, so that a change that broke off is found and made good."""

import sqlalchemy as sa
from alembic import op

revision = "review_0010"
down_revision = "review_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the number; the slots that are there are taken for those that the recipe asked for last."""
    op.add_column("review_queues", sa.Column("fitted_overlap", sa.Integer, nullable=False, server_default="1"))
    op.execute("UPDATE review_queues SET fitted_overlap = overlap")
