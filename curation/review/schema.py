"""The tables of the review database, as `migrations/` creates them.

review_queues    one row a recipe: its settings, and the length and head of its verdict chain
review_items     what was put before reviewers; withdrawn items stay, with `is_listed` false
review_verdicts  append-only, numbered 1, 2, 3, ... within a recipe, each hashed over the one before it
"""

from pathlib import Path

import sqlalchemy as sa

MIGRATIONS = Path(__file__).parent / "migrations"

_METADATA = sa.MetaData()

queues = sa.Table(
    "review_queues",
    _METADATA,
    sa.Column("recipe", sa.Text, primary_key=True),
    sa.Column("policy", sa.Text),
    sa.Column("accept", sa.Text),
    sa.Column("rubric", sa.Text),
    sa.Column("num_verdicts", sa.Integer),
    sa.Column("head", sa.Text),
)

items = sa.Table(
    "review_items",
    _METADATA,
    sa.Column("recipe", sa.Text, primary_key=True),
    sa.Column("item_key", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text),
    sa.Column("record_key", sa.Text),
    sa.Column("payload", sa.Text),
    sa.Column("is_listed", sa.Boolean),
    sa.Column("opened_at", sa.Text),
    sa.Column("human_sequence", sa.Integer),
    sa.Column("automatic_sequence", sa.Integer),
)

verdicts = sa.Table(
    "review_verdicts",
    _METADATA,
    sa.Column("recipe", sa.Text, primary_key=True),
    sa.Column("sequence", sa.Integer, primary_key=True),
    sa.Column("item_key", sa.Text),
    sa.Column("decision", sa.Text),
    sa.Column("reviewer", sa.Text),
    sa.Column("reviewer_kind", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("edited_answer", sa.Text),
    sa.Column("created_at", sa.Text),
    sa.Column("token", sa.Text),
    sa.Column("previous_hash", sa.Text),
    sa.Column("hash", sa.Text),
)
