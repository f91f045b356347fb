from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from curation.database import Database
from evaluation.release.history import find_approval, find_challenger, list_reigns, live_entries, live_on, withdrawal
from evaluation.release.registry import GENESIS, MIGRATIONS, LedgerEntry, ReleaseLedger

START = datetime(2026, 11, 28, tzinfo=UTC)


def history_of(*actions: str, hours: int = 12) -> list[LedgerEntry]:
    """One entry every twelve hours; `promote m1` promotes m1."""
    entries: list[LedgerEntry] = []
    for number, text in enumerate(actions):
        action, model = text.split()
        entries.append(
            LedgerEntry(
                sequence=number + 1,
                recipe="demo",
                action=action,  # type: ignore[arg-type]
                model_hash=model,
                evidence_hash=f"of {model}",
                who="ada",
                created_at=(START + timedelta(hours=number * hours)).isoformat(timespec="seconds"),
                reason=f"reason {number}",
                previous_hash=entries[-1].hash if entries else GENESIS,
                hash=f"h{number}",
            )
        )
    return entries


def models(day: int, entries: list[LedgerEntry]) -> list[str]:
    return [reign.entry.model_hash for reign in live_on(entries, date(2026, 11, day))]


def test_a_day_is_answered_with_all_that_was_live_on_it_and_why() -> None:
    entries = history_of("promote m1", "refuse m2", "hold m3", "promote m3", "rollback m1", "approve m9")
    assert models(27, entries) == []
    assert models(28, entries) == ["m1"]
    assert models(29, entries) == ["m1", "m3"]
    assert models(30, entries) == ["m1"]  # the rollback was at midnight
    reign = live_on(entries, date(2026, 12, 24))[0]
    assert (reign.entry.reason, reign.until) == ("reason 4", None)


@given(st.lists(st.sampled_from(["promote", "rollback", "refuse", "hold", "approve"]), max_size=12), st.integers(1, 50))
def test_at_every_moment_one_model_is_live_at_most_and_none_is_left_out(actions: list[str], hours: int) -> None:
    entries = history_of(*(f"{action} m{number}" for number, action in enumerate(actions)), hours=hours)
    reigns = list_reigns(entries)
    assert [reign.entry for reign in reigns] == [item for item in entries if item.action in ("promote", "rollback")]
    for before, after in zip(reigns, reigns[1:], strict=False):
        assert before.until == after.since
    for day in range(5):
        moment = START + timedelta(days=day)
        shown = live_on(entries, moment.date())
        assert shown == [r for r in reigns if r.since < moment + timedelta(days=1) and (r.until is None or r.until > moment)]


def test_the_challenger_is_the_newest_candidate_that_is_not_live() -> None:
    assert find_challenger([]) is None
    assert find_challenger(history_of("promote m1")) is None
    assert find_challenger(history_of("promote m1", "refuse m2", "hold m3")).model_hash == "m3"  # type: ignore[union-attr]
    assert find_challenger(history_of("promote m1", "hold m2", "approve m2", "promote m2")) is None
    assert find_challenger(history_of("refuse m1", "promote m1")) is None


def test_an_approval_counts_for_one_model_on_one_evidence() -> None:
    entries = history_of("hold m1", "approve m1", "promote m1", "hold m2")
    assert find_approval(entries, "m1", "of m1") == entries[1]
    assert find_approval(entries, "m2", "of m2") is None
    assert find_approval(entries, "m1", "of m2") is None
    assert find_approval(entries, "m2", "of m1") is None


def test_neither_holds_nor_approvals_change_what_is_live() -> None:
    entries = history_of("promote m1", "promote m2", "hold m3", "approve m3", "rollback m1")
    assert [entry.model_hash for entry in live_entries(entries[:4])] == ["m1", "m2"]
    assert [entry.model_hash for entry in live_entries(entries)] == ["m1"]
    assert withdrawal(entries, "m2") == entries[4]
    assert withdrawal(entries, "m1") is None


def test_a_ledger_of_the_first_version_keeps_its_entries_and_their_hashes(tmp_path: Path) -> None:
    first = tmp_path / "migrations"
    first.mkdir()
    (first / "0001.py").write_bytes((MIGRATIONS / "0001_release.py").read_bytes())
    old = Database.open(tmp_path / "release.db", concern="release", migrations=first)
    ledger = ReleaseLedger(old)
    for action in ("promote", "refuse"):
        add(ledger, action, "m1")
    before = ledger.history("demo")
    old.close()
    new = Database.open(tmp_path / "release.db", concern="release", migrations=MIGRATIONS)
    ledger = ReleaseLedger(new)
    assert ledger.history("demo") == before
    add(ledger, "approve", "m2")
    assert ledger.verify() == 3
    with new.read() as connection:
        triggers = connection.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
    assert sorted(triggers) == ["release_entries_delete", "release_entries_update"]
    new.close()


def add(ledger: ReleaseLedger, action: str, model: str) -> LedgerEntry:
    return ledger.append(
        recipe="demo",
        action=action,  # type: ignore[arg-type]
        model_hash=model,
        evidence_hash="e",
        who="ada",
        reason="r",
        expected_head=ledger.head("demo"),
    )


@pytest.mark.postgres
def test_on_postgresql_approvals_are_kept_and_nothing_is_changed(postgres_url: str) -> None:
    database = Database.open(postgres_url, concern="release", migrations=MIGRATIONS)
    ledger = ReleaseLedger(database)
    for action in ("hold", "approve", "promote"):
        add(ledger, action, "m1")
    assert ledger.verify() == 3
    with pytest.raises(sa.exc.DBAPIError, match="never changed"):
        database.write(lambda connection: connection.execute(sa.text("DELETE FROM release_entries")))
    with pytest.raises(sa.exc.IntegrityError):
        database.write(
            lambda connection: connection.execute(
                sa.text(
                    "INSERT INTO release_entries SELECT sequence + 9, recipe, 'steal', model_hash, evidence_hash, "
                    "who, created_at, reason, 'x', 'y' FROM release_entries WHERE sequence = 1"
                )
            )
        )
    database.close()
