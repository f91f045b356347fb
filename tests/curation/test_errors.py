"""Every error has one message template, keeps its fields, and survives pickling."""

import pickle
import string

import pytest

from curation import errors
from curation.errors import ConfigError, EmptySourceError, TeacherKeyMissingError, TunewrightError
from curation.review import errors as review_errors

CLASSES = [
    value
    for module in (errors, review_errors)
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, TunewrightError) and value.__module__ == module.__name__
]


def _fields(cls: type[TunewrightError]) -> dict[str, str]:
    names = {name.split("!")[0] for _, name, _, _ in string.Formatter().parse(cls.__doc__ or "") if name}
    return {name: f"<{name}>" for name in names}


SAY_NOTHING_MORE = {"LoginRefusedError", "InvitationInvalidError", "SingleSignOnMissingError"}
"""Errors that must not, or need not, repeat what was received."""


@pytest.mark.parametrize("cls", CLASSES)
def test_messages_hold_every_field_and_pickle(cls: type[TunewrightError]) -> None:
    fields = _fields(cls)
    error = cls(**fields)
    assert fields or cls.__name__ in SAY_NOTHING_MORE
    assert all(value in str(error) for value in fields.values())
    assert "\n" not in str(error)
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.fields) == (cls, str(error), error.fields)


def test_braces_in_values_and_in_templates_are_literal() -> None:
    assert "{x}" in str(EmptySourceError(source="{x}", path="p"))
    assert "`teacher: {kind: extractive}`" in str(TeacherKeyMissingError(model="m", variable="V"))


def test_config_errors_are_value_errors() -> None:
    assert isinstance(ConfigError(path="a", problem="b", value=1), ValueError)
