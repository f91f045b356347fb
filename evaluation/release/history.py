"""What the release ledger tells: which model is live, was live on a day, waits for a person, or stood in vain.

    live_entries(history)[-1].model_hash                     the champion
    live_on(history, date(2026, 11, 30))                     every model that was live on that day, with from, to and why
    find_challenger(history)                                 the newest candidate that is not live, and why not

A history is the entries of one recipe, oldest first, as `ReleaseLedger.history` returns them. Days are days of UTC.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from evaluation.release.registry import LedgerEntry


class Reign(NamedTuple):
    """A model while it was live."""

    entry: LedgerEntry
    """The promotion, or the rollback to it."""
    since: datetime
    until: datetime | None
    """None while it is live."""


def live_entries(history: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """Return the promotions that stand, oldest first: each rollback takes the last one away."""
    live: list[LedgerEntry] = []
    for entry in history:
        if entry.action == "promote":
            live.append(entry)
        elif entry.action == "rollback" and live:
            live.pop()
    return live


def withdrawal(history: Sequence[LedgerEntry], model_hash: str) -> LedgerEntry | None:
    """Return the rollback that took a model away, or None if it was never rolled back."""
    found = None
    for index, entry in enumerate(history):
        if entry.action == "rollback":
            before = live_entries(history[:index])
            found = entry if before and before[-1].model_hash == model_hash else found
    return found


def find_approval(history: Sequence[LedgerEntry], model_hash: str, evidence_hash: str) -> LedgerEntry | None:
    """Return the newest approval of this very model on this very evidence, or None."""
    wanted = ("approve", model_hash, evidence_hash)
    return next((entry for entry in reversed(history) if (entry.action, entry.model_hash, entry.evidence_hash) == wanted), None)


def list_reigns(history: Sequence[LedgerEntry]) -> list[Reign]:
    """Return every time that a model was live, oldest first."""
    changes = [entry for entry in history if entry.action in ("promote", "rollback")]
    times = [datetime.fromisoformat(entry.created_at) for entry in changes]
    ends = [*times[1:], None]
    return [Reign(*each) for each in zip(changes, times, ends, strict=False)]


def live_on(history: Sequence[LedgerEntry], day: date) -> list[Reign]:
    """Return the models that were live at some time of a day (UTC), oldest first; empty if none was."""
    start = datetime.combine(day, time(), UTC)
    end = start + timedelta(days=1)
    return [reign for reign in list_reigns(history) if reign.since < end and (reign.until is None or reign.until > start)]


def find_challenger(history: Sequence[LedgerEntry]) -> LedgerEntry | None:
    """Return the newest decision about a candidate that is not live now (refused, or held), or None if there is none."""
    live = live_entries(history)
    champion = live[-1].model_hash if live else ""
    decided = [entry for entry in history if entry.action in ("refuse", "hold", "promote")]
    return decided[-1] if decided and decided[-1].model_hash != champion and decided[-1].action != "promote" else None
