"""The release ledger: who promoted, refused, approved or rolled back which model of which recipe, when and on what evidence.

    ledger = open_release_ledger(home)
    ledger.champion("sdk_assistant").model_hash
    ledger.verify()                               # LedgerTamperedError names the first entry that does not follow

Entries are never changed. Each holds the hash of the one before it, so that an edit, a gap or a swap shows. `append` is
fenced: it takes the head that the caller decided on, and only one of two concurrent promotions wins.

A chain alone does not show that its end was cut off. Hence the newest entry is named in a second place as well, the anchor:

    HOME/release.head.json     {"sequence": 12, "hash": "3b..."}
"""

import dataclasses
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import filelock
import sqlalchemy as sa

from curation.database import Database
from curation.errors import LedgerTamperedError, StaleReleaseError
from curation.files import write_atomically
from curation.home import Home
from curation.ids import canonical_json, content_hash

Action = Literal["promote", "rollback", "refuse", "hold", "approve"]
"""`refuse`: the candidate did not show enough; `hold`: it did, but something else is missing, such as an approval."""
MIGRATIONS = Path(__file__).parent / "migrations"
GENESIS = "0" * 32
"""What the first entry of a ledger names as its predecessor, and the head of a recipe without entries."""

_entries = sa.Table(
    "release_entries",
    sa.MetaData(),
    sa.Column("sequence", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("recipe", "action", "model_hash", "evidence_hash", "who", "created_at", "reason")),
    sa.Column("previous_hash", sa.Text),
    sa.Column("hash", sa.Text),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerEntry:
    """One line of the ledger."""

    sequence: int
    """1, 2, 3, ... over all recipes."""
    recipe: str
    action: Action
    model_hash: str
    """The model promoted, refused, or rolled back to."""
    evidence_hash: str
    who: str
    created_at: str
    reason: str
    previous_hash: str
    hash: str

    def expected_hash(self) -> str:
        """Return the hash of everything but the hash."""
        fields = dataclasses.asdict(self)
        del fields["hash"]
        return content_hash(fields)


@dataclass(frozen=True, kw_only=True)
class Head:
    """The newest entry that was seen."""

    sequence: int
    hash: str


class ReleaseLedger:
    """Reads and appends entries. Safe to use from several threads and processes."""

    def __init__(self, database: Database, anchor: Path | None = None) -> None:
        """Read and append in `database`; `anchor` is the file that names the newest entry seen here."""
        self._database = database
        self._anchor = anchor

    def append(
        self, *, recipe: str, action: Action, model_hash: str, evidence_hash: str, who: str, reason: str, expected_head: str
    ) -> LedgerEntry:
        """Add an entry if the recipe's head is still the one that the caller saw, and return it.

        Raises:
            StaleReleaseError: if somebody else added an entry of this recipe meanwhile; nothing is written.
            LedgerTamperedError: if the last entry does not carry its own hash, or the entry named in the anchor is gone.
            DatabaseError: if the ledger cannot be written.
        """
        fields: dict[str, Any] = {
            "recipe": recipe,
            "action": action,
            "model_hash": model_hash,
            "evidence_hash": evidence_hash,
            "who": who,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "reason": reason,
        }
        known = self._read_anchor()
        try:
            entry = self._database.write(lambda connection: _append(connection, fields, expected_head, known))
        except sa.exc.IntegrityError as error:
            raise StaleReleaseError(recipe=recipe) from error
        self._note(entry)
        return entry

    def head(self, recipe: str) -> str:
        """Return the hash of a recipe's last entry, to hand to `append`; `GENESIS` if it has none."""
        history = self.history(recipe)
        return history[-1].hash if history else GENESIS

    def champion(self, recipe: str) -> LedgerEntry | None:
        """Return the entry that made the model which is live, or None if none was promoted yet."""
        live = [entry for entry in self.history(recipe) if entry.action in ("promote", "rollback")]
        return live[-1] if live else None

    def history(self, recipe: str) -> list[LedgerEntry]:
        """Return the entries of a recipe, oldest first."""
        return [entry for entry in self._entries() if entry.recipe == recipe]

    def verify(self) -> int:
        """Check the whole chain, its end included, and return its length.

        Raises:
            LedgerTamperedError: naming the first entry that does not follow from the one before it, or the last one known to
                have been there.
        """
        known = self._read_anchor()  # before the entries: one that is added meanwhile must not look like one that was lost
        previous = GENESIS
        entries = self._entries()
        for number, entry in enumerate(entries, start=1):
            if entry.sequence != number or entry.previous_hash != previous or entry.hash != entry.expected_hash():
                raise LedgerTamperedError(ledger="release", entry=number)
            previous = entry.hash
        if known is not None and (known.sequence > len(entries) or entries[known.sequence - 1].hash != known.hash):
            raise LedgerTamperedError(ledger="release", entry=known.sequence)
        if entries and (known is None or known.sequence < len(entries)):  # killed in between, or written by another machine
            self._note(entries[-1])
        return len(entries)

    def _note(self, entry: LedgerEntry) -> None:
        """Name an entry in the anchor, unless a newer one stands there."""
        if self._anchor is None:
            return
        self._anchor.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(self._anchor.with_suffix(".lock")):
            known = self._read_anchor()
            if known is None or known.sequence < entry.sequence:
                head = Head(sequence=entry.sequence, hash=entry.hash)
                write_atomically(self._anchor, canonical_json(dataclasses.asdict(head)).encode())

    def _read_anchor(self) -> "Head | None":
        if self._anchor is None:
            return None
        try:
            found = json.loads(self._anchor.read_bytes())
            head = Head(sequence=int(found["sequence"]), hash=str(found["hash"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LedgerTamperedError(ledger="release", entry=f"named in {self._anchor.name} (which cannot be read)") from error
        if head.sequence < 1:
            raise LedgerTamperedError(ledger="release", entry=f"{head.sequence}, named in {self._anchor.name},")
        return head

    def _entries(self) -> list[LedgerEntry]:
        with self._database.read() as connection:
            rows = connection.execute(sa.select(_entries).order_by(_entries.c.sequence)).mappings().all()
        return [LedgerEntry(**row) for row in rows]

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()


def open_release_ledger(place: Home | Database) -> ReleaseLedger:
    """Open the ledger of an installation (or on a database that is open already). Raises DatabaseError."""
    if isinstance(place, Database):
        return ReleaseLedger(place)
    return ReleaseLedger(place.database("release", MIGRATIONS), place.path / "release.head.json")


def _append(connection: sa.Connection, fields: dict[str, Any], expected_head: str, known: Head | None) -> LedgerEntry:
    newest = _entries.c.sequence.desc()
    mine = sa.select(_entries.c.hash).where(_entries.c.recipe == fields["recipe"]).order_by(newest).limit(1)
    if (connection.execute(mine).scalar() or GENESIS) != expected_head:
        raise StaleReleaseError(recipe=fields["recipe"])
    last = connection.execute(sa.select(_entries).order_by(newest).limit(1)).mappings().first()
    before = LedgerEntry(**last) if last else None
    if before is not None and before.hash != before.expected_hash():
        raise LedgerTamperedError(ledger="release", entry=before.sequence)
    if known is not None:
        there = sa.select(_entries.c.hash).where(_entries.c.sequence == known.sequence)
        if connection.execute(there).scalar() != known.hash:
            raise LedgerTamperedError(ledger="release", entry=known.sequence)
    latest = max(fields["created_at"], before.created_at) if before else fields["created_at"]
    row = {
        "sequence": before.sequence + 1 if before else 1,
        **fields,
        "created_at": latest,  # a clock that was set back changes no order of days
        "previous_hash": before.hash if before else GENESIS,
    }
    entry = LedgerEntry(**row, hash=content_hash(row))
    connection.execute(sa.insert(_entries).values(**dataclasses.asdict(entry)))
    return entry
