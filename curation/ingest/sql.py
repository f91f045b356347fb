"""The rows of one SELECT statement, streamed from the server; nothing is written, and no password is shown.

source = SourceConfig(name="crm", kind="sql", role="demonstrations", url="sqlite:///crm.db", query="SELECT * FROM faq")
query_fingerprints(source)                              ("9f...",), one a shard
next(iterate_query(source, lambda name: True, report))  Example(key="crm/query#7", ...)
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, CursorResult, create_engine, event, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from curation.errors import SourceNotFoundError, SourceUnreadableError
from curation.ids import content_hash, merkle_root, stable_bucket
from curation.ingest.config import SourceConfig
from curation.ingest.ingested import Ingest, SourceReport
from curation.ingest.readers.encoding import Encoding
from curation.ingest.readers.limits import Limits
from curation.ingest.readers.opening import RowStream
from curation.ingest.row_records import row_hash, row_key
from curation.ingest.row_stream import chars_of, iterate_rows
from curation.ingest.rows import BadRow, Row, bad_row

QUERY_NAME = "query"
"""The file name in the keys of the rows."""
HASHED_ROWS = 50_000
"""A result of up to so many rows is hashed whole; a longer one is counted."""
FETCH_ROWS = 1000
_READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
}


def query_fingerprints(source: SourceConfig) -> tuple[str, ...]:
    """Return a fingerprint a shard, empty for a shard without rows.

    Up to HASHED_ROWS rows, it is a hash of the rows of that shard, whatever their order: every change is seen. A longer result
    gets one fingerprint for all shards, out of its first HASHED_ROWS rows as the server gives them, the number of rows
    and, with a `date_column`, the latest date: a change of an old row that moves neither date nor count may not be seen.

    Raises:
        SourceNotFoundError, SourceUnreadableError: if the database cannot be asked.
    """
    with _connected(source) as connection:
        hashes: list[list[str]] = [[] for _ in range(source.shards)]
        for number, row in enumerate(_rows(_execute(connection, source.query), Limits()), start=1):
            if number > HASHED_ROWS:
                return (_counted(source, connection, hashes),) * source.shards
            name = _name_of(source, row)
            hashes[stable_bucket(name, source.shards)].append(row_hash(row) if isinstance(row, Row) else row.raw_hash)
        if not any(hashes):
            return (content_hash([source.query, 0]),)  # no rows: reading the first shard says so
        return tuple(merkle_root(found, salt=source.query) if found else "" for found in hashes)


def _counted(source: SourceConfig, connection: Connection, hashes: list[list[str]]) -> str:
    latest = "NULL"
    if source.date_column:
        latest = f"MAX({connection.dialect.identifier_preparer.quote(source.date_column)})"
    inner = source.query.strip().rstrip(";")
    found = connection.execute(text(f"SELECT COUNT(*), {latest} FROM ({_literal(inner)}) AS rows_of_source")).one()  # noqa: S608
    head = merkle_root(item for bucket in hashes for item in bucket)
    return content_hash([source.query, head, int(found[0]), str(found[1])])


def iterate_query(
    source: SourceConfig, belongs: Callable[[str], bool], report: Callable[[SourceReport], None]
) -> Iterator[Ingest]:
    """Yield what comes of the rows whose key, or else hash, `belongs` to the shard.

    Raises:
        SourceNotFoundError, SourceUnreadableError: if the database cannot be asked, or fails on the way.
    """
    with _connected(source) as connection:
        result = _execute(connection, source.query)
        names = list(result.keys())
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            detail = f"The result names the column '{doubled[0]}' more than once; rename it with AS."
            rows: Iterator[Row | BadRow] = iter([bad_row(0, "invalid_header", detail)])
        else:
            rows = (row for row in _rows(result, Limits()) if belongs(_name_of(source, row)))
        stream = RowStream("sql", Encoding("", 1.0, "binary"), connection.dialect.name, rows)
        yield from iterate_rows(source, QUERY_NAME, stream, report, named_by="hash", may_be_empty=source.shards > 1)


def _name_of(source: SourceConfig, row: Row | BadRow) -> str:
    if isinstance(row, BadRow):
        return str(row.number)
    return row_key(source, row) or row_hash(row)


def _rows(result: CursorResult[Any], limits: Limits) -> Iterator[Row | BadRow]:
    for number, values in enumerate(result.mappings(), start=1):
        row = Row(number, dict(values))
        size = chars_of(row.values)
        if size > limits.row_bytes:
            yield bad_row(number, "row_too_large", f"Row {number} has about {size:,} characters.")
        else:
            yield row


def _execute(connection: Connection, query: str) -> CursorResult[Any]:
    """Run the query as it stands: a colon in it is no parameter."""
    return connection.execution_options(yield_per=FETCH_ROWS).execute(text(_literal(query.strip().rstrip(";"))))


def _literal(query: str) -> str:
    return query.replace(":", "\\:")


@contextmanager
def _connected(source: SourceConfig) -> Iterator[Connection]:
    """Open a connection that only reads, as far as the database can be told; whatever happened is rolled back."""
    url = _url_of(source)
    try:
        engine = create_engine(url, poolclass=NullPool)
        statement = _READ_ONLY.get(engine.dialect.name)
        if statement:
            event.listen(engine, "connect", lambda connection, _: _run(connection, statement))
        with engine.connect() as connection:
            yield connection
            connection.rollback()
    except (SQLAlchemyError, OSError, ImportError, ValueError) as error:
        raise SourceUnreadableError(source=source.name, path=_shown(url), reason=_reason(error, url)) from None


def _run(connection: Any, statement: str) -> None:
    cursor = connection.cursor()
    cursor.execute(statement)
    cursor.close()
    connection.commit()


def _url_of(source: SourceConfig) -> URL:
    variable = source.url_env or source.password_env
    secret = os.environ.get(variable, "") if variable else ""
    if variable and not secret:
        where = source.url or f"${source.url_env}"
        raise SourceUnreadableError(source=source.name, path=where, reason=f"the environment variable {variable} is not set")
    try:
        url = make_url(secret if source.url_env else source.url)
    except (SQLAlchemyError, ValueError):
        where = source.url or f"${source.url_env}"
        raise SourceUnreadableError(source=source.name, path=where, reason="it is no SQLAlchemy URL") from None
    if source.password_env:
        url = url.set(password=secret)
    _check_sqlite(source, url)
    return url


def _check_sqlite(source: SourceConfig, url: URL) -> None:
    """SQLite would make a new file where there is none."""
    database = url.database or ""
    if url.get_backend_name() != "sqlite" or database.startswith("file:"):
        return
    if database in ("", ":memory:") or not Path(database).is_file():
        raise SourceNotFoundError(source=source.name, path=_shown(url))


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)


def _reason(error: Exception, url: URL) -> str:
    """Return the message of the driver on one line, without the password."""
    original = getattr(error, "orig", None) or error
    message = " ".join(f"{type(original).__name__}: {original}".split())[:500]
    return message.replace(str(url.password), "***") if url.password else message
