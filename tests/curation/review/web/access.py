"""Who may do what, asked of every route: a table of (route, least role) against everybody there could be.

    check_access(app, {"Nobody": {}, "Rita": {"cookie": "..."}, ...}, [Rule("POST", "/people/disable", "lead")])

The table has to name every route of the app (`unlisted_routes`), so that a new page cannot be forgotten.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from fastapi import FastAPI
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from curation.review.accounts.person import ROLES

Least = Literal["public", "reviewer", "adjudicator", "lead"]
FORM = "application/x-www-form-urlencoded"
SAME = {"sec-fetch-site": "same-origin"}
REFUSED = (401, 403)


class Rule(NamedTuple):
    """The least role that a route is open to; `public` is everybody."""

    method: str
    path: str
    """As in the route table, with its parameters: `/recipes/{recipe}`."""
    least: Least


class Caller(NamedTuple):
    """Somebody who asks: the role, or None for a stranger, and the headers that say so."""

    role: str | None
    headers: Mapping[str, str]


def list_routes(app: FastAPI) -> list[tuple[str, str]]:
    """Return (method, path) of every route, HEAD aside (it is the GET of the same path)."""
    found: list[tuple[str, str]] = []
    for route in app.routes:
        if isinstance(route, Route):
            found += [(method, route.path) for method in sorted(route.methods or ()) if method != "HEAD"]
        else:
            assert isinstance(route, Mount), f"{route} is neither a route nor a folder of files"
    return found


def unlisted_routes(app: FastAPI, rules: Iterable[Rule]) -> set[tuple[str, str]]:
    """Return what the table forgets, and what it names although it is not there."""
    return set(list_routes(app)) ^ {(rule.method, rule.path) for rule in rules}


def check_access(
    app: FastAPI,
    callers: Mapping[str, Caller],
    rules: Iterable[Rule],
    *,
    values: Mapping[str, str] | None = None,
    base_url: str = "http://127.0.0.1:3001",
) -> list[str]:
    """Return one line for every answer that should not be: let in though the role is too small, or kept out though not.

    Forms and JSON are sent empty: whoever is let in gets 422, 404 or a page, which all count as let in. Routes that take
    sessions away (`/logout`) have to come last in the table, or stand in one of their own.
    """
    wrong = []
    with TestClient(app, base_url=base_url, follow_redirects=False, raise_server_exceptions=False) as client:
        for rule in rules:
            for name, caller in callers.items():
                status, location = _ask(client, rule, caller, values or {})
                kept_out = status in REFUSED or (status == 303 and location.startswith("/login?"))
                allowed = rule.least == "public" or (caller.role is not None and _has(caller.role, rule.least))
                if kept_out == allowed or status >= 500:
                    wrong.append(f"{rule.method} {rule.path} by {name} ({caller.role}): {status} {location}".strip())
    return wrong


def _has(role: str, least: str) -> bool:
    return ROLES.index(role) >= ROLES.index(least)  # type: ignore[arg-type]


def _ask(client: TestClient, rule: Rule, caller: Caller, values: Mapping[str, str]) -> tuple[int, str]:
    path = fill_path(rule.path, values)
    headers = SAME | dict(caller.headers)
    client.cookies.clear()
    if rule.method in ("GET", "OPTIONS"):
        response = client.request(rule.method, path, headers=headers)
    elif path.startswith("/api/"):
        response = client.request(rule.method, path, headers=headers, json={})
    else:
        response = client.request(rule.method, path, headers=headers | {"content-type": FORM}, content=b"")
    return response.status_code, response.headers.get("location", "")


def fill_path(path: str, values: Mapping[str, str]) -> str:
    """Return a path with its parameters filled in; `x` for those without a value."""
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: values.get(found[1], "x"), path)
