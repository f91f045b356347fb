"""The OpenAPI description of the JSON API: the routes, what every one of them may refuse, and which call may follow which.

    describe(app)["paths"]["/api/recipes/{recipe}/claim"]["post"]["operationId"]      "claim"

A program that was made from it meets no status, type or shape that it does not name, except a 500, which is a bug.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

PREFIX = "/api/"
ERROR = {"$ref": "#/components/schemas/ErrorOut"}
INVALID = {"$ref": "#/components/schemas/InvalidOut"}

_ANYWHERE = {
    "400": "The Host header names another address, or the body is no text.",
    "401": "Nobody is logged in, and no token that counts was sent.",
    "403": "This person, or this token, may not do that.",
    "503": "The database did not answer; nothing was recorded.",
}
_WITH_PARAMETERS = {"404": "There is no such recipe or item."}
_WITH_BODY = {"413": "The body is too large.", "415": "The body is not sent as application/json."}
_INVALID = "The request does not fit this description, or makes no sense here."

_LEASE = "$response.body#/lease"
_HELD = {name: f"{_LEASE}/{name}" for name in ("item_key", "slot", "generation", "role")}
_VERDICT = {
    "item_key": f"{_LEASE}/item_key",
    "generation": f"{_LEASE}/generation",
    "role": f"{_LEASE}/role",
    "decision": "approve",
    "token": f"{{{_LEASE}/item_key}}.{{{_LEASE}/generation}}",
}
_FIRST = "$response.body#/results/0"
LINKS: dict[str, dict[str, dict[str, Any]]] = {
    "claim": {
        "show": {"operationId": "show_item", "parameters": {"key": f"{_LEASE}/item_key"}},
        "extend": {"operationId": "extend_lease", "requestBody": _HELD},
        "release": {"operationId": "release_lease", "requestBody": _HELD},
        "decide": {"operationId": "record_verdicts", "requestBody": {"verdicts": [_VERDICT]}},
    },
    "record_verdicts": {
        "undo": {
            "operationId": "undo_verdict",
            "requestBody": {"sequence": f"{_FIRST}/verdict/sequence", "token": f"{{{_FIRST}/token}}u"},
        },
        "show": {"operationId": "show_item", "parameters": {"key": f"{_FIRST}/verdict/key"}},
    },
    "list_verdicts": {"next": {"operationId": "list_verdicts", "parameters": {"after": "$response.body#/last"}}},
}
"""Operation -> name -> OpenAPI link: what of its answer the next call takes. All go to the same recipe."""


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI description of what is served under /api/, with all routes that the app has by now."""
    routes = [route for route in app.routes if isinstance(route, APIRoute) and route.path.startswith(PREFIX)]
    found = get_openapi(title="Tunewright review", version="1", routes=routes, description=(__doc__ or "").splitlines()[0])
    schemas = found["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own, which this app never answers with
        schemas.pop(name, None)
    for methods in found["paths"].values():
        for operation in methods.values():
            _add_refusals(operation)
            _add_links(operation)
    bearer = {"type": "http", "scheme": "bearer", "description": "An API token of the account page."}
    found["components"]["securitySchemes"] = {"bearer": bearer}
    found["security"] = [{"bearer": []}]
    return found


def _add_refusals(operation: dict[str, Any]) -> None:
    responses, has_body = operation["responses"], "requestBody" in operation
    has_parameters = bool(operation.get("parameters"))
    said = _ANYWHERE | (_WITH_PARAMETERS if has_parameters else {}) | (_WITH_BODY if has_body else {})
    for code, why in said.items():
        responses.setdefault(code, _response(why, ERROR))
    if has_body or has_parameters:
        responses["422"] = _response(_INVALID, INVALID)


def _response(description: str, schema: dict[str, str]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _add_links(operation: dict[str, Any]) -> None:
    links = {
        name: link | {"parameters": {"recipe": "$request.path.recipe"} | link.get("parameters", {})}
        for name, link in LINKS.get(operation["operationId"], {}).items()
    }
    if links:
        operation["responses"]["200"]["links"] = links
