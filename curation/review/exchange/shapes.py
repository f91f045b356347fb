"""The shapes in which reviewed items leave and come back, by name.

SHAPES["argilla"].write(reviewed)                {"id": "9f...", "fields": {...}, "responses": {...}, ...}
read_incoming({"fields": {...}}, reading)        Incoming(...): the shape of a row is told by its fields
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from curation.review.exchange.argilla_shape import from_argilla, to_argilla
from curation.review.exchange.flat_shape import from_flat, to_flat
from curation.review.exchange.incoming import Incoming, Reading
from curation.review.exchange.label_studio_shape import from_label_studio, to_label_studio
from curation.review.exchange.native_shape import from_native, to_native
from curation.review.exchange.reviewed import Reviewed

ShapeName = Literal["tunewright", "flat", "argilla", "label_studio"]


class Shape(NamedTuple):
    """A way to write an item, and to read it."""

    write: Callable[[Reviewed], dict[str, Any]]
    read: Callable[[dict[str, Any], Reading], Incoming]
    mark: str
    """The field that only rows of this shape have."""


SHAPES: Mapping[ShapeName, Shape] = {
    "tunewright": Shape(to_native, from_native, "item"),
    "argilla": Shape(to_argilla, from_argilla, "fields"),
    "label_studio": Shape(to_label_studio, from_label_studio, "data"),
    "flat": Shape(to_flat, from_flat, ""),
}


def read_incoming(values: dict[str, Any], reading: Reading) -> Incoming:
    """Read a row of whichever shape it has. Raises WrongRowError."""
    shape = next(
        (shape for shape in SHAPES.values() if shape.mark and isinstance(values.get(shape.mark), dict)), SHAPES["flat"]
    )
    return shape.read(values, reading)
