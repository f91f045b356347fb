"""The withdrawal ledger: append-only, chained, and what stands after restorations."""

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from curation.errors import LedgerTamperedError, WithdrawalRefusedError
from curation.lineage.subject import Subject
from curation.lineage.withdrawals import drop_withdrawn, open_withdrawals, standing_withdrawals, withdrawal_state
from curation.records import Rejection
from tests.curation.lineage.rows import example, home_in

A, B = Subject.parse("docs/a.md"), Subject.parse("news")


def add(folder: Path, subject: Subject, action: str = "withdraw") -> None:
    with open_withdrawals(home_in(folder)) as withdrawals:
        withdrawals.append(action=action, subject=subject, who="Ada", reason="asked to", num_rows=2, models=["m"])  # type: ignore[arg-type]


def test_what_stands_and_its_state(tmp_path: Path) -> None:
    empty = withdrawal_state((), "docs")
    add(tmp_path, A)
    add(tmp_path, B)
    standing = standing_withdrawals(home_in(tmp_path))
    assert [item.what for item in standing] == [A, B]
    assert [item.model_hashes for item in standing] == [("m",), ("m",)]
    assert withdrawal_state(standing, "docs") != empty != withdrawal_state(standing, "news")
    assert withdrawal_state(standing, "other") == empty, "other sources have nothing to do again"
    add(tmp_path, A, "restore")
    standing = standing_withdrawals(home_in(tmp_path))
    assert [item.what for item in standing] == [B]
    assert withdrawal_state(standing, "docs") == empty, "a restoration finds what was made before"


def test_withdrawing_twice_or_restoring_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WithdrawalRefusedError, match="not withdrawn"):
        add(tmp_path, A, "restore")
    add(tmp_path, A)
    with pytest.raises(WithdrawalRefusedError, match="already"):
        add(tmp_path, A)
    with open_withdrawals(home_in(tmp_path)) as withdrawals, pytest.raises(WithdrawalRefusedError, match="why"):
        withdrawals.append(action="withdraw", subject=B, who="Ada", reason=" ")


def test_entries_cannot_be_changed_and_an_edit_shows(tmp_path: Path) -> None:
    add(tmp_path, A)
    add(tmp_path, B)
    with sqlite3.connect(tmp_path / "withdrawals.db") as connection:
        for statement in ("UPDATE withdrawal_entries SET reason = 'x'", "DELETE FROM withdrawal_entries"):
            with pytest.raises(sqlite3.IntegrityError, match="never changed"):
                connection.execute(statement)
        connection.execute("DROP TRIGGER withdrawal_entries_delete")
        connection.execute("DELETE FROM withdrawal_entries WHERE sequence = 1")
    connection.close()
    with pytest.raises(LedgerTamperedError):
        standing_withdrawals(home_in(tmp_path))
    with pytest.raises(LedgerTamperedError):
        add(tmp_path, Subject.parse("docs/c.md"))


def test_records_that_are_withdrawn_become_rejections_that_quote_nothing(tmp_path: Path) -> None:
    add(tmp_path, A)
    rows = [example("docs/a.md#0"), example("docs/b.md"), Rejection(key="docs/a.md", stage="s", reason="unreadable",
            detail="", record_hash="", excerpt="")]  # fmt: skip
    found = list(drop_withdrawn(rows, standing_withdrawals(home_in(tmp_path)), stage="documents"))
    assert found[1:] == rows[1:]
    assert (found[0].reason, found[0].stage, found[0].excerpt) == ("withdrawn", "documents", "")
    assert "by Ada on" in found[0].detail
    assert "asked to" in found[0].detail


@pytest.mark.postgres
def test_ledger_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    from dataclasses import replace

    home = replace(home_in(tmp_path), database_url=postgres_url)
    with open_withdrawals(home) as withdrawals:
        withdrawals.append(action="withdraw", subject=A, who="Ada", reason="asked to")
        assert [item.what for item in withdrawals.standing()] == [A]
    engine = sa.create_engine(postgres_url)
    with pytest.raises(sa.exc.DatabaseError, match="never changed"), engine.begin() as connection:
        connection.execute(sa.text("UPDATE withdrawal_entries SET reason = 'x'"))
    engine.dispose()
