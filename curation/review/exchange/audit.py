"""Checking the verdict chains of a database, recipe by recipe, in bounded memory.

check_chains(connection)      [ChainReport(recipe="sdk_assistant", num_verdicts=812, head="7c...", problem="")]
follow_chain(connection, "sdk_assistant", length=812, head="7c...", watch=print)      1 ... 812, or LedgerTamperedError
"""

from collections.abc import Callable, Iterator
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


CHUNK = 2_000
"""Verdicts that are in memory at once."""
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
        follow_chain(connection, recipe, length=length, head=head)
    except LedgerTamperedError as error:
        problem = str(error)
    return ChainReport(recipe=recipe, num_verdicts=length, head=head, problem=problem)


def follow_chain(
    connection: sa.Connection, recipe: str, *, length: int, head: str, watch: Callable[[int], None] | None = None
) -> None:
    """Check one recipe's verdicts from the first to the last, telling `watch` now and then how many were seen.

    Raises:
        LedgerTamperedError: naming the first entry that does not follow from the one before it.
    """
    with connection.execute(_VERDICTS.execution_options(yield_per=CHUNK), {"recipe": recipe}) as result:
        check_chain(_rows(result, watch or (lambda _: None)), length=length, head=head)


def _rows(result: sa.CursorResult[Any], watch: Callable[[int], None]) -> Iterator[dict[str, Any]]:
    """Yield verdict rows; columns that an older schema lacks are null, as they are in its hashes."""
    num = 0
    for num, row in enumerate(result.mappings(), start=1):
        yield {"role": None, "supersedes": None, "details": None, **row}
        if num % CHUNK == 0:
            watch(num)
    watch(num)
