"""`curation.database` on SQLite and on a real PostgreSQL."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from curation.database import Database
from curation.errors import DatabaseError
from curation.home import Home

MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "notes_0001", None, None, None


def upgrade() -> None:
    op.create_table("notes", sa.Column("key", sa.Text, primary_key=True))
"""
SECOND = (
    MIGRATION.replace("notes_0001", "notes_0002")
    .replace("None,", '"notes_0001",', 1)
    .replace(
        'op.create_table("notes", sa.Column("key", sa.Text, primary_key=True))',
        'op.add_column("notes", sa.Column("body", sa.Text))',
    )
)
INSERT = sa.text("INSERT INTO notes (key) VALUES (:key)")
KEYS = sa.text("SELECT key FROM notes ORDER BY key")


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001.py").write_text(MIGRATION)
    return folder


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    return tmp_path / "deep" / "notes.db" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def database(location: Path | str, migrations: Path) -> Iterator[Database]:
    opened = Database.open(location, concern="notes", migrations=migrations)
    yield opened
    opened.close()


def keys(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(KEYS).scalars())


def put(database: Database, key: str) -> None:
    database.write(lambda connection: connection.execute(INSERT, {"key": key}))


def test_write_is_visible_to_others_when_it_returns(database: Database, location: Path | str, migrations: Path) -> None:
    put(database, "a")
    other = Database.open(location, concern="notes", migrations=migrations)
    try:
        assert keys(other) == ["a"]
    finally:
        other.close()


def test_write_returns_what_the_work_returns(database: Database) -> None:
    assert database.write(lambda connection: connection.execute(sa.text("SELECT 7")).scalar()) == 7


def test_failed_write_leaves_nothing(database: Database) -> None:
    def work(connection: sa.Connection) -> None:
        connection.execute(INSERT, {"key": "a"})
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        database.write(work)
    put(database, "b")
    assert keys(database) == ["b"]


def test_writes_of_many_threads_are_all_kept(database: Database) -> None:
    threads = [threading.Thread(target=put, args=(database, f"{number:02}")) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert keys(database) == [f"{number:02}" for number in range(24)]


def test_a_reader_does_not_block_a_writer(database: Database) -> None:
    put(database, "a")
    with database.read() as connection:
        assert list(connection.execute(KEYS).scalars()) == ["a"]
        put(database, "b")
    assert keys(database) == ["a", "b"]


def test_opening_again_keeps_rows_and_adds_what_is_new(location: Path | str, migrations: Path) -> None:
    first = Database.open(location, concern="notes", migrations=migrations)
    put(first, "a")
    first.close()
    (migrations / "0002.py").write_text(SECOND)
    second = Database.open(location, concern="notes", migrations=migrations)
    try:
        with second.read() as connection:
            assert connection.execute(sa.text("SELECT key, body FROM notes")).all() == [("a", None)]
    finally:
        second.close()


@pytest.mark.postgres
def test_two_concerns_share_a_postgres_database(postgres_url: str, migrations: Path, tmp_path: Path) -> None:
    folder = tmp_path / "others"
    folder.mkdir()
    (folder / "0001.py").write_text(MIGRATION.replace("notes", "others"))
    notes = Database.open(postgres_url, concern="notes", migrations=migrations)
    others = Database.open(postgres_url, concern="others", migrations=folder)
    try:
        put(notes, "a")
        with others.read() as connection:
            assert connection.execute(sa.text("SELECT count(*) FROM others")).scalar() == 0
    finally:
        notes.close()
        others.close()


def test_processes_that_start_together_migrate_once(location: Path | str, migrations: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from curation.database import Database\n"
        "Database.open(sys.argv[1], concern='notes', migrations=Path(sys.argv[2])).close()"
    )
    command = [sys.executable, "-c", code, str(location), str(migrations)]
    children = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    complaints = [child.communicate(timeout=300)[1] for child in children]
    assert [child.returncode for child in children] == [0, 0], complaints


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path, migrations: Path) -> None:
    with pytest.raises(DatabaseError, match="The notes database at") as caught:
        Database.open(tmp_path, concern="notes", migrations=migrations)
    assert str(tmp_path) in str(caught.value)


def test_a_file_that_is_no_database_is_named(tmp_path: Path, migrations: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_bytes(b"this is no database, but it is long enough to look like one " * 100)
    with pytest.raises(DatabaseError, match="not a database"):
        Database.open(path, concern="notes", migrations=migrations)


def test_password_of_an_unreachable_server_is_not_shown(migrations: Path) -> None:
    url = "postgresql+psycopg://somebody:hunter2-secret@127.0.0.1:1/nothing?connect_timeout=2"
    with pytest.raises(DatabaseError) as caught:
        Database.open(url, concern="notes", migrations=migrations)
    assert "hunter2-secret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "somebody:hunter2-secret@host/name",
        "postgresql:/somebody:hunter2-secret@host/name",
        "postgresql://somebody:hunter2@secret@host:name",
        "postgresql://somebody:hunter2-secret",
        "://somebody:hunter2-secret@host/name",
    ],
)
def test_what_is_no_address_is_named_without_the_password(address: str, tmp_path: Path, migrations: Path) -> None:
    home = Home(path=tmp_path, store_url=str(tmp_path), database_url=address, review_url="")
    with pytest.raises(DatabaseError, match="no address such as postgresql://user@host/name") as caught:
        home.database("notes", migrations)
    assert "hunter2" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "***" in str(caught.value)


def test_a_missing_table_at_reading_is_an_error_of_the_database(tmp_path: Path, migrations: Path) -> None:
    database = Database.open(tmp_path / "notes.db", concern="notes", migrations=migrations)
    try:
        with pytest.raises(DatabaseError, match="no such table"), database.read() as connection:
            connection.execute(sa.text("SELECT * FROM missing"))
    finally:
        database.close()


def test_a_file_damaged_after_it_was_opened_is_an_error_of_the_database(tmp_path: Path, migrations: Path) -> None:
    path = tmp_path / "notes.db"
    first = Database.open(path, concern="notes", migrations=migrations)
    first.write(lambda connection: connection.execute(INSERT, [{"key": f"{number:09}"} for number in range(5_000)]))
    first.close()
    second = Database.open(path, concern="notes", migrations=migrations)
    with path.open("r+b") as file:
        file.seek(4096 * 2)
        file.write(b"\xff" * 4096 * 20)
    try:
        with pytest.raises(DatabaseError, match="malformed"):
            keys(second)
    finally:
        second.close()


@pytest.mark.postgres
def test_processes_that_wait_for_each_other_in_a_circle_go_on(postgres_url: str, migrations: Path) -> None:
    """What two processes write together takes locks in opposite orders: refused as a deadlock, run anew, written once."""
    one, other = (Database.open(postgres_url, concern="notes", migrations=migrations) for _ in range(2))
    one.write(lambda connection: connection.execute(INSERT, [{"key": "a"}, {"key": "b"}]))
    both_hold_one = threading.Barrier(2)
    lock = sa.text("SELECT key FROM notes WHERE key = :key FOR UPDATE")
    tries: list[str] = []

    def first(name: str, row: str, connection: sa.Connection) -> None:
        connection.execute(lock, {"key": row})
        tries.append(name)
        if tries.count(name) == 1:
            both_hold_one.wait(timeout=60)
        connection.execute(INSERT, {"key": name})

    def second(name: str, row: str, connection: sa.Connection) -> None:
        connection.execute(lock, {"key": row})
        connection.execute(INSERT, {"key": name})

    def write_together(database: Database, name: str, rows: str) -> list[threading.Thread]:
        is_at_work, is_queued = threading.Event(), threading.Event()

        def wait(_: sa.Connection) -> None:
            is_at_work.set()
            is_queued.wait(timeout=60)

        works = (
            wait,
            lambda connection: first(f"{name} first", rows[0], connection),
            lambda connection: second(f"{name} second", rows[1], connection),
        )
        threads = [threading.Thread(target=database.write, args=(work,)) for work in works]
        for number, thread in enumerate(threads):  # they queue up in this order behind the work that waits
            thread.start()
            assert is_at_work.wait(timeout=60)
            while len(database._writer._waiting) < number:
                time.sleep(0.001)
        is_queued.set()
        return threads

    for thread in [*write_together(one, "one", "ab"), *write_together(other, "other", "ba")]:
        thread.join(timeout=120)
    assert keys(one) == ["a", "b", "one first", "one second", "other first", "other second"]
    assert len(tries) > 2, "there was no deadlock"
    for database in (one, other):
        database.close()
