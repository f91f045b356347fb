"""The release ledger knows approvals, and candidates that pass but wait."""

import sqlalchemy as sa
from alembic import op

revision = "release_0002"
down_revision = "release_0001"
branch_labels = None
depends_on = None

ACTIONS = "action IN ('promote', 'rollback', 'refuse', 'hold', 'approve')"
COLUMNS = "sequence, recipe, action, model_hash, evidence_hash, who, created_at, reason, previous_hash, hash"


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint("release_action", "release_entries", type_="check")
        op.create_check_constraint("release_action", "release_entries", ACTIONS)
        return
    for verb in ("update", "delete"):
        op.execute(f"DROP TRIGGER release_entries_{verb}")
    op.execute("DROP INDEX ix_release_entries_recipe")
    op.rename_table("release_entries", "release_entries_before")
    op.create_table(
        "release_entries",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("recipe", sa.Text, nullable=False, index=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("action", "model_hash", "evidence_hash", "who")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("created_at", "reason")),
        *(sa.Column(name, sa.Text, nullable=False, unique=True) for name in ("previous_hash", "hash")),
        sa.CheckConstraint(ACTIONS, name="release_action"),
    )
    op.execute(f"INSERT INTO release_entries ({COLUMNS}) SELECT {COLUMNS} FROM release_entries_before")  # noqa: S608
    op.drop_table("release_entries_before")
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER release_entries_{verb.lower()} BEFORE {verb} ON release_entries "
            "BEGIN SELECT RAISE(ABORT, 'release entries are never changed'); END"
        )
