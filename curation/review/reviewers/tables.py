"""The tables about reviewers, as `migrations/0004_gold.py` creates them.

review_gold                item_key 9f... is a copy of 51... that was damaged in a number: whoever edits or rejects it is right
review_reviewer_settings   one row a recipe: what it wants of reviewers, as JSON
review_guidelines          every version of the guidelines; nothing is ever changed
review_guideline_cases     items that show what the guidelines mean, numbered within a recipe
"""

import sqlalchemy as sa

from curation.review.schema import METADATA

gold = sa.Table(
    "review_gold",
    METADATA,
    sa.Column("recipe", sa.Text, primary_key=True),
    sa.Column("item_key", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text),
    sa.Column("origin_key", sa.Text),
    sa.Column("expected", sa.Text),
    sa.Column("damage", sa.Text),
    sa.Column("detail", sa.Text),
    sa.Column("set_by", sa.Text),
    sa.Column("set_at", sa.Text),
)

settings = sa.Table(
    "review_reviewer_settings",
    METADATA,
    sa.Column("recipe", sa.Text, primary_key=True),
    sa.Column("settings", sa.Text),
)

guidelines = sa.Table(
    "review_guidelines",
    METADATA,
    sa.Column("recipe", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("text", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("author", sa.Text),
    sa.Column("created_at", sa.Text),
)

cases = sa.Table(
    "review_guideline_cases",
    METADATA,
    sa.Column("recipe", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("item_key", sa.Text),
    sa.Column("version", sa.Integer),
    sa.Column("note", sa.Text),
    sa.Column("author", sa.Text),
    sa.Column("created_at", sa.Text),
)
