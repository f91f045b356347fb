"""JSON fits its schema or not, fields are counted, and no schema stalls or reaches outside."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.graders.json_schema import grade_json_schema, measure_fields
from curation.graders.json_value import is_same_json

PERSON = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}, "age": {"type": "integer"}},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.0, 1.0, 2.5]) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("answer", "reference", "reward", "detail"),
    [
        ('Here: {"name": "Ann", "age": 3}', PERSON, 1, ""),
        ('{"name": "ann"}', PERSON, 0, "$.name: 'ann' does not match '^[A-Z]'"),
        ('{"age": 3}', PERSON, 0, "'name' is a required property"),
        ("no JSON", PERSON, 0, "holds no JSON"),
        ('{"name": "Ann", "age": 4}', {"schema": PERSON, "reference": {"name": "Ann", "age": 3}}, 0.5, "50% of the fields"),
        ('{"name": "Ann", "age": 3.0}', {"schema": PERSON, "reference": {"name": "Ann", "age": 3}}, 1, ""),
        ('{"name": 1, "age": 3}', {"schema": PERSON, "reference": {"name": "Ann", "age": 3}}, 0, "is not of type 'string'"),
        ('{"a": 1}', {"type": "nonsense"}, 0, "the schema is broken"),
        ('{"a": 1}', {}, 0, "no JSON Schema"),
        ('{"a": 1}', {"$ref": "#"}, 0, "cannot be checked"),
        ('{"a": 1}', {"$ref": "http://127.0.0.1:9/schema.json"}, 0, "not in it"),
        ('{"a": 1}', {"$ref": "file:///etc/passwd"}, 0, "not in it"),
        ('{"a": 1}', {"patternProperties": {"(a+)+b": {}}}, 0, "patternProperties is not supported"),
        ('"x"', {"pattern": "("}, 0, "cannot be checked"),
    ],
)
def test_shape_and_fields(answer: str, reference: object, reward: float, detail: str) -> None:
    grade = grade_json_schema(answer, json.dumps(reference))
    assert grade.reward == pytest.approx(reward)
    assert grade.is_right == (reward == 1)
    assert detail in grade.detail


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_schema_elsewhere_is_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "any.json").write_text("{}")
    grade = grade_json_schema("{}", json.dumps({"$ref": (tmp_path / "any.json").as_uri()}))
    assert "what is not in it" in grade.detail


def test_hostile_schemas_are_ended() -> None:
    start = time.process_time()
    laughs = {f"l{n}": {"allOf": [{"$ref": f"#/$defs/l{n + 1}"}] * 10} for n in range(9)} | {"l9": {}}
    for schema in ({"$defs": laughs, "$ref": "#/$defs/l0"}, {"properties": {"a": {"pattern": "^(a|a|aa)*[cd](.*.*)*$"}}}):
        assert "cannot be checked" in grade_json_schema(json.dumps({"a": "a" * 5_000}), json.dumps(schema)).detail
    assert time.process_time() - start < 60


@given(JSON, JSON)
def test_all_fields_agree_exactly_if_the_values_are_equal(one: Any, two: Any) -> None:
    assert (measure_fields(one, two) == 1.0) == is_same_json(one, two)
    assert measure_fields(one, two) == measure_fields(two, one)
    assert measure_fields(one, one) == 1.0
