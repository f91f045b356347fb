from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from curation.database import Database
from curation.errors import LedgerTamperedError, StaleReleaseError
from evaluation.release.registry import GENESIS, MIGRATIONS, LedgerEntry, ReleaseLedger, open_release_ledger


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path / "release.db", concern="release", migrations=MIGRATIONS)
    yield opened
    opened.close()


@pytest.fixture
def ledger(database: Database) -> ReleaseLedger:
    return open_release_ledger(database)


def add(
    ledger: ReleaseLedger, model: str, *, recipe: str = "demo", action: str = "promote", head: str | None = None
) -> LedgerEntry:
    return ledger.append(
        recipe=recipe,
        action=action,  # type: ignore[arg-type]
        model_hash=model,
        evidence_hash=f"evidence of {model}",
        who="ada",
        reason="better",
        expected_head=ledger.head(recipe) if head is None else head,
    )


def test_the_champion_is_the_last_model_promoted_or_rolled_back_to(ledger: ReleaseLedger) -> None:
    assert ledger.champion("demo") is None
    add(ledger, "m1")
    add(ledger, "m2")
    add(ledger, "m3", action="refuse")
    add(ledger, "other", recipe="second")
    assert ledger.champion("demo").model_hash == "m2"  # type: ignore[union-attr]
    add(ledger, "m1", action="rollback")
    assert ledger.champion("demo").model_hash == "m1"  # type: ignore[union-attr]
    assert [entry.action for entry in ledger.history("demo")] == ["promote", "promote", "refuse", "rollback"]
    assert ledger.verify() == 5


def test_the_chain_starts_at_genesis_and_links_every_entry(ledger: ReleaseLedger) -> None:
    first, second = add(ledger, "m1"), add(ledger, "x", recipe="second")
    assert (first.previous_hash, second.previous_hash) == (GENESIS, first.hash)
    assert first.hash == first.expected_hash()


def test_of_two_decisions_on_one_head_one_wins(ledger: ReleaseLedger) -> None:
    head = add(ledger, "m0").hash

    def attempt(number: int) -> bool:
        try:
            add(ledger, f"m{number}", head=head)
        except StaleReleaseError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, range(1, 9)))
    assert sum(won) == 1
    assert len(ledger.history("demo")) == 2
    assert ledger.verify() == 2


def test_two_processes_that_decide_at_once_leave_one_chain(tmp_path: Path, database: Database) -> None:
    other_database = Database.open(tmp_path / "release.db", concern="release", migrations=MIGRATIONS)
    ledger, other = ReleaseLedger(database), ReleaseLedger(other_database)
    head = ledger.head("demo")
    add(ledger, "m1", head=head)
    with pytest.raises(StaleReleaseError, match="'demo' changed"):
        add(other, "m2", head=head)
    add(other, "m2", recipe="second")
    assert ledger.verify() == 2
    other.close()


def test_the_database_itself_refuses_changes(database: Database, ledger: ReleaseLedger) -> None:
    add(ledger, "m1")
    for statement in ("UPDATE release_entries SET model_hash = 'evil'", "DELETE FROM release_entries"):
        with pytest.raises(sa.exc.IntegrityError, match="never changed"):
            database.write(lambda connection, text=statement: connection.execute(sa.text(text)))
    assert ledger.champion("demo").model_hash == "m1"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("tampering", "entry"),
    [
        ("UPDATE release_entries SET model_hash = 'evil' WHERE sequence = 2", "2"),
        ("UPDATE release_entries SET reason = 'nicer' WHERE sequence = 3", "3"),
        ("DELETE FROM release_entries WHERE sequence = 1", "1"),
        ("DELETE FROM release_entries WHERE sequence = 2", "2"),
        ("UPDATE release_entries SET sequence = sequence + 10 WHERE sequence = 3", "3"),
    ],
)
def test_tampering_is_found_and_the_entry_named(database: Database, ledger: ReleaseLedger, tampering: str, entry: str) -> None:
    for model in ("m1", "m2", "m3"):
        add(ledger, model)
    for statement in ("DROP TRIGGER release_entries_update", "DROP TRIGGER release_entries_delete", tampering):
        database.write(lambda connection, text=statement: connection.execute(sa.text(text)))
    with pytest.raises(LedgerTamperedError, match=f"entry {entry} does not follow"):
        ledger.verify()


def test_an_entry_forged_with_a_fitting_hash_breaks_the_chain_behind_it(database: Database, ledger: ReleaseLedger) -> None:
    entries = [add(ledger, model) for model in ("m1", "m2", "m3")]
    forged = replace(entries[1], model_hash="evil")
    update = sa.text("UPDATE release_entries SET model_hash = 'evil', hash = :hash WHERE sequence = 2")
    database.write(lambda connection: connection.execute(sa.text("DROP TRIGGER release_entries_update")))
    database.write(lambda connection: connection.execute(update, {"hash": forged.expected_hash()}))
    with pytest.raises(LedgerTamperedError, match="entry 3 does not follow"):
        ledger.verify()


def test_nothing_is_added_after_a_forged_last_entry(database: Database, ledger: ReleaseLedger) -> None:
    add(ledger, "m1")
    for statement in ("DROP TRIGGER release_entries_update", "UPDATE release_entries SET who = 'mallory'"):
        database.write(lambda connection, text=statement: connection.execute(sa.text(text)))
    with pytest.raises(LedgerTamperedError):
        add(ledger, "m2")
