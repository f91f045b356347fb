"""Guidelines: what reviewers are told at length, in versions, with items that show what is meant.

    add_version(queue, "# When to approve", by="Lea", note="tables count as answers")     Guideline(version=3, ...)
    link_case(queue, "9f...", "The unit is missing, so: edit.", by="Lea")                      Case(number=12, ...)

Versions and cases are only ever added; the newest version counts. The text is Markdown, and hostile until it is shown.
"""

import datetime
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from curation.review.errors import GuidelineRefusedError
from curation.review.queue import ReviewQueue
from curation.review.queue.statements import lock_queue
from curation.review.reviewers import tables

MAX_CHARS = 200_000
MAX_NOTE_CHARS = 4_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Guideline:
    """A version of the guidelines of a recipe."""

    version: int
    text: str
    """Markdown."""
    note: str
    """What changed, in a sentence."""
    author: str
    created_at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """An item that shows what the guidelines mean."""

    number: int
    item_key: str
    version: int
    """Version of the guidelines that counted when it was linked; 0 if there was none."""
    note: str
    author: str
    created_at: str


def add_version(queue: ReviewQueue, text: str, *, by: str, note: str = "", based_on: int | None = None) -> Guideline:
    """Add a version of the guidelines.

    Args:
        queue: the queue of the recipe.
        text: all of the new version, in Markdown.
        by: who writes it.
        note: what changed.
        based_on: the version that the author had before them (0: none); None does not check.

    Raises:
        GuidelineRefusedError: if the text is empty, too long, unchanged, or somebody added a version meanwhile.
    """
    _check_text("text", text, MAX_CHARS, may_be_empty=False)
    _check_text("note", note, MAX_NOTE_CHARS, may_be_empty=True)

    def work(connection: sa.Connection) -> Guideline:
        lock_queue(connection, queue.recipe)  # numbers follow on each other
        newest = _newest(connection, queue.recipe)
        before = newest.version if newest else 0
        if based_on is not None and based_on != before:
            who = f" by {newest.author}" if newest else ""
            raise GuidelineRefusedError(
                problem=f"version {before}{who} was added meanwhile. Look at it, and put your change into it."
            )
        if newest and newest.text == text:
            raise GuidelineRefusedError(problem="the text is the same as before.")
        made = Guideline(version=before + 1, text=text, note=note, author=by, created_at=_now())
        connection.execute(tables.guidelines.insert(), _row(queue.recipe, made))
        return made

    return queue.database.write(work)


def newest_version(queue: ReviewQueue) -> Guideline | None:
    """Return the version that counts; None if there is none yet. Raises DatabaseError."""
    with queue.database.read() as connection:
        return _newest(connection, queue.recipe)


def list_versions(queue: ReviewQueue) -> list[Guideline]:
    """Return all versions, the newest first. Raises DatabaseError."""
    table = tables.guidelines
    query = sa.select(table).where(table.c.recipe == queue.recipe).order_by(table.c.version.desc())
    with queue.database.read() as connection:
        return [Guideline(**_fields(row, Guideline)) for row in connection.execute(query).mappings()]


def link_case(queue: ReviewQueue, item_key: str, note: str, *, by: str) -> Case:
    """Link an item as a case.

    Raises:
        GuidelineRefusedError: if the note says nothing.
        UnknownIdError: if there is no such item.
    """
    _check_text("note", note, MAX_NOTE_CHARS, may_be_empty=False)
    queue.get_item(item_key)
    table = tables.cases

    def work(connection: sa.Connection) -> Case:
        lock_queue(connection, queue.recipe)  # numbers follow on each other
        newest = _newest(connection, queue.recipe)
        last = connection.execute(sa.select(sa.func.max(table.c.number)).where(table.c.recipe == queue.recipe)).scalar()
        version = newest.version if newest else 0
        made = Case(number=(last or 0) + 1, item_key=item_key, version=version, note=note, author=by, created_at=_now())
        connection.execute(table.insert(), _row(queue.recipe, made))
        return made

    return queue.database.write(work)


def list_cases(queue: ReviewQueue, item_key: str = "") -> list[Case]:
    """Return the cases of a recipe (or of one item), the newest first. Raises DatabaseError."""
    table = tables.cases
    chosen = [table.c.recipe == queue.recipe, *([table.c.item_key == item_key] if item_key else [])]
    with queue.database.read() as connection:
        rows = connection.execute(sa.select(table).where(*chosen).order_by(table.c.number.desc())).mappings()
        return [Case(**_fields(row, Case)) for row in rows]


def _check_text(name: str, text: str, max_chars: int, *, may_be_empty: bool) -> None:
    if not may_be_empty and not text.strip():
        raise GuidelineRefusedError(problem=f"the {name} is empty.")
    if len(text) > max_chars:
        raise GuidelineRefusedError(problem=f"the {name} has {len(text):,} characters; at most {max_chars:,} are kept.")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise GuidelineRefusedError(
            problem=f"the {name} holds characters that no text may hold (NUL or half a surrogate pair)."
        )


def _newest(connection: sa.Connection, recipe: str) -> Guideline | None:
    table = tables.guidelines
    query = sa.select(table).where(table.c.recipe == recipe).order_by(table.c.version.desc()).limit(1)
    row = connection.execute(query).mappings().one_or_none()
    return Guideline(**_fields(row, Guideline)) if row else None


def _fields(row: Any, cls: Any) -> dict[str, Any]:
    return {name: row[name] for name in cls.__dataclass_fields__}


def _row(recipe: str, record: Any) -> dict[str, Any]:
    return {"recipe": recipe} | {name: getattr(record, name) for name in record.__dataclass_fields__}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
