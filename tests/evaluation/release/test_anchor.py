"""The end of the ledger: cut off, replaced, or named in an anchor that is no anchor."""

import json
from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path

import pytest
import sqlalchemy as sa

from curation.errors import LedgerTamperedError
from curation.home import Home
from evaluation.release import registry
from evaluation.release.registry import MIGRATIONS, LedgerEntry, ReleaseLedger, open_release_ledger


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(path=tmp_path, store_url=str(tmp_path / "store"), database_url="", review_url="")


@pytest.fixture
def ledger(home: Home) -> Iterator[ReleaseLedger]:
    opened = open_release_ledger(home)
    yield opened
    opened.close()


def add(ledger: ReleaseLedger, model: str, action: str = "promote") -> LedgerEntry:
    return ledger.append(
        recipe="demo",
        action=action,  # type: ignore[arg-type]
        model_hash=model,
        evidence_hash="e",
        who="ada",
        reason="better",
        expected_head=ledger.head("demo"),
    )


def change(home: Home, *statements: str) -> None:
    """What someone does who can write to the file."""
    engine = sa.create_engine(f"sqlite:///{home.path / 'release.db'}")
    with engine.begin() as connection:
        for verb in ("update", "delete"):
            connection.execute(sa.text(f"DROP TRIGGER IF EXISTS release_entries_{verb}"))
        for statement in statements:
            connection.execute(sa.text(statement))
    engine.dispose()


def test_an_entry_that_comes_while_the_chain_is_read_is_no_sign_of_tampering(
    home: Home, ledger: ReleaseLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(ledger, "m1")
    other = open_release_ledger(home)
    read = ledger._entries

    def read_while_another_process_appends() -> list[LedgerEntry]:
        found = read()
        add(other, f"m{len(found) + 1}")
        return found

    monkeypatch.setattr(ledger, "_entries", read_while_another_process_appends)
    assert ledger.verify() == 1
    monkeypatch.undo()
    assert ledger.verify() == 2
    other.close()


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_an_end_that_was_cut_off_is_noticed(home: Home, ledger: ReleaseLedger, kept: int) -> None:
    for number in range(3):
        add(ledger, f"m{number}", "refuse")
    change(home, f"DELETE FROM release_entries WHERE sequence > {kept}")
    with pytest.raises(LedgerTamperedError, match="entry 3 "):
        ledger.verify()


def test_nothing_is_added_where_an_end_was_cut_off(home: Home, ledger: ReleaseLedger) -> None:
    for number in range(3):
        add(ledger, f"m{number}", "refuse")
    change(home, "DELETE FROM release_entries WHERE sequence > 1")
    with pytest.raises(LedgerTamperedError, match="entry 3 "):
        add(ledger, "other")


def test_an_end_that_was_cut_off_and_written_anew_is_noticed(home: Home, ledger: ReleaseLedger) -> None:
    for number in range(3):
        add(ledger, f"m{number}", "refuse")
    change(home, "DELETE FROM release_entries WHERE sequence > 1")
    forger = ReleaseLedger(home.database("release", MIGRATIONS))
    for number in range(4):
        add(forger, f"other{number}")
    assert forger.verify() == 5
    with pytest.raises(LedgerTamperedError, match="entry 3 "):
        ledger.verify()
    forger.close()


def test_killed_before_the_anchor_was_written_the_ledger_still_holds_and_the_anchor_follows(
    home: Home, ledger: ReleaseLedger
) -> None:
    anchor = home.path / "release.head.json"
    add(ledger, "m1")
    before = anchor.read_bytes()
    second = add(ledger, "m2")
    anchor.write_bytes(before)
    assert ledger.verify() == 2
    assert json.loads(anchor.read_bytes()) == {"sequence": 2, "hash": second.hash}
    anchor.unlink()  # a home of an earlier version has none
    assert ledger.verify() == 2
    assert anchor.exists()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"sequence": 0, "hash": ""}', '{"sequence": "x", "hash": 1}'])
def test_an_anchor_that_cannot_be_read_is_no_anchor(home: Home, ledger: ReleaseLedger, text: str) -> None:
    add(ledger, "m1")
    (home.path / "release.head.json").write_text(text)
    with pytest.raises(LedgerTamperedError, match=r"release\.head\.json"):
        ledger.verify()


def test_a_clock_that_was_set_back_does_not_change_the_order_of_days(
    ledger: ReleaseLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        hour_now = 12

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime(2026, 11, 30, cls.hour_now, tzinfo=tz)

    monkeypatch.setattr(registry, "datetime", Clock)
    first = add(ledger, "m1")
    Clock.hour_now = 9
    second = add(ledger, "m2")
    Clock.hour_now = 13
    third = add(ledger, "m3")
    assert first.created_at == second.created_at == "2026-11-30T12:00:00+00:00"
    assert third.created_at == "2026-11-30T13:00:00+00:00"
