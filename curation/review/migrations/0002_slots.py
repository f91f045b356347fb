"""Slots with fenced leases, the order in which items are served, counts a state, and verdicts that know what they replace."""

import sqlalchemy as sa
from alembic import op

revision = "review_0002"
down_revision = "review_0001"
branch_labels = None
depends_on = None

OPEN = sa.text("done_sequence = 0 AND is_listed")


def upgrade() -> None:
    """Create the tables and columns; items that are there get one slot, done by whoever decided them."""
    op.add_column("review_queues", sa.Column("overlap", sa.Integer, nullable=False, server_default="1"))
    op.add_column("review_queues", sa.Column("lease_seconds", sa.Float, nullable=False, server_default="600"))
    op.add_column("review_queues", sa.Column("sync_round", sa.Integer, nullable=False, server_default="0"))
    op.add_column("review_queues", sa.Column("arrivals", sa.Integer, nullable=False, server_default="0"))
    op.add_column("review_queues", sa.Column("state_sequence", sa.Integer, nullable=False, server_default="0"))
    for name, kind, default in (
        ("state", sa.Text, "open"),
        ("num_votes", sa.Integer, "0"),
        ("human_decision", sa.Text, ""),
        ("automatic_decision", sa.Text, ""),
        ("last_sequence", sa.Integer, "0"),
        ("sync_round", sa.Integer, "0"),
        ("task", sa.Text, ""),
        ("priority", sa.Float, "0"),
        ("arrival", sa.Integer, "0"),
        ("random_rank", sa.Float, "0"),
        ("lot", sa.Text, ""),
    ):
        op.add_column("review_items", sa.Column(name, kind, nullable=False, server_default=default))
    for name, kind in (("role", sa.Text), ("supersedes", sa.Integer), ("details", sa.Text)):
        op.add_column("review_verdicts", sa.Column(name, kind, nullable=True))
    op.create_index("review_verdicts_reviewer", "review_verdicts", ["recipe", "reviewer", "sequence"])
    _create_slots()
    op.create_table(
        "review_skips",
        sa.Column("recipe", sa.Text, primary_key=True),
        sa.Column("item_key", sa.Text, primary_key=True),
        sa.Column("reviewer", sa.Text, primary_key=True),
        sa.Column("skipped_at", sa.Float, nullable=False),
    )
    op.create_table(
        "review_counts",
        sa.Column("recipe", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, primary_key=True),
        sa.Column("human_decision", sa.Text, primary_key=True),
        sa.Column("automatic_decision", sa.Text, primary_key=True),
        sa.Column("num", sa.Integer, nullable=False),
    )
    _carry_over()


def _create_slots() -> None:
    op.create_table(
        "review_slots",
        sa.Column("recipe", sa.Text, primary_key=True),
        sa.Column("item_key", sa.Text, primary_key=True),
        sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("is_listed", sa.Boolean, nullable=False),
        sa.Column("priority", sa.Float, nullable=False),
        sa.Column("arrival", sa.Integer, nullable=False),
        sa.Column("random_rank", sa.Float, nullable=False),
        sa.Column("holder", sa.Text, nullable=True),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("claimed_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("done_sequence", sa.Integer, nullable=False),
    )
    op.create_index("review_slots_holder", "review_slots", ["recipe", "item_key", "holder"], unique=True)
    first: list[str | sa.TextClause] = [sa.text("priority DESC"), sa.text("arrival DESC"), "item_key", "slot"]
    indexes: list[tuple[str, list[str | sa.TextClause]]] = [
        ("leases", ["recipe", "holder", "expires_at"]),
        ("order", ["recipe", "role", *first]),
        ("kind", ["recipe", "role", "kind", *first]),
        ("random", ["recipe", "role", "random_rank", "item_key", "slot"]),
    ]
    for name, columns in indexes:
        op.create_index(f"review_slots_{name}", "review_slots", columns, sqlite_where=OPEN, postgresql_where=OPEN)


def _carry_over() -> None:
    op.execute(
        "UPDATE review_items SET last_sequence = human_sequence,"
        " num_votes = CASE WHEN human_sequence > 0 THEN 1 ELSE 0 END,"
        " state = CASE WHEN human_sequence > 0 THEN 'decided' ELSE 'open' END,"
        " human_decision = COALESCE((SELECT v.decision FROM review_verdicts v WHERE v.recipe = review_items.recipe"
        " AND v.sequence = review_items.human_sequence), ''),"
        " automatic_decision = COALESCE((SELECT v.decision FROM review_verdicts v WHERE v.recipe = review_items.recipe"
        " AND v.sequence = review_items.automatic_sequence), '')"
    )
    op.execute(
        "INSERT INTO review_slots SELECT i.recipe, i.item_key, 0, 'review', i.kind, i.is_listed, i.priority, i.arrival,"
        " i.random_rank, (SELECT v.reviewer FROM review_verdicts v"
        " WHERE v.recipe = i.recipe AND v.sequence = i.human_sequence),"
        " 0, '', 0, 0, i.human_sequence FROM review_items i"
    )
    op.execute(
        "INSERT INTO review_counts SELECT recipe, kind, state, human_decision, automatic_decision, COUNT(*) FROM review_items"
        " WHERE is_listed GROUP BY recipe, kind, state, human_decision, automatic_decision"
    )
