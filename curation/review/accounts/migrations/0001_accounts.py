"""People, invitations, sessions, API tokens, login attempts, single sign-on, events."""

import sqlalchemy as sa
from alembic import op

revision = "accounts_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _create_people()
    _create_sessions()
    _create_single_sign_on()
    op.create_table(
        "account_events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )


def _create_people() -> None:
    op.create_table(
        "account_people",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("name_key", sa.Text, nullable=False, unique=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("disabled_at", sa.Float, nullable=True),
    )
    op.create_table(
        "account_invitations",
        sa.Column("token_hash", sa.Text, primary_key=True),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("person_id", sa.Integer, sa.ForeignKey("account_people.id"), nullable=True),
        sa.Column("invited_by", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("used_at", sa.Float, nullable=True),
    )


def _create_sessions() -> None:
    op.create_table(
        "account_sessions",
        sa.Column("id_hash", sa.Text, primary_key=True),
        sa.Column("person_id", sa.Integer, sa.ForeignKey("account_people.id"), nullable=False),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("seen_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
    )
    op.create_index("account_sessions_person", "account_sessions", ["person_id"])
    op.create_table(
        "account_tokens",
        sa.Column("token_hash", sa.Text, primary_key=True),
        sa.Column("person_id", sa.Integer, sa.ForeignKey("account_people.id"), nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("used_at", sa.Float, nullable=True),
        sa.Column("revoked_at", sa.Float, nullable=True),
    )
    op.create_index("account_tokens_person", "account_tokens", ["person_id"])
    op.create_table(
        "account_attempts",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("times", sa.Text, nullable=False),
        sa.Column("last_at", sa.Float, nullable=False),
    )
    op.create_index("account_attempts_last", "account_attempts", ["last_at"])


def _create_single_sign_on() -> None:
    op.create_table(
        "account_identities",
        sa.Column("issuer", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("person_id", sa.Integer, sa.ForeignKey("account_people.id"), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_table(
        "account_flows",
        sa.Column("state_hash", sa.Text, primary_key=True),
        sa.Column("browser_hash", sa.Text, nullable=False),
        sa.Column("nonce", sa.Text, nullable=False),
        sa.Column("verifier", sa.Text, nullable=False),
        sa.Column("back", sa.Text, nullable=False),
        sa.Column("invitation_hash", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
    )
