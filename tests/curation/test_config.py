"""Configurations are frozen, keyword-only and strict, with and without pydantic."""

import dataclasses

import pytest
from pydantic import TypeAdapter, ValidationError

from curation.config import as_plain, check, config
from curation.errors import ConfigError


@config
class Inner:
    """Inner."""

    share: float = 0.5

    def __post_init__(self) -> None:
        check(0 <= self.share <= 1, "share", "must lie in [0, 1]", self.share)


@config
class Outer:
    """Outer."""

    name: str
    inner: Inner = Inner()
    tags: tuple[str, ...] = ()


def test_configurations_are_keyword_only_and_frozen() -> None:
    with pytest.raises(TypeError):
        Outer("x")  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        Outer(name="x").name = "y"  # type: ignore[misc]


def test_checks_name_field_and_value() -> None:
    with pytest.raises(ConfigError, match=r"share: must lie in \[0, 1\] \(received 2\)"):
        Inner(share=2)


def test_pydantic_builds_them_and_refuses_unknown_keys_and_wrong_types() -> None:
    adapter = TypeAdapter(Outer)
    assert adapter.validate_json('{"name": "x", "inner": {"share": 0.25}, "tags": []}') == Outer(
        name="x", inner=Inner(share=0.25)
    )
    for wrong in (
        '{"name": "x", "nmae": "y"}',
        '{"name": 3}',
        '{"name": "x", "inner": {"share": "0.5"}}',
        '{"name": "x", "inner": {"share": 7}}',
    ):
        with pytest.raises((ValidationError, ConfigError)):
            adapter.validate_json(wrong)


def test_plain_form_holds_scalars_lists_and_dicts_only() -> None:
    assert as_plain(Outer(name="x", tags=("a", "b"))) == {"name": "x", "inner": {"share": 0.5}, "tags": ["a", "b"]}
