r"""XML records, one element a row, without entities, DTD or network; finished elements are dropped as the file is read.

<QAPair pid="1"><Question qtype="info">Why?</Question><Answer>Because.</Answer></QAPair>
    Row(number=1, values={"@pid": "1", "Question": "Why?", "Question@qtype": "info", "Answer": "Because."})

Columns are named by their path below the record (`Question`, `body/p`), attributes by `@`; `../@id` is an attribute of the
element around the record. An element that repeats inside one record is a list.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

from curation.ingest.readers.limits import Fault, Limits
from curation.ingest.rows import BadRow, Row, bad_row

CHUNK_BYTES = 64 * 1024
MAX_DEPTH = 100
MAX_ELEMENTS = 100_000
"""Elements of one record."""
MAX_HEAD_EVENTS = 40_000


def find_record_path(head: bytes) -> str:
    """Return the path, from below the root, of the element that repeats; nothing if none does (the root is the record).

    Of elements that repeat, the least deep one counts.

    Raises:
        Fault: `ambiguous_records` if several repeat at that depth, with their names.
    """
    several = {path for path in _repeated(head) if len(path) > 1}
    least = min(map(len, several), default=0)
    found = sorted("/".join(path[1:]) for path in several if len(path) == least)
    if len(found) > 1:
        raise Fault("ambiguous_records", f"Several elements repeat: {', '.join(found[:10])}; declare `record_path`.")
    return found[0] if found else ""


def _repeated(head: bytes) -> Iterator[tuple[str, ...]]:
    """Yield the path of each element with an elder brother of the same name, as far as the head can be parsed."""
    from lxml import etree

    parser = etree.XMLPullParser(events=("start", "end"), resolve_entities=False, load_dtd=False, no_network=True)
    path: list[str] = []
    children: list[Counter[str]] = [Counter()]
    with contextlib.suppress(etree.XMLSyntaxError):
        parser.feed(head)
    with contextlib.suppress(etree.XMLSyntaxError):
        for number, (event, element) in enumerate(parser.read_events()):
            if event == "end":
                path.pop()
                children.pop()
                continue
            name = _name_of(element)
            children[-1][name] += 1
            path.append(name)
            if children[-1][name] > 1:
                yield tuple(path)
            children.append(Counter())
            if number > MAX_HEAD_EVENTS or len(path) > MAX_DEPTH:
                return


def _name_of(element: Any) -> str:
    """Return the name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def read_xml(stream: BinaryIO, record_path: str, limits: Limits, encoding: str = "") -> Iterator[Row | BadRow]:
    """Yield the records of an XML file; without a path the root element is the only one.

    Raises:
        Fault: `invalid_xml` where the file is damaged, after the records before; `no_records` if nothing has that path.
    """
    from lxml import etree

    parser = etree.XMLPullParser(
        events=("start", "end"), resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False,
        remove_comments=True, remove_pis=True, encoding=encoding or None,
    )  # fmt: skip
    number = 0
    try:
        for row in _records(_events(stream, parser), record_path.split("/") if record_path else [], limits):
            number += 1
            yield row
    except etree.XMLSyntaxError as error:
        detail = " ".join(str(error.msg).split())[:300]
        raise Fault("invalid_xml", f"After record {number}, line {error.lineno}: {detail}.") from error
    if not number:
        raise Fault("no_records", f"There is no element '{record_path}'.")


def _events(stream: BinaryIO, parser: Any) -> Iterator[tuple[str, Any]]:
    """Feed the parser and yield its events, those before an error included."""
    try:
        while chunk := stream.read(CHUNK_BYTES):
            parser.feed(chunk)
            yield from parser.read_events()
        parser.close()
    except SyntaxError:
        yield from parser.read_events()
        raise
    yield from parser.read_events()


def _records(events: Any, wanted: list[str], limits: Limits) -> Iterator[Row | BadRow]:
    path: list[str] = []
    number, inside = 0, 0
    for event, element in events:
        if event == "start":
            path.append(_name_of(element))
            if len(path) > MAX_DEPTH:
                raise Fault("nested_too_deeply", f"Line {element.sourceline}: more than {MAX_DEPTH} elements in each other.")
            inside = inside or (len(path) if _matches(path, wanted) else 0)
            continue
        if inside == len(path):
            number += 1
            yield _row_of(number, element, limits)
            inside = 0
        path.pop()
        if not inside:
            _drop(element)


def _matches(path: list[str], wanted: list[str]) -> bool:
    if not wanted:
        return len(path) == 1
    return path[-len(wanted) :] == wanted


def _drop(element: Any) -> None:
    """Free an element that is done; its attributes stay readable for the records in it until it ends."""
    element.clear(keep_tail=False)
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _row_of(number: int, record: Any, limits: Limits) -> Row | BadRow:
    place = f"Record {number} (line {record.sourceline})"
    values: dict[str, Any] = {}
    try:
        size = _fill(values, record)
    except Fault as fault:
        return bad_row(number, fault.reason, f"{place}: {fault.detail}")
    if size > limits.row_bytes:
        return bad_row(number, "row_too_large", f"{place} has {size:,} characters.")
    for height, parent in enumerate(record.iterancestors(), start=1):
        for name, value in parent.attrib.items():
            values["../" * height + "@" + _local(name)] = value
    return Row(number, values) if values else bad_row(number, "empty_row", f"{place} has no text and no attribute.")


def _fill(values: dict[str, Any], record: Any) -> int:
    """Put what a record holds into columns, in document order; return its size in characters."""
    from lxml import etree

    if next(record.iter(etree.Entity), None) is not None:
        raise Fault("xml_entity", "It uses an entity that only a document type could define; none is read.")
    size, count = 0, 0
    todo: list[tuple[str, Any]] = [("", record)]
    while todo:
        path, element = todo.pop()
        count += 1
        if count > MAX_ELEMENTS:
            raise Fault("row_too_large", f"It has more than {MAX_ELEMENTS:,} elements.")
        for name, value in element.attrib.items():
            size += _put(values, f"{path}@{_local(name)}", value)
        children = list(element)
        is_mixed = any((child.tail or "").strip() for child in children) or (children and (element.text or "").strip())
        if is_mixed or not children:
            text = "".join(element.itertext())
            if text.strip() or path:
                size += _put(values, path or "text", text)
            todo.extend((_join(path, child), child) for child in reversed(children) if len(child.attrib))
            continue
        todo.extend((_join(path, child), child) for child in reversed(children))
    return size


def _join(path: str, child: Any) -> str:
    return f"{path}/{_name_of(child)}" if path else _name_of(child)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _put(values: dict[str, Any], name: str, text: str) -> int:
    if name not in values:
        values[name] = text
    elif isinstance(values[name], list):
        values[name].append(text)
    else:
        values[name] = [values[name], text]
    return len(text)
