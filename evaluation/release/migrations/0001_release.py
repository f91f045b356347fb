"""The release ledger: append-only, one hash chain."""

import sqlalchemy as sa
from alembic import op

revision = "release_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "release_entries",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("recipe", sa.Text, nullable=False, index=True),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("model_hash", sa.Text, nullable=False),
        sa.Column("evidence_hash", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.Text, nullable=False, unique=True),
        sa.Column("hash", sa.Text, nullable=False, unique=True),
        sa.CheckConstraint("action IN ('promote', 'rollback', 'refuse')", name="release_action"),
    )
    for statement in _append_only(op.get_bind().dialect.name):
        op.execute(statement)


def _append_only(dialect: str) -> list[str]:
    message = "release entries are never changed"
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER release_entries_{verb.lower()} BEFORE {verb} ON release_entries "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            for verb in ("UPDATE", "DELETE")
        ]
    return [
        "CREATE FUNCTION release_entries_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{message}'; END $$",
        "CREATE TRIGGER release_entries_keep BEFORE UPDATE OR DELETE ON release_entries "
        "FOR EACH ROW EXECUTE FUNCTION release_entries_refuse()",
        "CREATE TRIGGER release_entries_keep_all BEFORE TRUNCATE ON release_entries "
        "FOR EACH STATEMENT EXECUTE FUNCTION release_entries_refuse()",
    ]
