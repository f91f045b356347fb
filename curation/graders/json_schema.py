"""Grades answers that must be JSON of a shape, and measures how many fields are right.

    grade_json_schema('{"n": 1}', '{"type": "object", "required": ["n"]}')                                  right
    grade_json_schema('{"n": 1, "m": 2}', '{"schema": {"type": "object"}, "reference": {"n": 1, "m": 3}}')  wrong, share 0.5

The reference is a JSON Schema (draft 2020-12), or an object of exactly `schema` and `reference`. Then an answer is right if it
fits the schema and equals the reference, and one that fits only earns its field F1: the harmonic mean of precision and
recall over the values at all paths (`a.b[0]`), numbers by value. Schemas are hostile, too: `pattern` has a tenth of a second,
references to other places are never fetched, `patternProperties` is refused, a schema that calls itself too often is ended.
"""

import collections
import contextvars
import functools
import json
from collections.abc import Iterator
from typing import Any, cast

import regex

from curation.graders.grade import Grade, without_thoughts
from curation.graders.json_value import NO_VALUE, find_json, read_json
from curation.ids import canonical_json

MAX_SCHEMA_CHARS = 50_000
_MAX_STEPS = 10_000
_SECONDS = 0.1
_steps: contextvars.ContextVar[Iterator[int]] = contextvars.ContextVar("_steps")


class _EndlessSchemaError(ValueError):
    """The schema calls itself too often."""


def grade_json_schema(answer: str, reference: str) -> Grade:
    """Tell whether the JSON in an answer fits a schema, and equals the reference if there is one."""
    fields: Any = read_json(reference) if len(reference) <= MAX_SCHEMA_CHARS else NO_VALUE
    fields = fields if isinstance(fields, dict) else {}
    has_reference = fields.keys() == {"schema", "reference"}
    schema = fields["schema"] if has_reference else fields
    if not isinstance(schema, dict) or not schema:
        return Grade(False, "", "The reference is no JSON Schema.")
    value = find_json(without_thoughts(answer))
    if value is NO_VALUE:
        return Grade(False, "", "The answer holds no JSON.")
    try:
        problem = _find_problem(schema, value)
        extracted = canonical_json(value)
        score = measure_fields(value, fields["reference"]) if has_reference else 1.0
    except (RecursionError, ValueError, TypeError) as error:
        return Grade(False, "", f"It cannot be checked: {str(error)[:200]}")
    if problem:
        return Grade(False, extracted, problem)
    return Grade(score == 1.0, extracted, "" if score == 1.0 else f"{score:.0%} of the fields agree", score)


def measure_fields(one: Any, two: Any) -> float:
    """Return the F1 of the values at all paths of two JSON values; 1 only for equal ones."""
    left, right = collections.Counter(_leaves(one, "")), collections.Counter(_leaves(two, ""))
    return 2 * (left & right).total() / (left.total() + right.total())


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str, Any]]:
    """Yield path, kind and value of everything that holds nothing else."""
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{json.dumps(name)}")
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _leaves(item, f"{path}[{number}]")
    elif isinstance(value, (dict, list)):
        yield path, type(value).__name__, ""
    else:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        yield path, "number" if is_number else type(value).__name__, value


def _find_problem(schema: dict[str, Any], value: Any) -> str:
    from jsonschema import SchemaError
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    if "patternProperties" in json.dumps(schema):
        raise ValueError("patternProperties is not supported")
    token = _steps.set(iter(range(_MAX_STEPS)))
    try:
        _validator().check_schema(schema)
        error = next(_validator()(schema, registry=Registry()).iter_errors(value), None)
    except SchemaError as broken:
        raise ValueError(f"the schema is broken: {broken.message}") from None
    except Unresolvable as missing:
        raise ValueError(f"the schema refers to what is not in it: {missing}") from None
    finally:
        _steps.reset(token)
    return "" if error is None else f"{error.json_path}: {error.message}"[:500]


@functools.cache
def _validator() -> Any:
    """Return the class that validates, with the keywords that a hostile schema could stall it by replaced."""
    from jsonschema import Draft202012Validator, validators

    kept: dict[str, Any] = {name: _counted(Draft202012Validator.VALIDATORS[name]) for name in ("$ref", "$dynamicRef")}
    return cast(Any, validators).extend(Draft202012Validator, {"pattern": _check_pattern, **kept})


def _counted(follow: Any) -> Any:
    def follow_counted(validator: Any, target: Any, value: Any, schema: Any) -> Any:
        if next(_steps.get(), None) is None:
            raise _EndlessSchemaError("the schema refers to itself too often")
        return follow(validator, target, value, schema)

    return follow_counted


def _check_pattern(_: Any, pattern: str, value: Any, __: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    try:
        is_match = not isinstance(value, str) or regex.search(pattern, value, timeout=_SECONDS) is not None
    except (regex.error, TimeoutError, OverflowError) as error:
        raise ValueError(f"the pattern {pattern[:80]!r}: {error}") from None
    if not is_match:
        yield ValidationError(f"{str(value)[:80]!r} does not match {pattern[:80]!r}")
