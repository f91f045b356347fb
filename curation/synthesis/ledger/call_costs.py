"""What single calls cost, for whoever only wants to look: nothing is created, migrated or locked for it.

    LedgerCosts(home).read(["9f..."])        CostOfCalls(num_calls=1, num_known=1, cost_usd=Decimal("0.00213"), ...)

None says that the ledger is not there, or does not answer: that a cost is unknown is not that it is nothing.
"""

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa

from curation.home import Home

MAX_CALLS = 400
"""Calls of one row that are looked up; a row comes of a few."""
WAIT_SECONDS = 3
_ID = re.compile("[0-9a-f]{32}")
_calls = sa.table("teacher_calls", *(sa.column(name) for name in ("key", "prompt_tokens", "completion_tokens", "cost_usd")))


@dataclass(frozen=True, kw_only=True, slots=True)
class CostOfCalls:
    """What some calls cost, as far as the ledger knows them."""

    num_calls: int
    """Calls that were asked about."""
    num_known: int
    num_tokens: int
    """Prompt and completion."""
    cost_usd: Decimal


class LedgerCosts:
    """Looks calls up in the ledger of an installation, over a connection of its own each time. Thread-safe."""

    def __init__(self, home: Home) -> None:
        self._engine = _create_engine(home)

    def read(self, request_ids: Sequence[str]) -> CostOfCalls | None:
        """Return what calls cost, or None if the ledger cannot be read."""
        wanted = list(dict.fromkeys(request_ids))
        ids = [name for name in wanted if _ID.fullmatch(name)][:MAX_CALLS]
        query = sa.select(_calls).where(_calls.c.key.in_(ids))
        try:
            with self._engine.connect() as connection:
                rows = connection.execute(query).all()
        except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError):
            return None
        return CostOfCalls(
            num_calls=len(wanted),
            num_known=len(rows),
            num_tokens=sum(row.prompt_tokens + row.completion_tokens for row in rows),
            cost_usd=sum((Decimal(str(row.cost_usd)) for row in rows), Decimal(0)),
        )


def _create_engine(home: Home) -> sa.Engine:
    if home.database_url and not home.database_url.startswith("sqlite"):
        return sa.create_engine(home.database_url, poolclass=sa.NullPool, connect_args={"connect_timeout": WAIT_SECONDS})
    file = Path(sa.make_url(home.database_url).database or "") if home.database_url else home.path / "ledger.db"
    address = f"file:{quote(str(file))}?mode=ro"
    return sa.create_engine(
        "sqlite://", poolclass=sa.NullPool, creator=lambda: sqlite3.connect(address, uri=True, timeout=WAIT_SECONDS)
    )
