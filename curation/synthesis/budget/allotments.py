"""What each process has set aside from a recipe's budget, so that several together stay within it.

    allotments.renew(held=Amount(...), wanted=Amount(...))       an Amount that this process may use, or None: no room

A process asks for a part of what is left, uses it without asking again, and comes back for more. What a killed process had
set aside lapses. Spending itself is never counted here: the ledger knows it.
"""

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from curation.database import Database
from curation.synthesis.budget.amounts import Amount

MIGRATIONS = Path(__file__).parent / "migrations"
LEASE_SECONDS = 900.0
"""After this time without a sign of life, what a process had set aside is free again."""
PARTS = 8
"""A process sets aside at most one of so many parts of what is left beyond what it needs now."""
FIRST_AHEAD = 16
"""Requests that a process sets aside for at first, beyond those under way; more if that lasts for less than a second."""
AHEAD_SECONDS = 1.0

_allotments = sa.Table(
    "budget_allotments",
    sa.MetaData(),
    sa.Column("holder", sa.Text, primary_key=True),
    sa.Column("recipe", sa.Text),
    sa.Column("tokens", sa.BigInteger),
    sa.Column("picodollars", sa.BigInteger),
    sa.Column("expires_at", sa.Float),
)


class Allotments:
    """The allotment of this process, and those of the others. Call it from one thread at a time."""

    def __init__(
        self,
        database: Database,
        *,
        recipe: str,
        limit: Amount,
        read_spent: Callable[[], Amount],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.spent = Amount()
        """What the ledger said when it was last asked."""
        self._database = database
        self._recipe = recipe
        self._limit = limit
        self._read_spent = read_spent
        self._clock = clock
        self._holder = uuid.uuid4().hex
        self._renewed = float("-inf")
        self._num_ahead = FIRST_AHEAD
        # The database's own thread must not read the ledger: it would lock it as a writer does.
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="budget-reader")

    @property
    def is_ageing(self) -> bool:
        """Whether it is time for a sign of life."""
        return self._clock() - self._renewed > LEASE_SECONDS / 3

    def renew(self, held: Amount, wanted: Amount) -> Amount | None:
        """Set aside what is held for requests under way and what is wanted beside it.

        Returns:
            What may be used from now on until the next call, or None if there is no room; then only what is held stays.

        Raises:
            DatabaseError: the databases cannot be used.
        """
        is_soon = self._clock() - self._renewed < AHEAD_SECONDS
        self._num_ahead = min(self._num_ahead * 2, 10**6) if is_soon else max(self._num_ahead // 2, FIRST_AHEAD)
        granted, self.spent = self._database.write(lambda connection: self._renew(connection, held, wanted))
        self._renewed = self._clock()
        return granted

    def _renew(self, connection: sa.Connection, held: Amount, wanted: Amount) -> tuple[Amount | None, Amount]:
        if connection.dialect.name != "sqlite":
            connection.exec_driver_sql("LOCK TABLE budget_allotments IN EXCLUSIVE MODE")
        # Nobody can hand anything back before this transaction ends, so what is spent meanwhile counts twice, never not.
        others = self._sum_others(connection)
        spent = self._reader.submit(self._read_spent).result()
        room = self._limit - spent - others
        needed = held + wanted
        num_ahead = min(self._num_ahead, wanted.count_in(room - needed) // PARTS)
        granted = needed + wanted.times(num_ahead) if needed.fits(room) else None
        self._store(connection, held if granted is None else granted)
        return granted, spent

    def _sum_others(self, connection: sa.Connection) -> Amount:
        table = _allotments.c
        connection.execute(sa.delete(_allotments).where(table.expires_at < self._clock()))
        sums = [sa.func.coalesce(sa.func.sum(column), 0) for column in (table.tokens, table.picodollars)]
        query = sa.select(*sums).where(table.recipe == self._recipe, table.holder != self._holder)
        tokens, picodollars = connection.execute(query).one()
        return Amount(int(tokens), int(picodollars))

    def _store(self, connection: sa.Connection, amount: Amount) -> None:
        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        amounts = {
            "tokens": amount.tokens,
            "picodollars": amount.picodollars,
            "expires_at": self._clock() + LEASE_SECONDS,
        }
        statement = insert(_allotments).values(holder=self._holder, recipe=self._recipe, **amounts)
        connection.execute(statement.on_conflict_do_update(index_elements=["holder"], set_=amounts))

    def close(self) -> None:
        """Hand back what is set aside."""
        statement = sa.delete(_allotments).where(_allotments.c.holder == self._holder)
        try:
            self._database.write(lambda connection: connection.execute(statement))
        finally:
            self._reader.shutdown(wait=True)
            self._database.close()
