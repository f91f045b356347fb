"""Batches that were planned, and the requests in them. A request is in one open batch at most."""

import sqlalchemy as sa
from alembic import op

revision = "batch_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "batch_jobs",
        sa.Column("key", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("teacher", "recipe", "run_id", "state", "status")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("input_file_id", "batch_id", "problem", "owner")),
        *(sa.Column(name, sa.Float, nullable=False) for name in ("created_at", "deadline", "attempted_at", "leased_until")),
    )
    op.create_index("batch_jobs_state", "batch_jobs", ["state"])
    op.create_table(
        "batch_requests",
        sa.Column("job_key", sa.Text, sa.ForeignKey("batch_jobs.key"), primary_key=True),
        sa.Column("request_id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("request", "state", "reason")),
    )
    is_open = sa.text("state = 'open'")
    op.create_index(
        "batch_requests_open",
        "batch_requests",
        ["request_id"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_index("batch_requests_request", "batch_requests", ["request_id"])
