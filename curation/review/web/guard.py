"""The guard in front of the review app: Host allowlist, same-origin rule for writes, body limit, strict headers.

    app.add_middleware(Guard, hosts=frozenset({"127.0.0.1", "localhost", "::1"}), max_body_bytes=4 << 20)

A page of another site can make a browser send requests here. It cannot make it send our Host (so DNS rebinding fails),
nor forge `Sec-Fetch-Site` and `Origin` (so forged forms fail), nor send JSON or an Authorization header without asking
first, which nobody answers here. Requests with neither header may only read, except with an API token and no cookie.
"""

from collections.abc import Collection
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from curation.review.accounts.identity import CHANGING_READS, SAFE_METHODS

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
API = "/api/"
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)

_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_TLS_HEADERS = {"strict-transport-security": "max-age=31536000"}
_SIGNS = ("authorization", "cookie", "origin", "sec-fetch-site")
_OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override")


class Guard:
    """ASGI middleware; see the module docstring for what it refuses."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: frozenset[str] = LOOPBACK,
        max_body_bytes: int = 4 << 20,
        changing_reads: Collection[str] = CHANGING_READS,
        uploads: Collection[str] = (),
    ) -> None:
        """Serve `hosts`. Paths that end in one of `changing_reads` change something on GET; `uploads` take files as forms."""
        self.app = app
        self.hosts = hosts
        self.max_body_bytes = max_body_bytes
        self.changing_reads = tuple(changing_reads)
        self.uploads = tuple(uploads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refused request itself, and pass on the others with the body read."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None and scope["method"] not in SAFE_METHODS:
            body = await _read_body(receive, self.max_body_bytes)
            refusal = self._refuse_body(scope, body)
            receive = _replay(body or b"", receive)
        await (refusal or self.app)(
            scope,
            receive,
            _with_headers(send, is_tls=scope.get("scheme") == "https", is_static=scope["path"].startswith("/static/")),
        )

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if len(headers.getlist("host")) != 1 or _hostname(headers["host"]) not in self.hosts:
            return _refuse(scope, "This address is not served here: the Host header names another one.", 400)
        if _overrides_method(scope, headers):
            return _refuse(scope, "Refused: this method is not served here.", 405)
        if scope["method"] not in SAFE_METHODS:
            if _is_same_origin(headers) or _is_program(headers):
                return None
            if scope["path"].startswith(API) and _forgot_token(headers):
                return _refuse(scope, "Log in, or send an API token.", 401)
            return _refuse(scope, "Refused: this request did not come from a page of this app.", 403)
        is_change = scope["path"].rstrip("/").endswith(self.changing_reads) if self.changing_reads else False
        if is_change and headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return _refuse(scope, "Refused: this address can only be opened from a page of this app.", 403)
        return None

    def _refuse_body(self, scope: Scope, body: bytes | None) -> Response | None:
        if body is None:
            return _refuse(scope, "Refused: the request is too large or incomplete.", 413)
        headers = Headers(scope=scope)
        content_types = headers.getlist("content-type")
        is_empty_call = _is_program(headers) and not body and not content_types
        if not is_empty_call and not self._takes(scope["path"], content_types):
            return _refuse(scope, "Refused: this address does not take that content type.", 415)
        return None

    def _takes(self, path: str, content_types: list[str]) -> bool:
        if len(content_types) != 1:
            return False
        kind, _, parameters = content_types[0].partition(";")
        kind = kind.strip().lower()
        if path.startswith(API) and not path.endswith(self.uploads or ("\n",)):
            return kind == JSON and parameters.strip().lower() in ("", "charset=utf-8")
        return kind in (FORM, JSON) or (kind == "multipart/form-data" and path.endswith(self.uploads or ("\n",)))


def _refuse(scope: Scope, why: str, status_code: int) -> Response:
    """Answer programs as the API does, in JSON."""
    if scope["path"].startswith(API):
        return JSONResponse({"error": why}, status_code, {"www-authenticate": "Bearer"} if status_code == 401 else None)
    return PlainTextResponse(f"{why}\n", status_code)


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname if "@" not in host else None
    except ValueError:
        return None


def _overrides_method(scope: Scope, headers: Headers) -> bool:
    query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    return any(name in headers for name in _OVERRIDES) or any(name == "_method" for name, _ in query)


def _is_same_origin(headers: Headers) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    try:
        origin = urlsplit(headers.get("origin", ""))
    except ValueError:
        return False
    return origin.scheme in ("http", "https") and bool(origin.netloc) and origin.netloc == headers.get("host")


def _is_program(headers: Headers) -> bool:
    """Tell whether a request stands on a token alone, which no page of another site can make a browser send."""
    is_bearer = headers.get("authorization", "").lower().startswith("bearer ")
    return is_bearer and "cookie" not in headers and "origin" not in headers and "sec-fetch-site" not in headers


def _forgot_token(headers: Headers) -> bool:
    """Tell whether a program asks as nobody: a browser would say where it comes from, and no form is JSON."""
    return headers.get("content-type", "").lower().startswith(JSON) and not any(name in headers for name in _SIGNS)


async def _read_body(receive: Receive, max_bytes: int) -> bytes | None:
    """Return the whole body, or None if it is too large or breaks off."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > max_bytes:
            return None
    return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _with_headers(send: Send, *, is_tls: bool, is_static: bool) -> Send:
    added = _HEADERS | _TLS_HEADERS if is_tls else _HEADERS

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in added.items():
                headers[name] = value
            headers.setdefault("content-security-policy", CONTENT_SECURITY_POLICY)  # a route may have a stricter one
            headers.setdefault("cache-control", "no-cache" if is_static else "no-store")
        await send(message)

    return sending
