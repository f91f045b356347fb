"""Opening, migrating, reading and writing a database.

    ledger = Database.open(home / "ledger.db", concern="ledger", migrations=Path(__file__).parent / "migrations")
    ledger.write(lambda connection: connection.execute(insert(calls), rows))
    with ledger.read() as connection:
        connection.execute(select(calls)).all()

SQLite runs in WAL mode with `synchronous=FULL`. All writes of a process go through one thread (see `writer.py`), which
lets those that wait share a transaction; it is committed (on disk) before `write` returns.
"""

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

import filelock
import sqlalchemy as sa

from curation.database.writer import Writer
from curation.errors import DatabaseError

T = TypeVar("T")

ENVIRONMENT = Path(__file__).parent / "environment"
"""Alembic's env.py, shared by all concerns."""


class Database:
    """A migrated database of one concern. Thread-safe; do not share it over a fork."""

    def __init__(self, engine: sa.Engine, concern: str) -> None:
        self.engine = engine
        self.concern = concern
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._writer = Writer(engine, concern)

    @classmethod
    def open(cls, location: Path | str, *, concern: str, migrations: Path) -> Self:
        """Open a database at a file path or a SQLAlchemy URL, and bring its schema up to date.

        Raises:
            DatabaseError: if it cannot be opened or migrated.
        """
        url = location if isinstance(location, str) and "://" in location else f"sqlite:///{Path(location).absolute()}"
        shown = _read_address(url, concern).render_as_string()
        try:
            if url.startswith("sqlite:///"):
                Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
            engine = _create_engine(url)
            _migrate(engine, concern, migrations)
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise DatabaseError(concern=concern, url=shown, reason=_reason(error)) from error
        return cls(engine, concern)

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Give a connection for reading. Raises DatabaseError if the database cannot be used."""
        with self._wrapped(), self.engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """Give a connection on which all reads see the same state. Raises DatabaseError if the database cannot be used."""
        engine = self.engine if self.is_sqlite else self.engine.execution_options(isolation_level="REPEATABLE READ")
        with self._wrapped(), engine.connect() as connection:
            yield connection

    def write(self, work: Callable[[sa.Connection], T]) -> T:
        """Run `work` in one transaction and return its result once that is committed.

        Raises:
            DatabaseError: if the transaction cannot be committed; then nothing of it is kept.
        """
        with self._wrapped():
            return self._writer.run(work)

    @contextlib.contextmanager
    def _wrapped(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.DataError):
            raise
        except (sa.exc.DatabaseError, sa.exc.InterfaceError) as error:
            raise DatabaseError(concern=self.concern, url=self.engine.url.render_as_string(), reason=_reason(error)) from error

    def close(self) -> None:
        """Finish pending writes and let go of the file."""
        self._writer.close()
        self.engine.dispose()


_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "busy_timeout=30000",
    "cache_size=-65536",  # KiB; keys are hashes, so large tables are written all over
    "wal_autocheckpoint=8000",  # pages
)


def refuse_address(address: str, concern: str) -> DatabaseError:
    """Return the error that names what is no address of a database, without the password that may stand in it."""
    shown = f"***@{address.rpartition('@')[2]}" if "@" in address else re.sub(r":.*", ":***", address, flags=re.DOTALL)
    return DatabaseError(concern=concern, url=shown, reason="that is no address such as postgresql://user@host/name")


def _read_address(url: str, concern: str) -> sa.URL:
    try:
        return sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise refuse_address(url, concern) from None  # which may quote the password


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]


def _create_engine(url: str) -> sa.Engine:
    if not url.startswith("sqlite"):
        return sa.create_engine(url, pool_pre_ping=True)
    engine = sa.create_engine(url, connect_args={"timeout": 30, "check_same_thread": False}, pool_use_lifo=True)

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        writes = threading.current_thread().name.partition("_")[0].endswith("-writer")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _is_current(engine: sa.Engine, concern: str, migrations: Path) -> bool:
    """Tell whether the database stands at the newest revision, without starting Alembic (which takes 50 ms or more)."""
    texts = [file.read_text(encoding="utf-8") for file in migrations.glob("*.py")]
    revisions, before = (
        {name for text in texts for name in re.findall(rf'^{field} = "(.+)"$', text, re.MULTILINE)}
        for field in ("revision", "down_revision")
    )
    try:
        with engine.connect() as connection:
            query = f"SELECT version_num FROM alembic_version_{concern}"  # noqa: S608 (a name in our own code)
            found = connection.exec_driver_sql(query).scalars().all()
    except (sa.exc.OperationalError, sa.exc.ProgrammingError):  # no such table yet
        return False
    return len(revisions) == len(texts) and bool(found) and set(found) == revisions - before


def _migrate(engine: sa.Engine, concern: str, migrations: Path) -> None:
    if _is_current(engine, concern, migrations):
        return
    import alembic.command  # a third of the start-up time of whoever needs no migration
    import alembic.config

    config = alembic.config.Config()
    config.set_main_option("script_location", str(ENVIRONMENT))
    config.set_main_option("version_locations", str(migrations))
    config.set_main_option("path_separator", "os")
    config.attributes.update(engine=engine, version_table=f"alembic_version_{concern}")
    lock = Path(str(engine.url.database) + ".lock") if engine.dialect.name == "sqlite" else None
    with filelock.FileLock(lock) if lock else contextlib.nullcontext():
        alembic.command.upgrade(config, "head")
    if lock and os.name == "posix":
        lock.chmod(0o600)
