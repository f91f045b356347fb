"""The withdrawal ledger: append-only, one hash chain."""

import sqlalchemy as sa
from alembic import op

revision = "withdrawals_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "withdrawal_entries",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("num_rows", sa.BigInteger, nullable=False),
        sa.Column("models", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.Text, nullable=False, unique=True),
        sa.Column("hash", sa.Text, nullable=False, unique=True),
        sa.CheckConstraint("action IN ('withdraw', 'restore')", name="withdrawal_action"),
    )
    for statement in _append_only(op.get_bind().dialect.name):
        op.execute(statement)


def _append_only(dialect: str) -> list[str]:
    message = "withdrawal entries are never changed"
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER withdrawal_entries_{verb.lower()} BEFORE {verb} ON withdrawal_entries "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            for verb in ("UPDATE", "DELETE")
        ]
    return [
        "CREATE FUNCTION withdrawal_entries_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{message}'; END $$",
        "CREATE TRIGGER withdrawal_entries_keep BEFORE UPDATE OR DELETE ON withdrawal_entries "
        "FOR EACH ROW EXECUTE FUNCTION withdrawal_entries_refuse()",
        "CREATE TRIGGER withdrawal_entries_keep_all BEFORE TRUNCATE ON withdrawal_entries "
        "FOR EACH STATEMENT EXECUTE FUNCTION withdrawal_entries_refuse()",
    ]
