"""Impossible declarations are refused with the field and the value."""

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from curation.errors import ConfigError
from curation.ingest.shapes.config import ColumnsConfig, ShapeConfig


@pytest.mark.parametrize(
    ("fields", "path"),
    [({"columns": ColumnsConfig(user=" ")}, "columns"), ({"role_names": {"": "user"}}, "role_names")],
)
def test_impossible_declarations_are_refused(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ShapeConfig(**fields)
    assert caught.value.fields["path"] == path


def test_a_recipe_builds_it_strictly() -> None:
    adapter = TypeAdapter(ShapeConfig)
    talk = {"columns": {"messages": "talk", "date": "at"}, "role_names": {"note": "skip"}, "trim_to_assistant": True}
    built = adapter.validate_json(json.dumps({"name": "dialogue", **talk}))
    assert (built.columns.messages, built.role_names) == ("talk", {"note": "skip"})
    for wrong in ({"name": "alpacca"}, {"columns": {"users": "q"}}, {"role_names": {"x": "robot"}}, {"trim_to_assistant": 1}):
        with pytest.raises(ValidationError):
            adapter.validate_json(json.dumps(wrong))
