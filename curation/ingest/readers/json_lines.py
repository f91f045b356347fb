r"""JSON Lines: one object a line, read line by line; a bad line costs itself only.

list(read_json_lines(io.BytesIO(b'{"id": 1}\n{oops\n'), Limits()))
    [Row(number=1, values={"id": 1}), BadRow(number=2, reason="invalid_json", ...)]
"""

from collections.abc import Iterator
from typing import BinaryIO

from curation.ingest.readers.json_text import read_line
from curation.ingest.readers.limits import Limits
from curation.ingest.readers.streams import CHUNK_BYTES
from curation.ingest.rows import BadRow, Row, bad_row


def read_json_lines(stream: BinaryIO, limits: Limits) -> Iterator[Row | BadRow]:
    """Yield the rows of a UTF-8 stream; blank lines are no rows."""
    number = 0
    while line := stream.readline(limits.row_bytes + 1):
        number += 1
        if len(line) > limits.row_bytes:
            size = len(line) + _skip_line(stream, line)
            yield bad_row(number, "row_too_large", f"Line {number} has {size:,} bytes, more than {limits.row_bytes:,}.", line)
        elif line.strip():
            yield read_line(number, line, limits)


def _skip_line(stream: BinaryIO, line: bytes) -> int:
    """Go to the end of the line; return how many bytes that were."""
    skipped = 0
    while not line.endswith(b"\n") and (line := stream.readline(CHUNK_BYTES)):
        skipped += len(line)
    return skipped
