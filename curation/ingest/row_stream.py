"""The rows of one file, query or data set -> records and rejections, one by one: only the first 200 rows are held.

for item in iterate_rows(source, "faq.csv", open_rows("faq.csv", stream, options), reports.append):
    item.key                     "faq/faq.csv#q7"
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Literal

from curation.ingest.config import SourceConfig
from curation.ingest.ingested import Ingest, SourceReport
from curation.ingest.key_set import KeySet
from curation.ingest.readers.limits import MEBIBYTE
from curation.ingest.readers.opening import RowStream
from curation.ingest.row_records import Unusable, row_hash, row_key
from curation.ingest.rows import BadRow, Row, bad_row
from curation.ingest.shapes.shaper import Shaped, ShapeProblem, Shaper, open_shaper
from curation.ingest.text import excerpt_of, normalise_text
from curation.records import Rejection

HEAD_ROWS = 200
MAX_BAD_HEAD_ROWS = 10_000
HEAD_CHARS = 16 * MEBIBYTE
"""The head ends earlier where its rows are long."""
EXCERPT_VALUE_CHARS = 500


def reject(source: SourceConfig, name: str, where: str, reason: str, detail: str, raw_hash: str, excerpt: str) -> Rejection:
    """Return the rejection of a row or a file; `where` is its key below the source."""
    return Rejection(
        key=f"{source.name}/{where}",
        stage=source.role,
        reason=reason,
        detail=normalise_text(f"File '{name}': {detail}"),
        record_hash=raw_hash,
        excerpt=excerpt,
    )


def iterate_rows(
    source: SourceConfig,
    name: str,
    rows: RowStream,
    report: Callable[[SourceReport], None],
    *,
    named_by: Literal["number", "hash"] = "number",
    may_be_empty: bool = False,
) -> Iterator[Ingest]:
    """Yield the record of each row, or its rejection, in order.

    Whether the rows of a file have keys is judged by its first 200: if none of them has one, all are named by number, or
    with `named_by="hash"`, for rows without an order, by the hash of their values. A file without rows is a rejection, unless
    it `may_be_empty`: a shard of a larger whole.
    """
    head = _take_head(rows)
    good = [row for row in head if isinstance(row, Row)]
    keyed = any(row_key(source, row) for row in good)
    shaper = open_shaper(source, name, good) if good else None
    findings = ", ".join(part for part in (rows.layout, _describe(shaper)) if part)
    tally = _Tally(rows.format, rows.encoding.name, rows.encoding.confidence, findings)
    if isinstance(shaper, ShapeProblem):
        yield tally.count(_reject_bad(source, name, bad_row(0, shaper.reason, shaper.detail), ""))
    else:
        names = _Names(source, keyed, named_by)
        for row in itertools.chain(head, rows):
            if shaper is None and isinstance(row, Row):
                shaper = open_shaper(source, name, [row])  # the head was nothing but bad rows
            yield tally.count(_row_result(source, name, row, shaper, names))
        if not tally.rows and not may_be_empty:
            yield tally.count(_reject_bad(source, name, bad_row(0, "empty_text", "The file holds no row."), ""))
    report(tally.report(name))


class _Tally:
    """Counts what comes of the rows."""

    def __init__(self, format_name: str, encoding: str, confidence: float, shape: str) -> None:
        self.found = {"format": format_name, "encoding": encoding, "shape": shape}
        self.confidence = confidence
        self.rows = 0
        self.rejected = 0

    def count(self, item: Ingest) -> Ingest:
        """Count one result, and return it."""
        self.rows += 1
        self.rejected += isinstance(item, Rejection)
        return item

    def report(self, name: str) -> SourceReport:
        """Return the counts."""
        return SourceReport(name=name, **self.found, confidence=self.confidence, rows=self.rows, rejected=self.rejected)


class _Names:
    """Names the rows of one file: by their key, else by number or hash; `row-` keeps numbers apart from keys."""

    def __init__(self, source: SourceConfig, keyed: bool, named_by: str) -> None:
        self._source = source
        self._keyed = keyed
        self._by_hash = named_by == "hash"
        self._taken = KeySet()
        self.prefix = "row-" if keyed else ""

    def of(self, row: Row) -> tuple[str, bool]:
        """Return the name of a row, and whether it is new."""
        key = row_key(self._source, row) if self._keyed else ""
        name = key or self.prefix + (row_hash(row) if self._by_hash else str(row.number))
        return name, self._taken.add(name) if key or self._by_hash else True

    def place(self, row: Row) -> str:
        """Return the name of a row as the rejection of a second one with the same key bears it."""
        return f"{self.prefix}{row.number}"


def _take_head(rows: RowStream) -> list[Row | BadRow]:
    head: list[Row | BadRow] = []
    size, num_good = 0, 0
    for row in rows:
        head.append(row)
        size += chars_of(row.values) if isinstance(row, Row) else 0
        num_good += isinstance(row, Row)
        if num_good >= HEAD_ROWS or size > HEAD_CHARS or len(head) >= MAX_BAD_HEAD_ROWS:
            break
    return head


def chars_of(value: Any) -> int:
    """Return about how much text a value holds."""
    todo, size = [value], 0
    while todo:
        part = todo.pop()
        if isinstance(part, dict):
            todo.extend(part.values())
        elif isinstance(part, (list, tuple)):
            todo.extend(part)
        else:
            size += len(part) if isinstance(part, (str, bytes)) else 8
    return size


def _describe(shaper: Shaper | ShapeProblem | None) -> str:
    if shaper is None:
        return ""
    return shaper.reason if isinstance(shaper, ShapeProblem) else shaper.describe()


def _row_result(
    source: SourceConfig, name: str, row: Row | BadRow, shaper: Shaper | ShapeProblem | None, names: _Names
) -> Ingest:
    if isinstance(row, BadRow):
        return _reject_bad(source, name, row, names.prefix)
    assert shaper is not None
    row_name, is_new = names.of(row)
    record: Shaped | Unusable
    if not is_new:
        record = Unusable("duplicate_key", f"An earlier row has the key '{row_name}' too.")
    elif isinstance(shaper, ShapeProblem):
        record = Unusable(shaper.reason, shaper.detail)
    else:
        record = shaper.convert(f"{source.name}/{name}#{row_name}", row)
    if not isinstance(record, Unusable):
        return record
    detail = f"Row {row.number}: {record.detail}"
    return reject(source, name, f"{name}#{names.place(row)}", record.reason, detail, row_hash(row), _excerpt(row))


def _reject_bad(source: SourceConfig, name: str, row: BadRow, prefix: str) -> Rejection:
    where = f"{name}#{prefix}{row.number}" if row.number else name
    return reject(source, name, where, row.reason, row.detail, row.raw_hash, row.excerpt)


def _excerpt(row: Row) -> str:
    shown = {key: value[:EXCERPT_VALUE_CHARS] if isinstance(value, str) else value for key, value in row.values.items()}
    return excerpt_of(str(shown))
