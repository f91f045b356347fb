"""A guard in front of Dagster's webserver, which has no login and accepts events that other sites forge.

It refuses requests whose Host is not ours (DNS rebinding), unsafe or WebSocket requests that come from another origin
(cross-site forgery), GraphQL over GET, with which an image tag of any site could start runs, GraphQL that is not plainly
JSON, and every other way to write: reported events above all. `make dev` starts the webserver behind it.

With TUNEWRIGHT_DAGSTER_LOGIN=review it also asks for the login of the review app: reviewers read, adjudicators and leads
write.
"""

import json
import re
from typing import NamedTuple, Protocol

import graphql
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from curation.errors import DatabaseError, TunewrightError
from curation.review.accounts.person import Person
from curation.review.errors import ScopeMissingError, UntrustedProxyError

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
JSON_TYPES = frozenset({"application/json", "application/json; charset=utf-8", "application/json;charset=utf-8"})
MAX_BODY_BYTES = 16 << 20
_OPERATION = re.compile(rb"op=\w{1,100}")


class Identity(Protocol):
    """Tells who sends a request; the accounts of the review app do."""

    def identify(self, request: HTTPConnection) -> Person | None:
        """Return the person, or None."""
        ...


class ReviewLogin(NamedTuple):
    """Who may come in, and where one logs in."""

    identity: Identity
    login_url: str


class LoginSettingError(TunewrightError, ValueError):
    """TUNEWRIGHT_DAGSTER_LOGIN is '{setting}'; it can be 'review' or 'none'."""


def asks_for_login(setting: str) -> bool:
    """Read TUNEWRIGHT_DAGSTER_LOGIN. Raises LoginSettingError."""
    if setting not in ("", "none", "review"):
        raise LoginSettingError(setting=setting)
    return setting == "review"


class OriginGuard:
    """ASGI middleware: only our own hosts, no unsafe request from another origin and, if asked for, only with a login."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] = LOOPBACK, *, login: ReviewLogin | None = None) -> None:
        self._app = app
        self._hosts = hosts
        self._login = login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 403 (WebSocket: close) with the reason."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        reason = self._refusal(scope, Headers(scope=scope))
        answer: Response | None = PlainTextResponse(f"Refused: {reason}\n", 403) if reason else None
        if answer is None and self._login is not None:
            answer, receive = await _let_in(self._login, scope, receive)
        if answer is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": reason or "log in first."})
        else:
            await answer(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> str | None:
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or _without_port(host) not in self._hosts:
            return "this host name is not served here."
        is_graphql = scope["path"].rstrip("/").endswith("/graphql")
        if is_graphql and scope["type"] == "http" and not _is_plain_address(scope):
            return "GraphQL is served by POST only, with nothing in the address but the name of the operation."
        if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
            return None
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None and site not in ("same-origin", "none"):
            return "the request comes from another site."
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return "the request comes from another origin."
        return None if scope["type"] == "websocket" else _refuse_write(scope, headers)


def _is_plain_address(scope: Scope) -> bool:
    """Tell whether a GraphQL request says nothing in its address; Dagster's own pages name the operation there (`?op=`)."""
    query = scope.get("query_string", b"")
    return not query or (scope["method"] == "POST" and _OPERATION.fullmatch(query) is not None)


def _refuse_write(scope: Scope, headers: Headers) -> str | None:
    if scope["method"] != "POST" or scope["path"] not in ("/graphql", "/graphql/"):
        return "the only way to change something here is GraphQL; events are recorded by runs alone."
    kinds = [kind.strip().lower() for kind in headers.getlist("content-type")]
    if len(kinds) != 1 or kinds[0] not in JSON_TYPES:
        return "GraphQL is served as application/json only."
    return None


async def _let_in(login: ReviewLogin, scope: Scope, receive: Receive) -> tuple[Response | None, Receive]:
    """Return the answer to somebody who may not do this, or None, and what to read the request from."""
    try:
        person = await run_in_threadpool(login.identity.identify, HTTPConnection(scope))
    except (ScopeMissingError, UntrustedProxyError) as error:
        return PlainTextResponse(f"Refused: {error}\n", 403), receive
    except DatabaseError as error:
        return PlainTextResponse(f"Refused: nobody can log in at the moment. {error}\n", 503), receive
    if person is None:
        return _ask_to_log_in(login.login_url, scope), receive
    if person.may("adjudicator") and "manage" in person.scopes:
        return None, receive
    if scope["type"] == "websocket":
        return None, _only_reading(receive)
    if scope["method"] in SAFE_METHODS:
        return None, receive
    body = await _read_body(receive)
    if body is None or not is_reading(body):
        return PlainTextResponse(f"Refused: {person.name} may look, but not change anything here.\n", 403), receive
    return None, _replay(body, receive)


def _ask_to_log_in(login_url: str, scope: Scope) -> Response:
    is_page = scope["type"] == "http" and "text/html" in Headers(scope=scope).get("accept", "")
    if is_page and scope["method"] == "GET":
        return RedirectResponse(login_url, 303)
    return PlainTextResponse(f"Refused: log in at {login_url} first.\n", 401)


def is_reading(body: bytes | str) -> bool:
    """Tell whether a GraphQL request holds no mutation, not even one that it does not name; unclear ones count as one."""
    try:
        request = json.loads(body)
        document = graphql.parse(request["query"], no_location=True)
    except (ValueError, KeyError, TypeError, RecursionError, graphql.GraphQLError):
        return False
    operations = [each for each in document.definitions if isinstance(each, graphql.OperationDefinitionNode)]
    return bool(operations) and all(each.operation is not graphql.OperationType.MUTATION for each in operations)


def _only_reading(receive: Receive) -> Receive:
    """Hang up when a reader's socket starts anything but a query or a subscription."""

    async def received() -> Message:
        message = await receive()
        text = message.get("text") or message.get("bytes")
        if message["type"] != "websocket.receive" or not text or _is_harmless(text):
            return message
        return {"type": "websocket.disconnect", "code": 1008}

    return received


def _is_harmless(text: str | bytes) -> bool:
    try:
        message = json.loads(text)
        return "payload" not in message or message["type"] == "connection_init" or is_reading(json.dumps(message["payload"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


async def _read_body(receive: Receive) -> bytes | None:
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if message["type"] == "http.disconnect" or len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return messages.pop() if messages else await receive()

    return received


def _without_port(host: str) -> str:
    return host if host.endswith("]") else host.rpartition(":")[0] or host
