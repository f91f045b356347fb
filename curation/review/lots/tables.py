"""The tables of lots, as the migrations `0007_lots` and `0008_lot_counts` create them.

review_lots           one row a lot: its plan and how far it is, kept up to date in the transaction that records a verdict
review_lot_samples    the items of the samples, by rank: {"item_key": "9f...", "lot": "example/routing", "rank": 0}

`num_decided` counts all items of the lot with a verdict that counts, in the sample or not.
`offered_to` is the last item that a lot has offered since its sample failed.
`review_items.lot` says which lot an item belongs to; it is empty for items of none.
"""

import sqlalchemy as sa

from curation.review import schema

lots = sa.Table(
    "review_lots",
    schema.METADATA,
    sa.Column("recipe", sa.Text, primary_key=True),
    sa.Column("lot", sa.Text, primary_key=True),
    sa.Column("n", sa.Integer),
    sa.Column("c", sa.Integer),
    sa.Column("quality_level", sa.Float),
    sa.Column("size", sa.Integer),
    sa.Column("num_inspected", sa.Integer),
    sa.Column("num_bad", sa.Integer),
    sa.Column("decision", sa.Text),
    sa.Column("decided_at", sa.Text),
    sa.Column("decided_sequence", sa.Integer),
    sa.Column("offered_to", sa.Text),
    sa.Column("num_decided", sa.Integer),
)

samples = sa.Table(
    "review_lot_samples",
    schema.METADATA,
    sa.Column("recipe", sa.Text, primary_key=True),
    sa.Column("item_key", sa.Text, primary_key=True),
    sa.Column("lot", sa.Text),
    sa.Column("rank", sa.Integer),
)
