"""Paid replies as a file, so that a team pays for each of them once.

    export_ledger(ledger, Path("replies.jsonl.zst"), recipe="sdk_assistant").num_calls     # 1001
    import_ledger(other, Path("replies.jsonl.zst"))      # ImportReport(num_added=970, num_present=31, refused={})

The first line names the format, the number of rows and the hash of everything after it; each further line is one call:

    {"created_at":"...","endpoint":"...","key":"9f...","model":"...","provider":"...","reply":{...},"request":{...},...}

A file is worth no more than whoever wrote it: on import the request id of every row is computed anew from its request, a row
that does not fit is refused with its reason, and a reply that is there already is never replaced. The name says how a file
is compressed: `.zst`, `.gz`, or not at all.
"""

import hashlib
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curation.errors import LedgerFileError
from curation.files import sync_folder
from curation.ids import DIGEST_BYTES
from curation.ingest.readers.limits import Fault, Limits
from curation.records import TeacherCall
from curation.synthesis.ledger.exchange_file import (
    FORMAT,
    SUFFIXES,
    VERSION,
    iter_lines,
    open_lines,
    packed,
    verify_file,
    write_file,
)
from curation.synthesis.ledger.exchange_rows import RefusedRowError, format_row, read_row
from curation.synthesis.ledger.request_ledger import RequestLedger

MIN_SECRET_CHARS = 16
ROWS_PER_COMMIT = 500
BYTES_PER_COMMIT = 16_000_000
MAX_REFUSALS_SHOWN = 20
IMPORTED = "imported"
"""Run that imported calls are booked on: they were paid for elsewhere."""


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What was written."""

    num_calls: int
    num_withheld: int
    """Calls that hold the value of a secret of this environment; they are not written."""
    num_bytes: int
    """Size of the file."""


@dataclass(kw_only=True)
class ImportReport:
    """What became of the rows of a file: added + present + refused = rows."""

    num_rows: int = 0
    num_added: int = 0
    num_present: int = 0
    """Rows whose reply was there already, or earlier in the file."""
    refused: dict[str, int] = field(default_factory=dict)
    """Reason -> number of rows."""
    first_refused: list[str] = field(default_factory=list)
    """The first refusals with their line."""

    @property
    def num_refused(self) -> int:
        """How many rows were refused."""
        return sum(self.refused.values())


def export_ledger(
    ledger: RequestLedger, path: Path, *, recipe: str | None = None, secrets: Mapping[str, str] | None = None
) -> ExportReport:
    """Write the calls of a ledger, or of one recipe, to a file that appears at once and whole.

    Args:
        ledger: where the calls are.
        path: file to write; an older one is replaced.
        recipe: only what was paid for this recipe.
        secrets: name -> value of what must not leave this machine; by default the keys, tokens and passwords of the
            environment. A call that holds one is left out and counted.

    Raises:
        LedgerFileError: the file cannot be written, or its name does not say how.
        DatabaseError: the ledger cannot be read.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise LedgerFileError(path=path, reason=f"its name must end in one of {', '.join(SUFFIXES)}, by which it is compressed")
    values = [value for value in (find_secrets(os.environ) if secrets is None else secrets).values() if value]
    part, rows = (path.with_name(f".{path.name}.{uuid.uuid4().hex}.{end}") for end in ("part", "rows"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        header, num_withheld = _write_rows(ledger, rows, path, recipe, values)
        write_file(header, rows, part, path)
        num_bytes = part.stat().st_size
        part.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise LedgerFileError(path=path, reason=error.strerror or str(error)) from error
    finally:
        for left in (part, rows):
            left.unlink(missing_ok=True)
    return ExportReport(num_calls=header["num_calls"], num_withheld=num_withheld, num_bytes=num_bytes)


def find_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that hold a key, token, secret or password; short values are none."""
    ends = ("KEY", "TOKEN", "SECRET", "PASSWORD")
    return {
        name: value for name, value in environment.items() if name.upper().endswith(ends) and len(value) >= MIN_SECRET_CHARS
    }


def _write_rows(
    ledger: RequestLedger, rows: Path, path: Path, recipe: str | None, secrets: Sequence[str]
) -> tuple[dict[str, Any], int]:
    """Write all rows; return the header that belongs to them, and how many were withheld."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    num_calls = num_withheld = num_bytes = 0
    with rows.open("wb") as file, packed(file, path) as packer:
        for call in ledger.iter_calls(recipe=recipe):
            line = format_row(call)
            if any(secret in line for secret in secrets):
                num_withheld += 1
                continue
            data = line.encode("ascii") + b"\n"
            packer.write(data)
            digest.update(data)
            num_calls, num_bytes = num_calls + 1, num_bytes + len(data)
    header = {"format": FORMAT, "version": VERSION, "num_calls": num_calls, "num_bytes": num_bytes}
    return header | {"rows_hash": digest.hexdigest()}, num_withheld


def import_ledger(ledger: RequestLedger, path: Path, *, recipe: str = "", limits: Limits | None = None) -> ImportReport:
    """Store the calls of a file that are not there yet. Doing so again changes nothing.

    Args:
        ledger: where they go.
        path: file that `export_ledger` wrote.
        recipe: recipe that they are booked on, under the run `imported`.
        limits: caps on what a hostile file may take.

    Raises:
        LedgerFileError: the file is damaged, cut short, or no ledger; then nothing was stored.
        DatabaseError: the ledger cannot be written; what was stored before stays.
    """
    limits = limits or Limits()
    try:
        verify_file(path, limits)
        report = ImportReport()
        for calls in _iter_groups(path, limits, report):
            added = ledger.add_calls(calls, recipe=recipe, run_id=IMPORTED)
            report.num_added += len(added)
            report.num_present += len(calls) - len(added)
        return report
    except Fault as fault:
        raise LedgerFileError(path=path, reason=fault.detail) from fault
    except OSError as error:
        raise LedgerFileError(path=path, reason=error.strerror or str(error)) from error


def _iter_groups(path: Path, limits: Limits, report: ImportReport) -> Iterator[list[TeacherCall]]:
    """Yield the rows that hold, as many as make one commit; count and note the others."""
    calls: list[TeacherCall] = []
    num_bytes = 0
    with open_lines(path, limits) as (_, stream):
        for line in iter_lines(stream, limits.row_bytes):
            report.num_rows += 1
            try:
                calls.append(_read_line(line))
                num_bytes += len(line)
            except RefusedRowError as refusal:
                _note(report, str(refusal))
            if len(calls) >= ROWS_PER_COMMIT or num_bytes >= BYTES_PER_COMMIT:
                yield calls
                calls, num_bytes = [], 0
    if calls:
        yield calls


def _read_line(line: bytes) -> TeacherCall:
    if not line.endswith(b"\n"):
        raise RefusedRowError("the row is too long, or has no end")
    return read_row(line)


def _note(report: ImportReport, reason: str) -> None:
    report.refused[reason] = report.refused.get(reason, 0) + 1
    if len(report.first_refused) < MAX_REFUSALS_SHOWN:
        report.first_refused.append(f"row {report.num_rows}: {reason}")
