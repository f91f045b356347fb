"""The review tables of a PostgreSQL database as a dump, made and read by PostgreSQL's own pg_dump and pg_restore.

    dump_database("postgresql+psycopg://ada@db/tunewright", Path("review.dump"))        [ChainReport(...)]

The dump shows the moment at which the chains were checked: both read the same snapshot.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from curation.review.errors import BackupError
from curation.review.exchange.audit import ChainReport, check_chains

TABLES = ("review_*", "account_*", "alembic_version_review", "alembic_version_accounts")


def dump_database(url: str, path: Path) -> list[ChainReport]:
    """Write the tables of reviews and accounts to a file and return the checked chains. Raises BackupError."""
    engine = sa.create_engine(url).execution_options(isolation_level="REPEATABLE READ")
    try:
        with engine.connect() as connection:
            chains = check_chains(connection)
            snapshot = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
            tables = [f"--table={name}" for name in TABLES]
            _run("pg_dump", url, ["--format=custom", f"--snapshot={snapshot}", *tables, f"--file={path}"])
    finally:
        engine.dispose()
    return chains


def restore_database(path: Path, url: str, chains: Mapping[str, Mapping[str, Any]], *, force: bool) -> None:
    """Replace the tables by those of a dump, all or none, and check the chains. Raises BackupError."""
    engine = sa.create_engine(url)
    try:
        if not force:
            _refuse_newer(engine, chains)
        options = ["--clean", "--if-exists", "--no-owner", "--single-transaction", "--exit-on-error"]
        _run("pg_restore", url, [*options, str(path)])
        with engine.connect() as connection:
            found = {chain.recipe: (chain.num_verdicts, chain.head, chain.problem) for chain in check_chains(connection)}
    finally:
        engine.dispose()
    if found != {recipe: (chain["num_verdicts"], chain["head"], "") for recipe, chain in chains.items()}:
        raise BackupError(reason="the verdicts that were restored are not those that the manifest names.")


def _refuse_newer(engine: sa.Engine, chains: Mapping[str, Mapping[str, Any]]) -> None:
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("review_queues"):
            return
        rows = connection.execute(sa.text("SELECT recipe, num_verdicts FROM review_queues")).all()
    for recipe, num_verdicts in rows:
        lost = num_verdicts - int(chains.get(recipe, {"num_verdicts": 0})["num_verdicts"])
        if lost > 0:
            raise BackupError(
                reason=f"it would lose {lost:,} verdicts of {recipe} that are newer. Use --force if that is meant."
            )


def _run(program: str, url: str, arguments: list[str]) -> None:
    """Run one of PostgreSQL's programs; the password goes by the environment, where no list of processes shows it."""
    parts = sa.make_url(url)
    names = {"PGHOST": parts.host, "PGPORT": parts.port, "PGUSER": parts.username, "PGPASSWORD": parts.password}
    environment = {**os.environ, **{name: str(value) for name, value in names.items() if value}}
    database = ["--dbname", str(parts.database)]
    done = subprocess.run([_find(program), *database, *arguments], capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise BackupError(reason=f"{program} failed: {' '.join(done.stderr.split())[:500]}")


def _find(program: str) -> str:
    found = shutil.which(program)
    if found is None and shutil.which("pg_config"):
        folder = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        found = shutil.which(program, path=folder)
    if found is None:
        raise BackupError(reason=f"{program} is not on this machine. Install PostgreSQL's client programs.")
    return found
