"""Records <-> Arrow: one schema per record class, derived from its annotations.

schema_of(Example)                 pyarrow.Schema, one column per field, nested records as structs
to_arrow(Example, rows)            pyarrow.Table
list(from_arrow(Example, table))   the same records again
"""

import dataclasses
import functools
import typing
from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeVar

import pyarrow as pa

from curation.record_rows import as_row, from_row
from curation.records import Record

R = TypeVar("R")
_SCALARS = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


@functools.cache
def schema_of(cls: type) -> pa.Schema:
    """Return the Arrow schema of a record class; its name stands in the schema's metadata."""
    return pa.schema(_fields(cls), metadata={"record": cls.__name__})


def _fields(cls: type) -> list[pa.Field]:
    hints = typing.get_type_hints(cls)
    return [pa.field(f.name, _arrow_type(hints[f.name]), nullable=False) for f in dataclasses.fields(cls)]


def _arrow_type(hint: Any) -> pa.DataType:
    if hint in _SCALARS:
        return _SCALARS[hint]
    if typing.get_origin(hint) is Literal:
        return pa.string()
    if typing.get_origin(hint) is tuple:
        return pa.list_(pa.field("item", _arrow_type(typing.get_args(hint)[0]), nullable=False))
    assert dataclasses.is_dataclass(hint), f"no Arrow type for {hint}"
    return pa.struct(_fields(typing.cast(type, hint)))


def to_arrow(cls: type, records: Iterable[Record]) -> pa.Table:
    """Turn records of one class into an Arrow table, in the order given."""
    return pa.Table.from_pylist([as_row(record) for record in records], schema=schema_of(cls))


def from_arrow(cls: type[R], table: pa.Table) -> Iterator[R]:
    """Read records back out of an Arrow table, batch by batch."""
    for batch in table.to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            yield from_row(cls, row)
