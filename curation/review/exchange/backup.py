"""Backups of the review database, made while people work, and checked before they are put back.

    backup(home, Path("review.tar"))         BackupReport(num_verdicts=812, num_bytes=9_400_320, ...)
    restore(Path("review.tar"), home)        refuses to undo verdicts that the backup lacks, unless forced

A backup is a tar file or a folder: `manifest.json` with the hash of every file and the head of every verdict chain, and
`review.db` and `accounts.db` (SQLite) or `review.dump` (PostgreSQL, made by pg_dump). Every verdict that was acknowledged
before the backup began is in it.
"""

import contextlib
import datetime
import hashlib
import json
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from curation.home import Home
from curation.review.errors import BackupError
from curation.review.exchange.audit import ChainReport, check_chains
from curation.review.exchange.postgres_dump import dump_database, restore_database

FORMAT = "tunewright-review-backup"
MANIFEST = "manifest.json"
SQLITE_FILES = ("review.db", "accounts.db")
DUMP = "review.dump"
MAX_MANIFEST_BYTES = 16_000_000


@dataclass(frozen=True, kw_only=True)
class BackupReport:
    """What is in a backup."""

    created_at: str
    files: dict[str, str]
    """File -> SHA-256 of its bytes."""
    chains: dict[str, dict[str, Any]]
    """Recipe -> number of verdicts and head of the chain."""
    num_bytes: int

    @property
    def num_verdicts(self) -> int:
        """How many verdicts it holds."""
        return sum(int(chain["num_verdicts"]) for chain in self.chains.values())


def backup(home: Home, target: Path) -> BackupReport:
    """Write a backup that appears at once and whole; people go on working meanwhile.

    Args:
        home: whose review database and accounts are kept.
        target: a `.tar` file, or a folder that is not there yet or empty.

    Raises:
        BackupError: if there is nothing to keep, a chain is broken, or the target cannot be written.
    """
    if target.exists() and (target.is_file() or any(target.iterdir())):
        raise BackupError(reason=f"{target} is there already; a backup replaces nothing.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".review-backup-", dir=target.parent) as name:
            folder = Path(name) / "backup"
            folder.mkdir()
            chains = _copy_postgres(home, folder) if home.database_url else _copy_sqlite(home, folder)
            report = _write_manifest(folder, chains)
            _publish(folder, Path(name), target)
            return report
    except (OSError, sqlite3.Error, sa.exc.SQLAlchemyError) as error:
        raise BackupError(reason=f"{error}. Nothing was left at {target}.") from error


def restore(source: Path, home: Home, *, force: bool = False) -> BackupReport:
    """Put a backup in place of the review database and the accounts, after everything in it was checked.

    The files that it replaces stay beside it under `NAME.before-restore-TIME`.

    Args:
        source: what `backup` wrote.
        home: where to; nobody may have the database open (stop the review app first).
        force: also where that loses verdicts that the backup lacks.

    Raises:
        BackupError: if the backup is damaged, older than what it would replace, or the database is in use.
    """
    try:
        with _opened(source) as folder:
            report = _check(folder)
            if DUMP in report.files:
                if not home.database_url:
                    raise BackupError(reason="it holds a dump of PostgreSQL: set TUNEWRIGHT_DATABASE_URL to where it goes.")
                restore_database(folder / DUMP, home.database_url, report.chains, force=force)
            elif home.database_url:
                raise BackupError(reason="it holds SQLite files, and TUNEWRIGHT_DATABASE_URL names another database.")
            else:
                _replace_sqlite(folder, report, home, force=force)
            return report
    except (OSError, sqlite3.Error, sa.exc.SQLAlchemyError, tarfile.TarError) as error:
        raise BackupError(reason=f"{error}.") from error


def _copy_sqlite(home: Home, folder: Path) -> list[ChainReport]:
    sources = [home.path / name for name in SQLITE_FILES if (home.path / name).exists()]
    if not (home.path / "review.db").exists():
        raise BackupError(reason=f"there is no review database in {home.path}.")
    for source in sources:
        with (
            contextlib.closing(sqlite3.connect(source, timeout=60)) as live,
            contextlib.closing(sqlite3.connect(folder / source.name)) as copy,
        ):
            live.backup(copy)  # in one step: one read transaction, which in WAL mode keeps nobody from writing
            copy.execute("PRAGMA journal_mode=DELETE")
    return _check_sqlite(folder / "review.db")


def _copy_postgres(home: Home, folder: Path) -> list[ChainReport]:
    chains = dump_database(home.database_url, folder / DUMP)
    _refuse_broken(chains)
    return chains


def _check_sqlite(path: Path) -> list[ChainReport]:
    engine = sa.create_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as connection:
            if (found := connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()) != "ok":
                raise BackupError(reason=f"{path.name} is damaged ({found}).")
            chains = check_chains(connection)
    finally:
        engine.dispose()
    _refuse_broken(chains)
    return chains


def _refuse_broken(chains: list[ChainReport]) -> None:
    broken = next((chain for chain in chains if chain.problem), None)
    if broken is not None:
        raise BackupError(reason=f"the verdicts of {broken.recipe} are not intact: {broken.problem}")


def _write_manifest(folder: Path, chains: list[ChainReport]) -> BackupReport:
    files = sorted(folder.iterdir())
    report = BackupReport(
        created_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        files={file.name: _hash(file) for file in files},
        chains={chain.recipe: {"num_verdicts": chain.num_verdicts, "head": chain.head} for chain in chains},
        num_bytes=sum(file.stat().st_size for file in files),
    )
    text = json.dumps({"format": FORMAT, "version": 1, **asdict(report)}, indent=1, sort_keys=True)
    (folder / MANIFEST).write_text(text + "\n")
    return report


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _publish(folder: Path, scratch: Path, target: Path) -> None:
    if target.suffix.lower() != ".tar":
        if target.exists():
            target.rmdir()
        folder.rename(target)
        return
    packed = scratch / "backup.tar"
    with tarfile.open(packed, "w") as tar:
        for file in sorted(folder.iterdir()):
            tar.add(file, file.name, filter=_anonymous)
    packed.rename(target)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


@contextlib.contextmanager
def _opened(source: Path) -> Iterator[Path]:
    """Give the folder of a backup; of a tar file only plain files with names that a backup has are unpacked."""
    if source.is_dir():
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="review-restore-") as name, tarfile.open(source, "r:") as tar:
        for member in tar:
            if not member.isreg() or member.name not in (MANIFEST, DUMP, *SQLITE_FILES):
                raise BackupError(reason=f"{source} is no backup: it holds '{member.name[:100]}'.")
            stream = tar.extractfile(member)
            assert stream is not None
            with stream, (Path(name) / member.name).open("wb") as file:
                shutil.copyfileobj(stream, file)
        yield Path(name)


def _check(folder: Path) -> BackupReport:
    """Check hashes, files and chains against the manifest."""
    try:
        with (folder / MANIFEST).open("rb") as file:
            found = json.loads(file.read(MAX_MANIFEST_BYTES))
        is_ours = found["format"] == FORMAT and found["version"] == 1
        report = BackupReport(**{name: found[name] for name in BackupReport.__dataclass_fields__})
        listed = {name: str(digest) for name, digest in report.files.items()}
        heads = {recipe: (int(chain["num_verdicts"]), str(chain["head"])) for recipe, chain in report.chains.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BackupError(reason=f"it has no readable {MANIFEST}.") from error
    if not is_ours or not set(listed) <= {DUMP, *SQLITE_FILES} or not {DUMP, "review.db"} & set(listed):
        raise BackupError(reason="it is no backup of a review database, or of a later version of it.")
    for name, digest in listed.items():
        if not (folder / name).is_file() or _hash(folder / name) != digest:
            raise BackupError(reason=f"{name} is not what was backed up: its hash differs.")
    if "review.db" in listed:
        chains = {chain.recipe: (chain.num_verdicts, chain.head) for chain in _check_sqlite(folder / "review.db")}
        if chains != heads:
            raise BackupError(reason="its verdicts are not those that the manifest names.")
    return report


def _replace_sqlite(folder: Path, report: BackupReport, home: Home, *, force: bool) -> None:
    home.path.mkdir(parents=True, exist_ok=True)
    moment = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S")
    for name in report.files:
        _close_down(home.path / name)
    if not force and (home.path / "review.db").exists():
        _refuse_newer(home.path / "review.db", report)
    for name in report.files:
        live, part = home.path / name, home.path / f".{name}.part"
        shutil.copyfile(folder / name, part)
        part.chmod(0o600)
        if live.exists():
            live.replace(home.path / f"{name}.before-restore-{moment}")
        for rest in ("-wal", "-shm"):
            live.with_name(live.name + rest).unlink(missing_ok=True)
        part.replace(live)


def _close_down(live: Path) -> None:
    """Move everything into the file itself; refused while any other process has it open."""
    if not live.exists():
        return
    with contextlib.closing(sqlite3.connect(live, timeout=0.2)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.OperationalError as error:
            raise BackupError(reason=f"{live} is in use ({error}). Stop the review app and all runs first.") from error
        except sqlite3.DatabaseError:
            return  # it is no database any more: all the more reason to put one back


def _refuse_newer(live: Path, report: BackupReport) -> None:
    with contextlib.closing(sqlite3.connect(live)) as connection:
        try:
            rows = connection.execute("SELECT recipe, num_verdicts FROM review_queues").fetchall()
        except sqlite3.DatabaseError:
            return
    for recipe, num_verdicts in rows:
        kept = int(report.chains.get(recipe, {"num_verdicts": 0})["num_verdicts"])
        if num_verdicts > kept:
            lost = num_verdicts - kept
            raise BackupError(
                reason=f"it would lose {lost:,} verdicts of {recipe} that are newer. Use --force if that is meant."
            )
