"""The tables of `answers`: what was said; how long each answer took and how sure its model was are no part of the version.

tables = AnswerTables(answers=TableRef(record="EvalAnswer", ...), timings=TableRef(record="AnswerTiming", ...))
tables.extended(store, answers, timings)      both with more rows
"""

from collections.abc import Sequence
from typing import NamedTuple

from assets.recipe import Recipe
from curation.store import Snapshot, Store, TableRef
from evaluation.records import AnswerConfidence, AnswerTiming, EvalAnswer

CONFIDENCES = "confidences"
"""The table of AnswerConfidence in a snapshot of `answers`."""
TIMINGS = "timings"
"""The table of AnswerTiming in a snapshot of `answers`."""


class AnswerTables(NamedTuple):
    """Where answers, timings and confidences are stored."""

    answers: TableRef
    timings: TableRef
    confidences: TableRef | None = None
    """Of local models that said how sure they were; None where nobody was asked."""

    def extended(self, store: Store, answers: Sequence[EvalAnswer], timings: Sequence[AnswerTiming]) -> "AnswerTables":
        """Return tables with further rows behind those of these."""
        return self._replace(
            answers=store.write_table(EvalAnswer, [*store.read_table(EvalAnswer, self.answers.root), *answers]),
            timings=store.write_table(AnswerTiming, [*store.read_table(AnswerTiming, self.timings.root), *timings]),
        )


def timings_snapshot(recipe: Recipe, answered: Snapshot) -> Snapshot:
    """Return the timings of stored answers as an input of their own: other times are another comparison."""
    table = answered.tables.get(TIMINGS)
    return Snapshot(asset=recipe.asset("answer_timings"), partition="", version=table.root if table else "")


def read_timings(store: Store, root: str) -> list[AnswerTiming]:
    """Return the timings under a root; none for an empty one. Raises MissingTableError, DamagedTableError."""
    return list(store.read_table(AnswerTiming, root, asset="answers")) if root else []


def read_confidences(store: Store, answered: Snapshot) -> list[AnswerConfidence]:
    """Return how sure models were of stored answers; none where that was not kept. Raises MissingTableError."""
    table = answered.tables.get(CONFIDENCES)
    return list(store.read_table(AnswerConfidence, table.root, asset="answers")) if table else []
