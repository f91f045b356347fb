"""The withdrawal ledger: who withdrew which source, document or pattern, when and why, and what was restored.

    with open_withdrawals(home) as withdrawals:
        withdrawals.append(action="withdraw", subject=Subject.parse("news"), who="Ada", reason="licence ended", ...)
        [entry] = withdrawals.standing()          # a later `restore` of the same subject takes it away again

Entries are never changed. Each holds the hash of the one before it, so that an edit, a gap or a swap shows; whoever reads what
stands has the whole chain checked first, since nothing may be trained on after an entry was lost.
"""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

import sqlalchemy as sa

from curation.database import Database
from curation.errors import LedgerTamperedError, WithdrawalRefusedError
from curation.home import Home
from curation.ids import content_hash
from curation.lineage.subject import Kind, Subject
from curation.records import Rejection, record_hash

Action = Literal["withdraw", "restore"]
MIGRATIONS = Path(__file__).parent / "migrations"
GENESIS = "0" * 32
REASON = "withdrawn"
"""Reason of the rejections at intake."""

_entries = sa.Table(
    "withdrawal_entries",
    sa.MetaData(),
    sa.Column("sequence", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("action", "kind", "subject", "who", "created_at", "reason")),
    sa.Column("num_rows", sa.BigInteger),
    *(sa.Column(name, sa.Text) for name in ("models", "previous_hash", "hash")),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Withdrawal:
    """One line of the ledger."""

    sequence: int
    action: Action
    kind: Kind
    subject: str
    who: str
    created_at: str
    reason: str
    num_rows: int
    """Rows that descended from the subject at the time, in the newest tables and in what models were trained on."""
    models: str
    """Hashes of the models that had been trained on one of these rows, as a JSON list: they are marked by this."""
    previous_hash: str
    hash: str

    def expected_hash(self) -> str:
        """Return the hash of everything but the hash."""
        fields = dataclasses.asdict(self)
        del fields["hash"]
        return content_hash(fields)

    @property
    def what(self) -> Subject:
        """The subject, with its kind."""
        return Subject(kind=self.kind, text=self.subject)

    @property
    def model_hashes(self) -> tuple[str, ...]:
        """The models that are marked."""
        return tuple(json.loads(self.models))

    def sentence(self) -> str:
        """Say what was withdrawn by whom, when and why."""
        return f"{self.kind} '{self.subject}' withdrawn by {self.who} on {self.created_at[:10]}: {self.reason}"


class WithdrawalLedger:
    """Reads and appends entries. Safe to use from several threads and processes. Use as a context manager."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def append(
        self, *, action: Action, subject: Subject, who: str, reason: str, num_rows: int = 0, models: Sequence[str] = ()
    ) -> Withdrawal:
        """Add an entry and return it once it is on disk.

        Raises:
            WithdrawalRefusedError: if the subject is withdrawn already, or not and should be restored; or nobody says why.
            LedgerTamperedError: if the chain is not intact.
            DatabaseError: if the ledger cannot be written.
        """
        if not who.strip() or not reason.strip():
            raise WithdrawalRefusedError(problem="say who asks for it and why")
        fields: dict[str, Any] = {
            "action": action,
            "kind": subject.kind,
            "subject": subject.text,
            "who": who.strip(),
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "reason": reason.strip(),
            "num_rows": num_rows,
            "models": json.dumps(sorted(models)),
        }
        return self._database.write(lambda connection: _append(connection, fields, subject))

    def history(self) -> list[Withdrawal]:
        """Return every entry, oldest first. Raises LedgerTamperedError if the chain is not intact."""
        with self._database.read() as connection:
            return _read(connection)

    def standing(self) -> tuple[Withdrawal, ...]:
        """Return the withdrawals that were not restored, oldest first. Raises LedgerTamperedError."""
        return _standing(self.history())


def open_withdrawals(home: Home) -> WithdrawalLedger:
    """Open the ledger of an installation. Raises DatabaseError."""
    return WithdrawalLedger(home.database("withdrawals", MIGRATIONS))


def standing_withdrawals(home: Home) -> tuple[Withdrawal, ...]:
    """Return the withdrawals that stand in an installation. Raises DatabaseError and LedgerTamperedError."""
    with open_withdrawals(home) as withdrawals:
        return withdrawals.standing()


def withdrawal_state(standing: Iterable[Withdrawal], source: str) -> str:
    """Return the version of what is withdrawn of a source: it changes when that changes, and comes back when it is restored."""
    touching = (item.what for item in standing if item.what.may_touch(source))
    return content_hash(sorted({(subject.kind, subject.text) for subject in touching}))


def find_withdrawal(key: str, standing: Iterable[Withdrawal]) -> Withdrawal | None:
    """Return the withdrawal that names this document or row, or None."""
    return next((item for item in standing if item.what.covers(key)), None)


def drop_withdrawn(items: Iterable[Any], standing: Sequence[Withdrawal], *, stage: str) -> Iterable[Any]:
    """Yield what was read from a source, with a rejection (that quotes nothing) in place of every withdrawn record."""
    for item in items:
        found = None if isinstance(item, Rejection) else find_withdrawal(item.key, standing)
        if found is None:
            yield item
        else:
            yield Rejection(
                key=item.key,
                stage=stage,
                reason=REASON,
                detail=f"The {found.sentence()}.",
                record_hash=record_hash(item),
                excerpt="",
            )


def _standing(entries: Iterable[Withdrawal]) -> tuple[Withdrawal, ...]:
    standing: dict[tuple[str, str], Withdrawal] = {}
    for entry in entries:
        if entry.action == "withdraw":
            standing[entry.kind, entry.subject] = entry
        else:
            standing.pop((entry.kind, entry.subject), None)
    return tuple(standing.values())


def _read(connection: sa.Connection) -> list[Withdrawal]:
    rows = connection.execute(sa.select(_entries).order_by(_entries.c.sequence)).mappings()
    entries, previous = [Withdrawal(**row) for row in rows], GENESIS
    for number, entry in enumerate(entries, start=1):
        if entry.sequence != number or entry.previous_hash != previous or entry.hash != entry.expected_hash():
            raise LedgerTamperedError(ledger="withdrawal", entry=number)
        previous = entry.hash
    return entries


def _append(connection: sa.Connection, fields: dict[str, Any], subject: Subject) -> Withdrawal:
    entries = _read(connection)
    is_withdrawn = any(item.what == subject for item in _standing(entries))
    if is_withdrawn == (fields["action"] == "withdraw"):
        state = "is withdrawn already" if is_withdrawn else "is not withdrawn"
        raise WithdrawalRefusedError(problem=f"the {subject.kind} '{subject.text}' {state}")
    row = {"sequence": len(entries) + 1, **fields, "previous_hash": entries[-1].hash if entries else GENESIS}
    entry = Withdrawal(**row, hash=content_hash(row))
    connection.execute(sa.insert(_entries).values(**dataclasses.asdict(entry)))
    return entry
