"""A guard in front of Dagster's webserver, which has no login and accepts events that other sites forge.

It refuses requests whose Host is not ours (DNS rebinding), unsafe or WebSocket requests that come from another origin
(cross-site forgery), and GraphQL over GET, with which an image tag of any site could start runs. `make dev` starts the
webserver behind it.
"""

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


class OriginGuard:
    """ASGI middleware: only our own hosts, and no unsafe request from another origin."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] = LOOPBACK) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 403 (WebSocket: close) with the reason."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        reason = self._refusal(scope, headers)
        if reason is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": reason})
        else:
            await PlainTextResponse(f"Refused: {reason}\n", status_code=403)(scope, receive, send)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> str | None:
        host = headers.get("host", "")
        if _without_port(host) not in self._hosts:
            return "this host name is not served here."
        is_unsafe = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        if not is_unsafe:
            is_operation = scope["path"].rstrip("/").endswith("/graphql") and scope.get("query_string")
            return "GraphQL is served by POST only." if is_operation else None
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None and site not in ("same-origin", "none"):
            return "the request comes from another site."
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return "the request comes from another origin."
        return None


def _without_port(host: str) -> str:
    return host if host.endswith("]") else host.rpartition(":")[0] or host
