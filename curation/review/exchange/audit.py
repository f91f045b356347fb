"""Checking the verdict chains of a database, recipe by recipe, in bounded memory.

check_chains(connection)      [ChainReport(recipe="sdk_assistant", num_verdicts=812, head="7c...", problem="")]
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from curation.errors import LedgerTamperedError
from curation.review.queue.chain import check_chain


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainReport:
    """What was found of one recipe's verdicts."""

    recipe: str
    num_verdicts: int
    head: str
    problem: str = ""
    """The first entry that does not follow from the one before it; empty if all do."""


_QUEUES = sa.text("SELECT recipe, num_verdicts, head FROM review_queues ORDER BY recipe")
_VERDICTS = sa.text("SELECT * FROM review_verdicts WHERE recipe = :recipe ORDER BY sequence")
_STRAYS = sa.text(
    "SELECT DISTINCT recipe FROM review_verdicts WHERE recipe NOT IN (SELECT recipe FROM review_queues) ORDER BY recipe"
)


def check_chains(connection: sa.Connection, recipe: str | None = None) -> list[ChainReport]:
    """Check every chain, or one recipe's. Any version of the schema will do."""
    queues = [row for row in connection.execute(_QUEUES).all() if recipe in (None, row.recipe)]
    reports = [_check(connection, row.recipe, row.num_verdicts, row.head) for row in queues]
    strays = [name for name in connection.execute(_STRAYS).scalars().all() if recipe in (None, name)]
    return reports + [_check(connection, name, 0, "") for name in strays]


def _check(connection: sa.Connection, recipe: str, length: int, head: str) -> ChainReport:
    problem = ""
    try:
        check_chain(_rows(connection, recipe), length=length, head=head)
    except LedgerTamperedError as error:
        problem = str(error)
    return ChainReport(recipe=recipe, num_verdicts=length, head=head, problem=problem)


def _rows(connection: sa.Connection, recipe: str) -> Iterator[dict[str, Any]]:
    """Yield verdict rows; columns that an older schema lacks are null, as they are in its hashes."""
    result = connection.execution_options(yield_per=2_000).execute(_VERDICTS, {"recipe": recipe})
    for row in result.mappings():
        yield {"role": None, "supersedes": None, "details": None, **row}
