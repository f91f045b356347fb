"""Having a reviewer's recent verdicts given again, after they missed what they should have seen.

    preview_requeue(queue, "Bob")                     RequeuePreview(since=1810, sequences=(1812, ...), num_adjudicated=2, ...)
    requeue_recent(queue, "Bob", by="Lea")            RequeuePreview(...) of what was done

Nothing is deleted: each verdict gets an `undo` row by whoever asks for it, with the reason. The items are open again, and
come last for the reviewer whose verdicts were undone, so that others see them first.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from curation.errors import ItemWithdrawnError, VerdictRefusedError
from curation.records import Verdict
from curation.review import schema
from curation.review.items import is_gold
from curation.review.queue import ReviewQueue
from curation.review.queue.append import append_votes
from curation.review.queue.chain import as_verdict
from curation.review.queue.resolution import standing
from curation.review.queue.slots import database_now
from curation.review.queue.vote import Vote
from curation.review.reviewers.detection import detect, gold_results
from curation.review.reviewers.settings import read_settings

MAX_TRIES = 3
"""Somebody may change one of the verdicts between looking and undoing; then it is looked at again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RequeuePreview:
    """What a requeue undoes, and what it leaves alone."""

    reviewer: str
    since: int
    """Verdicts with a higher sequence are undone."""
    sequences: tuple[int, ...]
    """Verdicts that are undone, the oldest first."""
    item_keys: tuple[str, ...]
    num_adjudicated: int
    """Verdicts left alone since an adjudicator has decided the item."""
    num_withdrawn: int
    """Verdicts left alone since the item is no longer part of the data."""
    num_gold: int
    """Verdicts on gold items, left alone as the record of how well the reviewer looked."""

    @property
    def num(self) -> int:
        """How many verdicts are undone."""
        return len(self.sequences)


def last_right(queue: ReviewQueue, reviewer: str) -> int:
    """Return the sequence of the reviewer's last right verdict on gold before their newest failure; 0: none."""
    found = detect(gold_results(queue), floor=read_settings(queue).gold_floor).get(reviewer)
    return found.last_right if found else 0


def preview_requeue(queue: ReviewQueue, reviewer: str, since: int | None = None) -> RequeuePreview:
    """Return what a requeue would undo now; `since` defaults to `last_right`. Raises DatabaseError."""
    first = last_right(queue, reviewer) if since is None else since
    with queue.database.read() as connection:
        return _preview(connection, queue.recipe, reviewer, first)


def requeue_recent(queue: ReviewQueue, reviewer: str, since: int | None = None, *, by: str, reason: str = "") -> RequeuePreview:
    """Undo a reviewer's verdicts since `since` (default: `last_right`), all or none, and return what was undone.

    Raises:
        VerdictRefusedError, ItemWithdrawnError: if verdicts keep changing while this runs; then nothing was undone.
    """
    first = last_right(queue, reviewer) if since is None else since
    said = reason or f"requeue: {reviewer} missed items with a known decision; verdicts after {first or 'the start'}"

    def work(connection: sa.Connection) -> RequeuePreview:
        found = _preview(connection, queue.recipe, reviewer, first)
        votes = [
            Vote(item_key=key, decision="undo", reviewer=by, reason=said, supersedes=sequence)
            for key, sequence in zip(found.item_keys, found.sequences, strict=True)
        ]
        append_votes(connection, queue.recipe, votes)
        _put_off(connection, queue.recipe, reviewer, found.item_keys)
        return found

    for _ in range(MAX_TRIES - 1):
        try:
            return queue.database.write(work)
        except (VerdictRefusedError, ItemWithdrawnError):
            continue
    return queue.database.write(work)


def _preview(connection: sa.Connection, recipe: str, reviewer: str, since: int) -> RequeuePreview:
    verdict = schema.verdicts.c
    mine = sa.select(verdict.item_key).where(
        verdict.recipe == recipe, verdict.reviewer == reviewer, verdict.sequence > since, verdict.decision != "undo"
    )
    query = sa.select(schema.verdicts).where(verdict.recipe == recipe, verdict.item_key.in_(mine)).order_by(verdict.sequence)
    said: dict[str, list[Verdict]] = {}
    for row in connection.execute(query).mappings():
        said.setdefault(row["item_key"], []).append(as_verdict(row))
    item = schema.items.c
    shown = sa.select(item.item_key, item.record_key, item.is_listed).where(item.recipe == recipe, item.item_key.in_(mine))
    rows = {row.item_key: row for row in connection.execute(shown)}
    undone: list[tuple[int, str]] = []
    left = {"adjudicated": 0, "withdrawn": 0, "gold": 0}
    for key, verdicts in said.items():
        votes = standing(verdicts)
        own = next(
            (vote for vote in votes if vote.reviewer == reviewer and vote.role == "review" and vote.sequence > since), None
        )
        if own is None:
            continue
        is_settled = any(vote.role == "adjudication" for vote in votes)
        if kept := _why_kept(rows[key].record_key, is_listed=rows[key].is_listed, is_settled=is_settled):
            left[kept] += 1
        else:
            undone.append((own.sequence, key))
    undone.sort()
    return RequeuePreview(
        reviewer=reviewer,
        since=since,
        sequences=tuple(sequence for sequence, _ in undone),
        item_keys=tuple(key for _, key in undone),
        **{f"num_{name}": num for name, num in left.items()},
    )


def _why_kept(record_key: str, *, is_listed: bool, is_settled: bool) -> str:
    if is_gold(record_key):
        return "gold"
    if not is_listed:
        return "withdrawn"
    return "adjudicated" if is_settled else ""


def _put_off(connection: sa.Connection, recipe: str, reviewer: str, item_keys: tuple[str, ...]) -> None:
    now = database_now(connection)
    rows = [{"recipe": recipe, "item_key": key, "reviewer": reviewer, "skipped_at": now} for key in item_keys]
    if rows:
        connection.execute(_PUT_OFF, rows)


_PUT_OFF = sa.text(
    "INSERT INTO review_skips (recipe, item_key, reviewer, skipped_at) VALUES (:recipe, :item_key, :reviewer, :skipped_at)"
    " ON CONFLICT (recipe, item_key, reviewer) DO UPDATE SET skipped_at = excluded.skipped_at"
)
