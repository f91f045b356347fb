"""Every section of `generate` that names a method builds that method, and says what it works on."""

import typing

import pytest

from curation.synthesis.config import ON_DEMONSTRATIONS, ON_DOCUMENTS, ON_NOTHING, GenerateConfig
from curation.synthesis.generate import units_without_rows
from curation.synthesis.methods.build import METHODS, build_methods
from curation.synthesis.methods.method import Unit


def _section(name: str) -> object:
    (section,) = (kind for kind in typing.get_args(typing.get_type_hints(GenerateConfig)[name]) if kind is not type(None))
    return section


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_is_called_like_its_section(name: str) -> None:
    assert sum(name in names for names in (ON_DOCUMENTS, ON_DEMONSTRATIONS, ON_NOTHING)) == 1
    section: typing.Any = _section(name)
    try:
        config = section()
    except Exception:
        pytest.skip("this method has settings without a default")
    (method,) = build_methods(GenerateConfig(**{name: config}))
    assert method.name == name


def test_without_sections_there_is_no_method() -> None:
    assert build_methods(GenerateConfig()) == []


def test_units_of_which_nothing_came_are_found() -> None:
    units = [Unit(key=key) for key in ("a#m", "a#m/1", "ab#m", "gone#m")]
    keys = ["a#m", "a#m/1/0", "ab#m~pair/0"]
    assert units_without_rows(units, keys) == ["gone#m"]
