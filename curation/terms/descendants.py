"""Everything that was made from a document, a row, a source or a teacher: what a withdrawal has to reach.

    find_descendants(rows, "api/polars.Expr.head")            # keys of rows, sorted
    find_in_table(table, "gpt-5-mini")                        # the same on an Arrow table: 1M rows in under a second

A key stands for itself and for whatever names it: as document of a span, as parent, as teacher; `SOURCE/` stands for a
whole source. Rows whose key is given are listed too.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa

from curation.records import Provenance


def find_descendants(rows: Iterable[Any], key: str) -> list[str]:
    """Return the keys of all rows made from `key`, directly or through other rows, sorted; cycles do no harm."""
    children: defaultdict[str, list[str]] = defaultdict(list)
    found: set[str] = set()
    named_by = _starts if key.endswith("/") else _equals
    for row in rows:
        origin = row.provenance
        for parent in origin.parents:
            children[parent].append(row.key)
        if named_by(row.key, key) or _is_named(origin, key, named_by):
            found.add(row.key)
    pending = list(found)
    while pending:
        for child in children.get(pending.pop(), ()):
            if child not in found:
                found.add(child)
                pending.append(child)
    return sorted(found)


def _is_named(origin: Provenance, key: str, named_by: Callable[[str, str], bool]) -> bool:
    if named_by(origin.teacher, key):
        return True
    for span in origin.spans:
        if named_by(span.document_key, key):
            return True
    return any(named_by(parent, key) for parent in origin.parents) if origin.parents else False


_equals = str.__eq__
_starts = str.startswith


def find_in_table(table: pa.Table, key: str) -> list[str]:
    """Return the same for a table of `curation.tables.to_arrow`, without building a record."""
    import pyarrow.compute as pc

    keys = _column(table, "key")
    origin = _column(table, "provenance")
    parents, children = _flat(origin.field("parents"))
    spans, spanned = _flat(origin.field("spans"))
    documents = spans.field("document_key")
    found: set[int] = set()
    for values, rows in ((keys, None), (origin.field("teacher"), None), (documents, spanned), (parents, children)):
        hits = pc.starts_with(values, key) if key.endswith("/") else pc.equal(values, key)
        found |= _positions(hits, rows)
    fresh = found
    while fresh and len(parents):
        made = keys.take(pa.array(sorted(fresh), type=pa.int64()))
        fresh = _positions(pc.is_in(parents, value_set=made), children) - found
        found |= fresh
    return sorted(set(keys.take(pa.array(sorted(found), type=pa.int64())).to_pylist()))


def _column(table: pa.Table, name: str) -> Any:
    column = table.column(name).combine_chunks()
    return pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column


def _flat(lists: Any) -> tuple[Any, Any]:
    """Return the values of a list column and the row that each stands in."""
    import pyarrow.compute as pc

    return pc.list_flatten(lists), pc.list_parent_indices(lists)


def _positions(hits: Any, rows: Any) -> set[int]:
    import pyarrow.compute as pc

    at = pc.indices_nonzero(pc.fill_null(hits, False))
    return set((at if rows is None else rows.take(at)).to_pylist())
