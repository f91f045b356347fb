"""An index over kind and state in the order in which items came, so that a list of the few open ones reads no decided ones."""

from alembic import op

revision = "review_0011"
down_revision = "review_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index; a new item comes last in it, so an import writes to its end."""
    columns = ["recipe", "is_listed", "kind", "state", "arrival", "automatic_sequence"]
    op.create_index("review_items_kind", "review_items", columns)
