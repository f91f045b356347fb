"""Plain values of a foreign file -> records, every field checked against its annotation. Nothing of the wrong type gets in.

read_record(Message, {"role": "user", "content": "Hi"})     Message(role="user", content="Hi")
read_record(Message, {"role": "boss", "content": "Hi"})     raises WrongRowError("wrong_value: role is none of ...")
"""

import dataclasses
import functools
import math
import typing
from collections.abc import Callable
from typing import Any, Literal, TypeVar

R = TypeVar("R")
Reader = Callable[[Any, str], Any]


class WrongRowError(Exception):
    """A row cannot be taken: a short reason and one sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def read_record(cls: type[R], values: Any, where: str = "") -> R:
    """Build a record; fields that are missing get their default, unknown ones are left out.

    Raises:
        WrongRowError: naming the first field that is missing or of the wrong type.
    """
    built: R = _reader_of(typing.cast(Any, cls))(values, where)
    return built


@functools.cache
def _reader_of(hint: Any) -> Reader:
    """Return what reads values of an annotation."""
    if dataclasses.is_dataclass(hint):
        return _record_reader(typing.cast(Any, hint))
    if typing.get_origin(hint) is tuple:
        return _tuple_reader(_reader_of(typing.get_args(hint)[0]))
    if typing.get_origin(hint) is Literal:
        return _choice_reader(typing.get_args(hint))
    return _scalar_reader(hint)


def _record_reader(cls: Any) -> Reader:
    hints = typing.get_type_hints(cls)
    fields = [
        (field.name, _plain_type(hints[field.name]), _reader_of(hints[field.name]), _default_of(field))
        for field in dataclasses.fields(cls)
    ]

    def read(values: Any, where: str) -> Any:
        if not isinstance(values, dict):
            raise WrongRowError("wrong_value", f"{where or 'The row'} is no object.")
        given = {}
        for name, plain, reader, default in fields:
            value = values.get(name)
            if type(value) is plain:
                given[name] = value
            elif value is not None:
                given[name] = reader(value, f"{where}.{name}" if where else name)
            elif default is dataclasses.MISSING:
                raise WrongRowError("missing_value", f"{where}.{name} is missing." if where else f"{name} is missing.")
        return cls(**given)

    return read


def _plain_type(hint: Any) -> type | None:
    """Return the type whose values are right as they are: most fields, so they are not worth a call each."""
    return hint if hint in (str, bool) else None


def _default_of(field: Any) -> Any:
    return field.default if field.default is not dataclasses.MISSING else field.default_factory


def _tuple_reader(item: Reader) -> Reader:
    def read(values: Any, where: str) -> Any:
        if not isinstance(values, (list, tuple)):
            raise WrongRowError("wrong_value", f"{where} is no list.")
        return tuple(item(value, where) for value in values)

    return read


def _choice_reader(choices: tuple[Any, ...]) -> Reader:
    def read(value: Any, where: str) -> Any:
        if not isinstance(value, str) or value not in choices:
            raise WrongRowError("wrong_value", f"{where} is none of {', '.join(repr(choice) for choice in choices)}.")
        return value

    return read


def _scalar_reader(hint: Any) -> Reader:
    kinds: dict[Any, tuple[tuple[type, ...], str]] = {
        str: ((str,), "text"),
        bool: ((bool,), "true or false"),
        int: ((int,), "a whole number"),
        float: ((int, float), "a number"),
    }
    types, name = kinds[hint]

    def read(value: Any, where: str) -> Any:
        is_right = isinstance(value, types) and (hint is bool or not isinstance(value, bool))
        if not is_right or (hint is float and not _is_finite(value)) or (hint is int and not -(2**53) < value < 2**53):
            raise WrongRowError("wrong_value", f"{where} is not {name}.")
        return float(value) if hint is float else value

    return read


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
