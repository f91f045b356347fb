"""Definitions of tools, checked once, and calls checked against them.

    tools = ToolSet([{"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}])
    tools.check_call("weather", '{"city": "Rome"}')         '{"city":"Rome"}'
    tools.check_call("weather", '{"town": "Rome"}')         raises UnusableError: invalid_arguments

Definitions are OpenAI function schemas, bare or wrapped. Their JSON Schemas may refer to themselves only: nothing is fetched.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import jsonschema

from curation.config import check
from curation.ids import canonical_json
from curation.ingest.row_records import Unusable
from curation.ingest.shapes.tool_calls import read_tools
from curation.synthesis.parse import UnusableError

MAX_ARGUMENT_CHARS = 8_000


class ToolSet:
    """Tools by name, in the order of the recipe."""

    def __init__(self, definitions: Sequence[dict[str, Any]]) -> None:
        """Read definitions. Raises ConfigError for what is no definition."""
        text = read_tools(list(definitions))
        check(not isinstance(text, Unusable) and text != "", "tools", "must be OpenAI function schemas", list(definitions)[:3])
        self.tools: list[dict[str, Any]] = json.loads(str(text))
        names = [tool["function"]["name"] for tool in self.tools]
        check(len(names) == len(set(names)), "tools", "names a tool twice", names)
        self._schemas = {tool["function"]["name"]: _read_schema(tool["function"]) for tool in self.tools}
        self._validators = {name: jsonschema.Draft202012Validator(schema) for name, schema in self._schemas.items()}

    @property
    def names(self) -> list[str]:
        """Names of the tools."""
        return list(self._schemas)

    def select(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return the definitions of some tools in the order of the names."""
        by_name = {tool["function"]["name"]: tool for tool in self.tools}
        return [by_name[name] for name in names]

    def check_call(self, name: str, arguments: str) -> str:
        """Return the arguments of a call as canonical JSON.

        Raises:
            UnusableError: `unknown_tool` or `invalid_arguments`.
        """
        if name not in self._schemas:
            raise UnusableError("unknown_tool", f"There is no tool '{name[:100]}'.")
        try:
            value = json.loads(arguments[: MAX_ARGUMENT_CHARS + 1], parse_constant=_refuse)
            text = canonical_json(value)
            fault = next(self._validators[name].iter_errors(value), None)
        except (ValueError, RecursionError):
            raise UnusableError("invalid_arguments", f"The arguments of '{name}' are no JSON.") from None
        if not isinstance(value, dict):
            raise UnusableError("invalid_arguments", f"The arguments of '{name}' are no JSON object.")
        if fault is not None:
            where = "/".join(map(str, fault.absolute_path)) or "the arguments"
            raise UnusableError("invalid_arguments", f"'{name}', {where[:100]}: {fault.message[:200]}")
        unknown = _unknown_arguments(self._schemas[name], value)
        if unknown:
            raise UnusableError("invalid_arguments", f"'{name}' has no argument '{unknown[0][:100]}'.")
        return text


def _read_schema(function: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of a tool's arguments. Raises ConfigError for one that cannot be checked against."""
    name = function["name"]
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    where = f"tools.{name}.parameters"
    check(isinstance(schema, dict), where, "must be a JSON Schema", schema)
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        check(False, where, f"is no JSON Schema: {error.message[:200]}", name)
    outside = [link for link in _references(schema) if not link.startswith("#")]
    check(not outside, where, "may only refer to itself: nothing is fetched", outside)
    return schema


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name in ("$ref", "$dynamicRef", "$schema", "$id") and isinstance(item, str):
                yield "#" if name == "$schema" else item
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _unknown_arguments(schema: dict[str, Any], value: dict[str, Any]) -> list[str]:
    """Return arguments that the schema does not speak of: it need not forbid them, but they were made up."""
    has_more = any(key in schema for key in ("$ref", "allOf", "anyOf", "oneOf", "patternProperties", "if"))
    if has_more or schema.get("additionalProperties") not in (None, False):
        return []
    return [name for name in value if name not in schema.get("properties", {})]


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
