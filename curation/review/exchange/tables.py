"""The tables of webhooks, as migration 0006 creates them.

review_webhooks    one row a receiver: where to, with which secret, what about, and up to which verdict it was told
review_deliveries  one row a message: written before it is sent, with what came of it
"""

import sqlalchemy as sa

from curation.review.schema import METADATA

webhooks = sa.Table(
    "review_webhooks",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("recipe", sa.Text),
    sa.Column("url", sa.Text),
    sa.Column("secret", sa.Text),
    sa.Column("events", sa.Text),
    sa.Column("cursor", sa.Integer),
    sa.Column("is_active", sa.Boolean),
    sa.Column("allows_private", sa.Boolean),
    sa.Column("created_at", sa.Float),
)

deliveries = sa.Table(
    "review_deliveries",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("webhook_id", sa.Text),
    sa.Column("recipe", sa.Text),
    sa.Column("event", sa.Text),
    sa.Column("body", sa.Text),
    sa.Column("state", sa.Text),
    sa.Column("num_tries", sa.Integer),
    sa.Column("next_at", sa.Float),
    sa.Column("created_at", sa.Float),
    sa.Column("sent_at", sa.Float),
    sa.Column("answer", sa.Text),
)
