"""Full-text search over items, the orders in which lists show them, and bulk actions with what they did to each item."""

import sqlalchemy as sa
from alembic import op

from curation.review.payload import unpack_item
from curation.review.search.index import index_items

revision = "review_0005"
down_revision = "review_0004"
branch_labels = None
depends_on = None

PART = 2_000


def upgrade() -> None:
    """Create the tables and indexes, number the items that have no number yet, and index all of them."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    _number_items()
    for name, columns in (
        ("arrival", ["recipe", "arrival", "priority"]),
        ("state", ["recipe", "is_listed", "state", "arrival"]),
        ("decision", ["recipe", "is_listed", "human_decision", "arrival"]),
        ("priority", ["recipe", "is_listed", "state", "priority", "arrival"]),
        ("task", ["recipe", "is_listed", "task", "state"]),
    ):
        op.create_index(f"review_items_{name}", "review_items", columns)
    op.create_index("review_verdicts_time", "review_verdicts", ["recipe", "reviewer_kind", "created_at", "decision"])
    op.create_table(
        "review_search_recipes",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("recipe", sa.Text, nullable=False, unique=True),
    )
    if is_sqlite:
        op.execute(
            "CREATE VIRTUAL TABLE review_search USING fts5(words, content='', columnsize=0,"
            " tokenize='unicode61 remove_diacritics 0')"
        )
    else:
        op.execute("CREATE TABLE review_search (id BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)")
        op.execute("CREATE INDEX review_search_words ON review_search USING GIN (words)")
    _create_bulk()
    _index_all()


def _number_items() -> None:
    ranked = (
        "(SELECT recipe, item_key, ROW_NUMBER() OVER (PARTITION BY recipe ORDER BY opened_at, item_key) AS place"
        " FROM review_items WHERE arrival = 0) AS unnumbered"
    )
    op.execute(
        f"UPDATE review_items SET arrival = unnumbered.place + (SELECT q.arrivals FROM review_queues q"  # noqa: S608 (own constant)
        f" WHERE q.recipe = review_items.recipe) FROM {ranked} WHERE unnumbered.recipe = review_items.recipe"
        " AND unnumbered.item_key = review_items.item_key"
        " AND EXISTS (SELECT 1 FROM review_queues q WHERE q.recipe = review_items.recipe)"
    )
    op.execute(
        "UPDATE review_slots SET arrival = (SELECT i.arrival FROM review_items i WHERE i.recipe = review_slots.recipe"
        " AND i.item_key = review_slots.item_key) WHERE arrival = 0"
    )
    op.execute(
        "UPDATE review_queues SET arrivals = (SELECT COALESCE(MAX(i.arrival), 0) FROM review_items i"
        " WHERE i.recipe = review_queues.recipe)"
    )


def _create_bulk() -> None:
    op.create_table(
        "review_bulk",
        sa.Column("recipe", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("previewed_at", sa.Text, nullable=False),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("num_items", sa.Integer, nullable=False),
        sa.Column("left_out", sa.Text, nullable=False),
        sa.Column("started_at", sa.Text, nullable=False),
        sa.Column("done_at", sa.Text, nullable=False),
        sa.Column("first_sequence", sa.Integer, nullable=False),
        sa.Column("last_sequence", sa.Integer, nullable=False),
        sa.Column("undo_started_at", sa.Text, nullable=False),
        sa.Column("undone_at", sa.Text, nullable=False),
        sa.Column("undone_by", sa.Text, nullable=False),
    )
    op.create_table(
        "review_bulk_items",
        sa.Column("recipe", sa.Text, primary_key=True),
        sa.Column("bulk_id", sa.Text, primary_key=True),
        sa.Column("item_key", sa.Text, primary_key=True),
        sa.Column("sequence", sa.Integer, nullable=True),
        sa.Column("undo_sequence", sa.Integer, nullable=True),
    )


def _index_all() -> None:
    connection = op.get_bind()
    items = sa.table("review_items", *(sa.column(name) for name in ("recipe", "arrival", "payload")))
    for recipe in connection.execute(sa.select(items.c.recipe).distinct()).scalars().all():
        last = -1
        query = sa.select(items.c.arrival, items.c.payload).where(
            items.c.recipe == recipe, items.c.arrival > sa.bindparam("last")
        )
        while rows := connection.execute(query.order_by(items.c.arrival).limit(PART), {"last": last}).all():
            last = rows[-1].arrival
            index_items(connection, recipe, [(row.arrival, unpack_item(row.payload)) for row in rows])
