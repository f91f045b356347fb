"""Alembic's environment: runs the migrations of one concern on the engine that `Database.open` hands over."""

import sqlalchemy as sa
from alembic import context

MIGRATION_LOCK = 7_265_211
"""PostgreSQL advisory lock, so that two starting processes do not migrate at once."""


def run() -> None:
    """Upgrade inside one transaction, under a lock on PostgreSQL."""
    engine: sa.Engine = context.config.attributes["engine"]
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        context.configure(connection=connection, version_table=context.config.attributes["version_table"])
        context.run_migrations()


run()
