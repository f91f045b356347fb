"""The tables of the accounts database, as `migrations/` creates them. Times are seconds since 1970, UTC.

account_people       one row a person, never deleted, so that a name never passes to somebody else
account_invitations  one-time links: to join with a role, or to choose a new password
account_sessions     who is logged in; a browser holds the id, the table only its SHA-256
account_tokens       API tokens; a program holds the token, the table only its SHA-256
account_attempts     when a name or an address last tried to log in
account_identities   (issuer, subject) of single sign-on -> person
account_flows        logins at the provider that have not come back yet
account_events       who did what to whom: 12, 1792500000.0, "Ada", "invited", "", "reviewer"
"""

from pathlib import Path

import sqlalchemy as sa

MIGRATIONS = Path(__file__).parent / "migrations"

METADATA = sa.MetaData()

people = sa.Table(
    "account_people",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("name_key", sa.Text),
    sa.Column("role", sa.Text),
    sa.Column("password_hash", sa.Text),
    sa.Column("created_at", sa.Float),
    sa.Column("disabled_at", sa.Float),
)

invitations = sa.Table(
    "account_invitations",
    METADATA,
    sa.Column("token_hash", sa.Text, primary_key=True),
    sa.Column("purpose", sa.Text),
    sa.Column("role", sa.Text),
    sa.Column("person_id", sa.Integer),
    sa.Column("invited_by", sa.Text),
    sa.Column("created_at", sa.Float),
    sa.Column("expires_at", sa.Float),
    sa.Column("used_at", sa.Float),
)

sessions = sa.Table(
    "account_sessions",
    METADATA,
    sa.Column("id_hash", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Integer),
    sa.Column("agent", sa.Text),
    sa.Column("address", sa.Text),
    sa.Column("created_at", sa.Float),
    sa.Column("seen_at", sa.Float),
    sa.Column("expires_at", sa.Float),
)

tokens = sa.Table(
    "account_tokens",
    METADATA,
    sa.Column("token_hash", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Integer),
    sa.Column("label", sa.Text),
    sa.Column("scopes", sa.Text),
    sa.Column("created_at", sa.Float),
    sa.Column("expires_at", sa.Float),
    sa.Column("used_at", sa.Float),
    sa.Column("revoked_at", sa.Float),
)

attempts = sa.Table(
    "account_attempts",
    METADATA,
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("times", sa.Text),
    sa.Column("last_at", sa.Float),
)

identities = sa.Table(
    "account_identities",
    METADATA,
    sa.Column("issuer", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Integer),
    sa.Column("created_at", sa.Float),
)

flows = sa.Table(
    "account_flows",
    METADATA,
    sa.Column("state_hash", sa.Text, primary_key=True),
    sa.Column("browser_hash", sa.Text),
    sa.Column("nonce", sa.Text),
    sa.Column("verifier", sa.Text),
    sa.Column("back", sa.Text),
    sa.Column("invitation_hash", sa.Text),
    sa.Column("expires_at", sa.Float),
)

events = sa.Table(
    "account_events",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.Float),
    sa.Column("actor", sa.Text),
    sa.Column("action", sa.Text),
    sa.Column("subject", sa.Text),
    sa.Column("detail", sa.Text),
)
