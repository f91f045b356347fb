"""How many items of a lot are decided, so that what it holds back need not be counted item by item."""

import sqlalchemy as sa
from alembic import op

revision = "review_0008"
down_revision = "review_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the count, and count what is there."""
    op.add_column("review_lots", sa.Column("num_decided", sa.Integer, nullable=False, server_default="0"))
    op.execute(
        "UPDATE review_lots SET num_decided = (SELECT COUNT(*) FROM review_items i WHERE i.recipe = review_lots.recipe"
        " AND i.lot = review_lots.lot AND i.is_listed AND i.human_sequence > 0)"
    )
