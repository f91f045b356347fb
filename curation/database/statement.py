"""SQL that runs thousands of times a second: written once with :names, handed to the driver without being built anew.

    FIND = Statement("SELECT head FROM review_queues WHERE recipe = :recipe")
    FIND.run(connection, {"recipe": "sdk_assistant"}).scalar_one()

Building an expression or reading a `text()` again costs several times as much as SQLite needs to answer it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

_NAME = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")


class Statement:
    """One SQL text for SQLite and PostgreSQL with `:name` parameters."""

    def __init__(self, text: str) -> None:
        self._for_sqlite = text  # SQLite's driver knows :name by itself
        self._for_postgres = _NAME.sub(r"%(\1)s", text.replace("%", "%%"))

    def run(
        self, connection: sa.Connection, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    ) -> sa.CursorResult[Any]:
        """Run it, for one set of parameters or for many. Raises what the driver raises, wrapped by SQLAlchemy."""
        text = self._for_sqlite if connection.dialect.name == "sqlite" else self._for_postgres
        given = dict(parameters) if isinstance(parameters, Mapping) else [dict(each) for each in parameters]
        return connection.exec_driver_sql(text, given)
