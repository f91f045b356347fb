"""The description of the JSON API: OpenAPI at /api/openapi.json, and the same as a page at /api.

list_operations(describe(app))[0]["takes"]      "ClaimIn"
"""

import functools
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from curation.review.web.api_description import describe
from curation.review.web.site import Site

OPENAPI_PATH = "/api/openapi.json"


def add_docs(app: FastAPI, site: Site) -> None:
    """Add the routes of this module."""

    @functools.cache
    def found() -> dict[str, Any]:
        return describe(app)  # when it is first asked for, all routes are there

    @app.get(OPENAPI_PATH, include_in_schema=False)
    def show_openapi(request: Request) -> Response:
        site.person(request)
        return JSONResponse(found())

    @app.get("/api", include_in_schema=False)
    def show_docs(request: Request) -> Response:
        site.person(request)
        return site.render("api_docs.html", request, operations=list_operations(found()), models=list_models(found()))


def list_operations(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one entry a method and path, for the page."""
    operations = []
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            answer = operation["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
            operations.append(
                {
                    "id": operation["operationId"],
                    "method": method.upper(),
                    "path": path,
                    "about": operation.get("description", ""),
                    "parameters": [_parameter(parameter) for parameter in operation.get("parameters", ())],
                    "takes": _name(body),
                    "gives": _name(answer) or "lines of JSON" if "200" in operation["responses"] else "",
                    "refusals": sorted(code for code in operation["responses"] if code != "200"),
                }
            )
    return operations


def list_models(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one entry a model, with its fields."""
    models = []
    for name, schema in sorted(found["components"].get("schemas", {}).items()):
        needed = schema.get("required", ())
        fields = [
            {"name": field, "type": _type(shape), "needed": field in needed, "about": shape.get("description", "")}
            for field, shape in schema.get("properties", {}).items()
        ]
        models.append({"name": name, "about": schema.get("description", ""), "fields": fields})
    return models


def _parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    return {"name": parameter["name"], "where": parameter["in"], "type": _type(parameter.get("schema", {}))}


def _name(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _type(schema: dict[str, Any]) -> str:
    """Return a type in a few words, with its limits."""
    if "$ref" in schema:
        return _name(schema)
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return " | ".join(str(value) or '""' for value in schema.get("enum", [schema.get("const")]))
    kind = str(schema.get("type", "any"))
    if kind == "array":
        kind = f"list of {_type(schema.get('items', {}))}"
    words = {
        "minimum": "from",
        "maximum": "to",
        "minItems": "at least",
        "maxItems": "at most",
        "maxLength": "up to",
        "pattern": "as",
    }
    limits = [f"{word} {schema[name]}" for name, word in words.items() if name in schema]
    return f"{kind} ({', '.join(limits)})" if limits else kind
