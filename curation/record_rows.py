"""From records to plain dicts, lists and scalars and back, as fast as their classes allow.

as_row(Message(role="user", content="Hi"))      {"role": "user", "content": "Hi", "tool_calls": [], ...}
"""

import dataclasses
import functools
import operator
import typing
from collections.abc import Callable
from typing import Any, TypeVar

R = TypeVar("R")


def as_row(record: Any) -> Any:
    """Turn a record into plain dicts, lists and scalars, in field order."""
    if isinstance(record, tuple):
        return [as_row(item) for item in record]
    return _plan_of(typing.cast(Any, type(record)))(record) if dataclasses.is_dataclass(record) else record


@functools.cache
def _plan_of(cls: Any) -> Callable[[Any], dict[str, Any]]:
    """Return how records of a class become dicts; only fields that hold records or tuples are looked into."""
    hints = typing.get_type_hints(cls)
    names = tuple(field.name for field in dataclasses.fields(cls))
    read = operator.attrgetter(*names, names[0])
    nested = [(name, plan) for name in names if (plan := _nested_plan(hints[name])) is not None]

    def convert(record: Any) -> dict[str, Any]:
        row = dict(zip(names, read(record), strict=False))
        for name, plan in nested:
            row[name] = plan(row[name])
        return row

    return convert


def _nested_plan(hint: Any) -> Callable[[Any], Any] | None:
    if typing.get_origin(hint) is tuple:
        inner = _nested_plan(typing.get_args(hint)[0])
        return list if inner is None else lambda values: [inner(value) for value in values]
    return _plan_of(typing.cast(Any, hint)) if dataclasses.is_dataclass(hint) else None


@functools.cache
def _builder(cls: Any) -> Callable[[dict[str, Any]], Any]:
    hints = typing.get_type_hints(cls)
    converters = {name: converter for name, hint in hints.items() if (converter := _converter(hint)) is not None}

    def build(row: dict[str, Any]) -> Any:
        return cls(**{name: converters[name](value) if name in converters else value for name, value in row.items()})

    return build


def _converter(hint: Any) -> Callable[[Any], Any] | None:
    if typing.get_origin(hint) is tuple:
        inner = _converter(typing.get_args(hint)[0])
        return (lambda values: tuple(inner(value) for value in values)) if inner else tuple
    if dataclasses.is_dataclass(hint):
        return _builder(typing.cast(Any, hint))
    return None


def from_row(cls: type[R], row: dict[str, Any]) -> R:
    """Build one record from plain dicts and lists (the inverse of `as_row`).

    Raises:
        TypeError: if a field is missing or unknown.
    """
    built: R = _builder(typing.cast(Any, cls))(row)
    return built
