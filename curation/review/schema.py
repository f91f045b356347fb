"""The tables of the review database, as `migrations/` creates them.

review_queues    one row a recipe: its settings, and the length and head of its verdict chain
review_items     what was put before reviewers; withdrawn items stay, with `is_listed` false
review_slots     who reviews an item: one row for each of the `overlap` reviewers, and one for an adjudicator where needed
review_skips     who has put an item off
review_counts    listed items a kind, state and decision, kept up to date in the transaction that changes them
review_verdicts  append-only, numbered 1, 2, 3, ... within a recipe, each hashed over the one before it
"""

from pathlib import Path

import sqlalchemy as sa

MIGRATIONS = Path(__file__).parent / "migrations"

METADATA = sa.MetaData()

queues = sa.Table(
    "review_queues",
    METADATA,
    sa.Column("recipe", sa.Text, primary_key=True),
    sa.Column("policy", sa.Text),
    sa.Column("accept", sa.Text),
    sa.Column("rubric", sa.Text),
    sa.Column("num_verdicts", sa.Integer),
    sa.Column("head", sa.Text),
    sa.Column("overlap", sa.Integer),
    sa.Column("lease_seconds", sa.Float),
    sa.Column("sync_round", sa.Integer),
    sa.Column("arrivals", sa.Integer),
    sa.Column("state_sequence", sa.Integer),
    sa.Column("fitted_overlap", sa.Integer),
)

items = sa.Table(
    "review_items",
    METADATA,
    sa.Column("recipe", sa.Text, primary_key=True),
    sa.Column("item_key", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text),
    sa.Column("record_key", sa.Text),
    sa.Column("payload", sa.Text),
    sa.Column("is_listed", sa.Boolean),
    sa.Column("opened_at", sa.Text),
    sa.Column("human_sequence", sa.Integer),
    sa.Column("automatic_sequence", sa.Integer),
    sa.Column("state", sa.Text),
    sa.Column("num_votes", sa.Integer),
    sa.Column("human_decision", sa.Text),
    sa.Column("automatic_decision", sa.Text),
    sa.Column("last_sequence", sa.Integer),
    sa.Column("sync_round", sa.Integer),
    sa.Column("task", sa.Text),
    sa.Column("priority", sa.Float),
    sa.Column("arrival", sa.Integer),
    sa.Column("random_rank", sa.Float),
    sa.Column("lot", sa.Text),
)

slots = sa.Table(
    "review_slots",
    METADATA,
    sa.Column("recipe", sa.Text, primary_key=True),
    sa.Column("item_key", sa.Text, primary_key=True),
    sa.Column("slot", sa.Integer, primary_key=True),
    sa.Column("role", sa.Text),
    sa.Column("kind", sa.Text),
    sa.Column("is_listed", sa.Boolean),
    sa.Column("priority", sa.Float),
    sa.Column("arrival", sa.Integer),
    sa.Column("random_rank", sa.Float),
    sa.Column("holder", sa.Text),
    sa.Column("generation", sa.Integer),
    sa.Column("origin", sa.Text),
    sa.Column("claimed_at", sa.Float),
    sa.Column("expires_at", sa.Float),
    sa.Column("done_sequence", sa.Integer),
)

skips = sa.Table(
    "review_skips",
    METADATA,
    sa.Column("recipe", sa.Text, primary_key=True),
    sa.Column("item_key", sa.Text, primary_key=True),
    sa.Column("reviewer", sa.Text, primary_key=True),
    sa.Column("skipped_at", sa.Float),
)

counts = sa.Table(
    "review_counts",
    METADATA,
    sa.Column("recipe", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, primary_key=True),
    sa.Column("human_decision", sa.Text, primary_key=True),
    sa.Column("automatic_decision", sa.Text, primary_key=True),
    sa.Column("num", sa.Integer),
)

verdicts = sa.Table(
    "review_verdicts",
    METADATA,
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
    sa.Column("role", sa.Text),
    sa.Column("supersedes", sa.Integer),
    sa.Column("details", sa.Text),
)

IN_LOT = items.c.lot != sa.literal_column("''")
"""Belongs in every condition `lot = ...`: the index over lots leaves out items of none, and is only used where that is said."""
