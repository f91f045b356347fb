"""Items and votes of foreign files into a queue of any name. Whatever is in the file, the rest of it is read.

    report = import_items(ReviewQueue(database, "my_queue"), Path("records.json"))
    report.num_added, report.num_votes, report.refused            # 970, 12, {"missing_value": 3}

JSONL, JSON, CSV, TSV, Parquet and Arrow files in every shape of `shapes.py`; the shape is told row by row. A row that
cannot be taken is written to a file of rejects with its line and the reason. Parts are committed as they are read, and
doing it again adds nothing that is there: an import that was stopped goes on by the same command.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple

import sqlalchemy as sa

from curation.errors import ItemWithdrawnError, LeaseLostError, VerdictConflictError, VerdictRefusedError
from curation.garbage import collector_paused
from curation.ingest.config import RECORD_FORMATS
from curation.ingest.readers.limits import MEBIBYTE, Limits
from curation.ingest.readers.opening import ReadOptions, format_of, open_rows
from curation.ingest.rows import BadRow, Row
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.errors import ReviewFileError
from curation.review.exchange.csv_cells import restore
from curation.review.exchange.incoming import Incoming, Reading
from curation.review.exchange.shapes import read_incoming
from curation.review.exchange.typed_rows import WrongRowError
from curation.review.items import GOLD_PREFIX, is_gold
from curation.review.queue import ReviewQueue
from curation.review.queue.sync import add_items
from curation.review.queue.vote import Vote

PART = 5_000
PART_CHARS = 32_000_000
LIMITS = Limits(row_bytes=24 * MEBIBYTE)
MAX_SHOWN = 20
STEP = 500
Progress = Callable[[int, float], None]
"""Told how many rows were read since it was last told, and what share of the file that makes with those before them."""


class Numbered(NamedTuple):
    """What a row came to, with its number in the file."""

    number: int
    incoming: Incoming


@dataclass(kw_only=True)
class ImportReport:
    """What became of the rows of a file: added + present + refused = rows."""

    num_rows: int = 0
    num_added: int = 0
    num_present: int = 0
    """Items that were there already, or earlier in the file."""
    num_votes: int = 0
    """Votes that are new."""
    num_votes_present: int = 0
    num_votes_refused: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    """Reason -> number of rows and votes."""
    first_refused: list[str] = field(default_factory=list)

    @property
    def num_refused(self) -> int:
        """Rows that were refused."""
        return self.num_rows - self.num_added - self.num_present


class Rejects:
    """The file of rejects: one JSON object a line, with line, reason and detail. It is made when there is something to say."""

    def __init__(self, path: Path, report: ImportReport) -> None:
        self._path, self._report = path, report
        self._file: BinaryIO | None = None

    def __enter__(self) -> "Rejects":
        self._path.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, line: int, reason: str, detail: str, excerpt: str = "") -> None:
        """Note a row or vote that was not taken. Raises ReviewFileError."""
        report = self._report
        report.refused[reason] = report.refused.get(reason, 0) + 1
        if len(report.first_refused) < MAX_SHOWN:
            report.first_refused.append(f"line {line}: {reason}: {detail}" if line else f"file: {reason}: {detail}")
        text = json.dumps({"line": line, "reason": reason, "detail": detail, "excerpt": excerpt[:500]})
        try:
            if self._file is None:
                self._file = self._path.open("wb")
            self._file.write(text.encode() + b"\n")
        except OSError as error:
            raise ReviewFileError(path=self._path, reason=error.strerror or str(error)) from error


@collector_paused()  # rows make no cycles; looking for some takes a tenth of the time
def import_items(
    queue: ReviewQueue,
    path: Path,
    *,
    config: ReviewConfig | None = None,
    reading: Reading | None = None,
    format_name: str = "",
    rejects: Path | None = None,
    with_items: bool = True,
    with_votes: bool = True,
    progress: Progress | None = None,
) -> ImportReport:
    """Put the items of a file into a queue, and record what people said about them elsewhere.

    Args:
        queue: of any name; it need not belong to a recipe, and is made if it is not there.
        path: the file.
        config: rubric, overlap and lease of the queue; by default those it has, or the usual ones for a new one.
        reading: what columns and labels mean; by default what `incoming.DECISIONS` and `flat_shape` know.
        format_name: as in `ReadOptions.format`; empty: by the suffix.
        rejects: where rows go that cannot be taken; default: FILE.rejects.jsonl beside the file.
        with_items: false to take votes only, on items that are in the queue.
        with_votes: false to take items only.
        progress: told of the rows as they are read.

    Raises:
        ReviewFileError: if the file cannot be opened, or the rejects cannot be written.
        DatabaseError: if the queue cannot be written; what was stored before stays.
    """
    config = config or queue_config(queue)
    reading = reading or Reading(rubric_version=config.rubric_version)
    report = ImportReport()
    options = ReadOptions(format=format_name, limits=LIMITS)
    if format_of(path.name, options) not in RECORD_FORMATS:
        known = ".jsonl, .json, .csv, .tsv, .parquet and .arrow"
        raise ReviewFileError(path=path, reason=f"its suffix names no file of rows; {known} are read")
    try:
        stream = path.open("rb")
    except OSError as error:
        raise ReviewFileError(path=path, reason=error.strerror or str(error)) from error
    with stream, Rejects(rejects or path.with_name(f"{path.name}.rejects.jsonl"), report) as rejected:
        rows = _read(open_rows(path.name, stream, options), reading, report, rejected, _teller(stream, progress))
        for part in _parts(rows):
            if with_items:
                _store_items(queue, part, config, report)
            if with_votes:
                _store_votes(queue, part, report, rejected)
            if not with_items:
                report.num_present += len(part)
    return report


def queue_config(queue: ReviewQueue) -> ReviewConfig:
    """Return the settings that a queue has, or the usual ones if it is new. Raises DatabaseError."""
    settings = queue.settings()
    usual = ReviewConfig()
    is_new = not settings.rubric
    return ReviewConfig(
        policy="all" if is_new else settings.policy,  # type: ignore[arg-type]  # it was a policy when it was stored
        accept=settings.accept,
        automatic=("length",) if settings.accept == "automatic" else (),  # the queue keeps no rules; no vote is given here
        rubric=settings.rubric or usual.rubric,
        overlap=settings.overlap,
        lease_minutes=settings.lease_seconds / 60,
    )


def _teller(stream: BinaryIO, progress: Progress | None) -> Callable[[int], None]:
    """Return what tells of rows that were read; how far that is in the file is known from what its readers took of it."""
    size = max(1, os.fstat(stream.fileno()).st_size)
    furthest = 0

    def tell(num: int) -> None:
        nonlocal furthest
        furthest = max(furthest, stream.tell())  # columns of Parquet are read to and fro
        if progress is not None:
            progress(num, min(1.0, furthest / size))

    return tell


def _read(
    rows: Any, reading: Reading, report: ImportReport, rejects: Rejects, tell: Callable[[int], None]
) -> Iterator[Numbered]:
    is_csv = rows.format in ("csv", "tsv")
    seen: dict[int, int] = {}
    for row in rows:
        if report.num_rows % STEP == STEP - 1:
            tell(STEP)
        if isinstance(row, BadRow):
            report.num_rows += bool(row.number)
            rejects.add(row.number, row.reason, row.detail, row.excerpt)
            continue
        report.num_rows += 1
        try:
            found = Numbered(row.number, read_incoming(_cells(row) if is_csv else row.values, reading))
            _check_id(found.incoming, seen)
            yield found
        except WrongRowError as error:
            rejects.add(row.number, error.reason, error.detail, str(row.values)[:500])


def _cells(row: Row) -> dict[str, Any]:
    return {name: restore(cell) for name, cell in row.values.items()}


def _check_id(incoming: Incoming, seen: dict[int, int]) -> None:
    """Refuse a second text under one id. Ids are kept as 8 bytes each: a million take about 100 MB."""
    if is_gold(incoming.item.record_key):
        raise WrongRowError("wrong_value", f"No id may begin with '{GOLD_PREFIX}': it marks items that test reviewers.")
    name, key = hash(incoming.item.record_key), hash(incoming.item.key)
    if seen.setdefault(name, key) != key:
        raise WrongRowError(
            "duplicate_id", f"The id '{incoming.item.record_key[:100]}' stands in the file before, with another text."
        )


def _parts(rows: Iterator[Numbered]) -> Iterator[list[Numbered]]:
    part: list[Numbered] = []
    num_chars = 0
    for row in rows:
        part.append(row)
        num_chars += len(row.incoming.item.answer) + sum(len(message.content) for message in row.incoming.item.prompt)
        if len(part) >= PART or num_chars >= PART_CHARS:
            yield part
            part, num_chars = [], 0
    if part:
        yield part


def _store_items(queue: ReviewQueue, part: list[Numbered], config: ReviewConfig, report: ImportReport) -> None:
    priorities = {row.incoming.item.key: row.incoming.priority for row in part if row.incoming.priority}
    stored = add_items(queue.database, queue.recipe, (row.incoming.item for row in part), config, priorities)
    report.num_added += stored.added
    report.num_present += len(part) - stored.added


def _store_votes(queue: ReviewQueue, part: list[Numbered], report: ImportReport, rejects: Rejects) -> None:
    votes: list[tuple[int, Vote]] = []
    for row in part:
        for said in row.incoming.votes:
            try:
                votes.append((row.number, said.as_vote(row.incoming.item.key)))
            except WrongRowError as error:
                report.num_votes_refused += 1
                rejects.add(row.number, error.reason, error.detail)
    for start in range(0, len(votes), 500):
        _record(queue, votes[start : start + 500], report, rejects)


_REFUSALS = (VerdictRefusedError, VerdictConflictError, LeaseLostError, ItemWithdrawnError)


def _num_verdicts(queue: ReviewQueue) -> int:
    with queue.database.read() as connection:
        query = sa.select(schema.queues.c.num_verdicts).where(schema.queues.c.recipe == queue.recipe)
        return int(connection.execute(query).scalar_one_or_none() or 0)


def _record(queue: ReviewQueue, votes: list[tuple[int, Vote]], report: ImportReport, rejects: Rejects) -> None:
    """Record votes together; where one is refused, those on either side of it are still recorded, in order."""
    before = _num_verdicts(queue)
    try:
        verdicts = queue.record([vote for _, vote in votes])
    except _REFUSALS as error:
        if len(votes) > 1:
            middle = len(votes) // 2
            _record(queue, votes[:middle], report, rejects)
            _record(queue, votes[middle:], report, rejects)
            return
        number, vote = votes[0]
        report.num_votes_refused += 1
        rejects.add(number, "vote_refused", f"{vote.reviewer}: {error}")
        return
    num_new = sum(verdict.sequence > before for verdict in verdicts)
    report.num_votes += num_new
    report.num_votes_present += len(verdicts) - num_new
