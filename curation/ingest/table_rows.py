"""The rows of files as they are, for readers that know themselves what the columns mean.

for file, number, row, problem in read_table_rows("data/gsm8k/*.jsonl"):
    ("test.jsonl", 1, {"question": "...", "answer": "#### 18"}, "") or ("test.jsonl", 7, None, "Line 7: Expecting ...")

Any format of rows that `curation.ingest` reads, packed or not, local or by URL. A row that cannot be read is told, and the
others are still read; a file that holds no rows at all is told as row 0.
"""

from collections.abc import Iterator
from typing import Any

from curation.ids import content_hash
from curation.ingest.config import SourceConfig
from curation.ingest.listing import SourceFiles, list_files
from curation.ingest.readers.opening import ReadOptions, format_of, is_record_format, open_rows
from curation.ingest.readers.unwrapping import unwrap
from curation.ingest.rows import BadRow

TableRow = tuple[str, int, dict[str, Any] | None, str]
"""Name of the file, number of the row, its columns, and why it cannot be read (then the columns are None)."""


def read_table_rows(path: str) -> Iterator[TableRow]:
    """Yield the rows of a file, folder or glob, files by name.

    Raises:
        SourceNotFoundError: nothing is there.
        SourceUnreadableError: the file system cannot be reached.
    """
    files = _list(path)
    for file in files.files:
        try:
            with files.open(file) as stream:
                yield from _rows_of(file.name, stream)
        except Exception as error:  # drivers of remote file systems raise what they like
            reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
            yield file.name, 0, None, f"it cannot be read ({reason})"


def _list(path: str) -> SourceFiles:
    return list_files(SourceConfig(name="tasks", kind="files", role="demonstrations", path=path))


def _rows_of(name: str, stream: Any) -> Iterator[TableRow]:
    options, num_rows = ReadOptions(), 0
    for file in unwrap(name, stream, options.limits):
        inner = file.inner_name if file.stream is not None else name
        if file.stream is None:
            yield inner, 0, None, file.problem.detail if file.problem else "it cannot be unpacked"
            continue
        if not is_record_format(format_of(file.inner_name, options)):
            yield inner, 0, None, "it is no file of rows (JSONL, JSON, CSV, TSV, Parquet, Arrow, XML)"
            continue
        for row in open_rows(file.inner_name, file.stream, options):
            num_rows += 1
            yield (inner, row.number, None, row.detail) if isinstance(row, BadRow) else (inner, row.number, row.values, "")
        if not num_rows:
            yield inner, 0, None, "it holds no row"


def fingerprint_files(path: str) -> str:
    """Return one hash over names and contents of the files that `read_table_rows` would read. Raises as it does."""
    return content_hash([file.fingerprint for file in _list(path).files])
