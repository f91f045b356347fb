r"""JSON files as they come: an array of objects, an object that holds one, a single object, or JSON Lines named .json.

read_json(open_stream, "json_array", Limits(), "")      rows, numbered in their array (in JSON Lines by line)
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Literal

from curation.ingest.readers.json_lines import read_json_lines
from curation.ingest.readers.json_scan import JsonScan, Value
from curation.ingest.readers.json_text import Wrong, check_object
from curation.ingest.readers.limits import Fault, Limits
from curation.ingest.rows import BadRow, Row, bad_row

Layout = Literal["json_lines", "json_array", "json_object"]
HEAD_LINES = 20
_BAD_BYTES = re.compile("[\udc80-\udcff]")


def layout_of(head: bytes, *, whole: bool, lines_expected: bool) -> Layout:
    """Tell how a JSON file is laid out from its head, which with `whole` is all of it."""
    text = head.lstrip(b" \t\r\n")
    lines = [line for line in (text if whole else text.rpartition(b"\n")[0]).split(b"\n") if line.strip()][:HEAD_LINES]
    good = sum(_is_object(line) for line in lines)
    if text[:1] == b"[" and not (lines and _is_json(lines[0]) and len(lines) > 1):
        return "json_array"
    if lines_expected or len(lines) > 1 and good * 2 >= len(lines):
        return "json_lines"
    return "json_array" if text[:1] == b"[" else "json_object"


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _is_object(line: bytes) -> bool:
    return line.strip()[:1] == b"{" and _is_json(line)


def read_json(open_stream: Callable[[], BinaryIO], layout: Layout, limits: Limits, record_path: str) -> Iterator[Row | BadRow]:
    """Yield the rows of a UTF-8 stream; one that holds a JSON object is opened twice: to find the records, to read them.

    Raises:
        Fault: where the file is damaged beyond finding its next row, or holds several lists of objects.
    """
    if layout == "json_lines":
        yield from read_json_lines(open_stream(), limits)
        return
    if layout == "json_array":
        scan = JsonScan(open_stream(), limits)
        yield from _array(scan, limits)
        _check_end(scan)
        return
    path = record_path.split("/") if record_path else _find_records(open_stream(), limits)
    scan = JsonScan(open_stream(), limits)
    if not path:
        yield from _values(scan, limits)
        return
    found = 0
    for row in _records_at(scan, path, limits):
        found += 1
        yield row
    if not found and record_path:
        raise Fault("no_records", f"There is no list of objects at '{record_path}'.")
    _check_end(scan)


def _find_records(stream: BinaryIO, limits: Limits) -> list[str]:
    """Return the key of the one list of objects in an object, or nothing if there is none."""
    try:
        scan = JsonScan(stream, limits)
        names = list(_list_names(scan)) if scan.peek() == "{" else []
        several = scan.peek() != ""
    except Fault:
        names, several = [], True  # reading it again will say what is wrong, and where
    if several or not names:
        return []
    if len(names) > 1:
        listed = ", ".join(f"'{name}'" for name in names[:10])
        raise Fault("ambiguous_records", f"The file holds several lists of objects, {listed}; declare `record_path`.")
    return names


def _list_names(scan: JsonScan) -> Iterator[str]:
    """Yield the keys of an object whose values are lists of objects."""
    for name in _members(scan):
        if scan.peek() != "[":
            scan.skip_value()
            continue
        scan.expect("[")
        first = scan.peek()
        if first == "{":
            yield name
        while scan.peek() != "]":
            scan.skip_value()
            if scan.peek() != "]":
                scan.expect(",")
        scan.expect("]")


def _members(scan: JsonScan) -> Iterator[str]:
    """Yield the keys of an object; the caller takes or skips each value before it asks for the next key."""
    scan.expect("{")
    if scan.peek() == "}":
        scan.expect("}")
        return
    while True:
        name = scan.next_value()
        if not isinstance(name.parsed, str):
            raise Fault("damaged_file", f"Line {name.line}: expecting a key in quotes.")
        scan.expect(":")
        yield name.parsed
        if scan.expect(",}") == "}":
            return


def _records_at(scan: JsonScan, path: list[str], limits: Limits) -> Iterator[Row | BadRow]:
    for name in _members(scan):
        kind = scan.peek() if name == path[0] else ""
        if kind == "[" and len(path) == 1:
            yield from _array(scan, limits)
        elif kind == "{" and len(path) > 1:
            yield from _records_at(scan, path[1:], limits)
        else:
            scan.skip_value()


def _array(scan: JsonScan, limits: Limits) -> Iterator[Row | BadRow]:
    scan.expect("[")
    number = 0
    closed = scan.peek() == "]"
    if closed:
        scan.expect("]")
    while not closed:
        number += 1
        yield _row_of(number, _next_value(scan, number), limits)
        try:
            closed = scan.expect(",]") == "]"
        except Fault as error:
            raise Fault(error.reason, f"After row {number}: {error.detail} What follows is not read.") from error


def _next_value(scan: JsonScan, number: int) -> Value:
    try:
        return scan.next_value()
    except Fault as error:
        raise Fault(error.reason, f"At row {number}: {error.detail} What follows is not read.") from error


def _values(scan: JsonScan, limits: Limits) -> Iterator[Row | BadRow]:
    """Yield values that stand one after the other, however they are broken into lines."""
    number = 0
    while scan.peek():
        number += 1
        yield _row_of(number, _next_value(scan, number), limits)


def _check_end(scan: JsonScan) -> None:
    if scan.peek():
        raise Fault("damaged_file", f"Line {scan.line}: there is more after the end of the JSON value; it is not read.")


def _row_of(number: int, value: Value, limits: Limits) -> Row | BadRow:
    found = _check_value(value, limits)
    if not isinstance(found, Wrong):
        return Row(number, found)
    raw = value.text.encode("utf-8", "surrogateescape")
    return bad_row(number, found.reason, f"Row {number} (line {value.line}): {found.detail}", raw)


def _check_value(value: Value, limits: Limits) -> dict[str, Any] | Wrong:
    if len(value.text) > limits.row_bytes:
        return Wrong("row_too_large", f"It has {len(value.text):,} characters, more than {limits.row_bytes:,}.")
    if value.may_be_damaged and _BAD_BYTES.search(value.text):
        return Wrong("not_utf8", "Some bytes are not UTF-8.")
    return value.parsed if isinstance(value.parsed, Wrong) else check_object(value.parsed, value.text, limits)
