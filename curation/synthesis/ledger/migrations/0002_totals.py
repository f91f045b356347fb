"""Totals are read from an index alone, and not from a million replies."""

from alembic import op

revision = "ledger_0002"
down_revision = "ledger_0001"
branch_labels = None
depends_on = None

COLUMNS = ["recipe", "run_id", "prompt_tokens", "completion_tokens", "cost_usd"]


def upgrade() -> None:
    op.drop_index("teacher_calls_recipe", table_name="teacher_calls")
    op.create_index("teacher_calls_totals", "teacher_calls", COLUMNS)
