"""What the world sees of a served model: one OpenAI-compatible address that stays while the engine behind it changes.

    front = Front(name="sdk_assistant", access=Access(key="s3cret", hosts=frozenset({"127.0.0.1"})))
    front.switch(Backend(url="http://127.0.0.1:41873", model="sdk_assistant", model_hash="9f..."))
    GET /v1/models, GET /health, POST /v1/chat/completions, /v1/completions, /v1/responses

Requests go to the backend that was in front when they came, also when another takes over meanwhile; `drain` waits for the
last of them. What an engine offers besides (loading other models, resetting) is not passed on. Without a key only requests
that name this machine in `Host` and come from no web page are answered, so that no page in a browser can use the model.
"""

import asyncio
import contextlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

MOST_BYTES = 32 * 1024 * 1024
"""Largest request."""
ASKED = ("/v1/chat/completions", "/v1/completions", "/v1/responses")
MODEL_HEADER = "X-Tunewright-Model"
"""Says in each answer which model gave it, by hash."""
_PASSED_ON = ("content-type", "accept")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(kw_only=True)
class Backend:
    """One engine that is ready, and how many requests it works on."""

    url: str
    model: str
    model_hash: str
    num_active: int = 0
    is_idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.is_idle.set()


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may ask."""

    key: str = ""
    """What clients send as `Authorization: Bearer KEY`; empty: no key is asked for."""
    hosts: frozenset[str] = frozenset()
    """Names in `Host` that are answered without a key; empty: any (everybody may ask)."""

    def refusal(self, request: web.Request) -> web.Response | None:
        """Return the answer to a request that may not ask, or None."""
        if self.key:
            given = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
            is_right = hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self.key.encode())
            return None if is_right else _error(401, "invalid_api_key", "The API key is missing or wrong.")
        if self.hosts and _host_name(request.headers.get("Host", "")) not in self.hosts:
            return _error(403, "unknown_host", "This model answers under the name of its own machine only.")
        origin = request.headers.get("Origin", "")
        if self.hosts and origin and _host_name(origin.partition("://")[2].partition("/")[0]) not in self.hosts:
            return _error(403, "foreign_origin", "Web pages may not ask this model without an API key.")
        return None


class Front:
    """The address, and the backend that stands behind it now."""

    def __init__(self, *, name: str, access: Access) -> None:
        self.name = name
        self._access = access
        self._backend: Backend | None = None
        self._since = int(time.time())
        self._session: aiohttp.ClientSession | None = None

    def switch(self, backend: Backend) -> Backend | None:
        """Send all further requests to a backend, and return the one before it, which may still be at work."""
        before, self._backend, self._since = self._backend, backend, int(time.time())
        return before

    async def drain(self, backend: Backend, seconds: float) -> int:
        """Wait until a backend has answered what it was asked, and return how many requests are left after `seconds`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(backend.is_idle.wait(), seconds)
        return backend.num_active

    def application(self) -> web.Application:
        """Return the application to run."""
        app = web.Application(client_max_size=MOST_BYTES, middlewares=[self._guard])
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/v1/models/{name}", self._model)
        for path in ASKED:
            app.router.add_post(path, self._ask)
        app.cleanup_ctx.append(self._open_session)
        return app

    async def _open_session(self, app: web.Application) -> Any:
        limits = aiohttp.ClientTimeout(total=None, sock_connect=10)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=limits, connector=connector, auto_decompress=False) as session:
            self._session = session
            yield

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        refusal = self._access.refusal(request) if request.path != "/health" else None
        if refusal is not None:
            return refusal
        try:
            return await handler(request)
        except web.HTTPRequestEntityTooLarge:
            return _error(413, "request_too_large", f"A request may have {MOST_BYTES} bytes.")
        except web.HTTPException as error:
            return _error(error.status, "not_found" if error.status == 404 else "invalid_request", error.reason)

    async def _health(self, request: web.Request) -> web.Response:
        backend = self._backend
        if backend is None:
            return web.json_response({"status": "starting"}, status=503)
        return web.json_response({"status": "ok", "model": self.name, "model_hash": backend.model_hash})

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [self._described()] if self._backend else []})

    async def _model(self, request: web.Request) -> web.Response:
        if request.match_info["name"] != self.name or self._backend is None:
            return _no_model(request.match_info["name"], self.name)
        return web.json_response(self._described())

    def _described(self) -> dict[str, Any]:
        root = self._backend.model_hash if self._backend else ""
        return {"id": self.name, "object": "model", "created": self._since, "owned_by": "tunewright", "root": root}

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        try:
            body = json.loads(await request.read())
        except (ValueError, RecursionError):
            return _error(400, "invalid_json", "The body of the request is no JSON.")
        if not isinstance(body, dict):
            return _error(400, "invalid_json", "The body of the request is no JSON object.")
        if body.get("model", self.name) != self.name:
            return _no_model(str(body["model"])[:200], self.name)
        backend = self._backend
        if backend is None:
            return _error(503, "starting", "The model is being loaded.")
        backend.num_active += 1
        backend.is_idle.clear()
        try:
            return await self._pass_on(request, body | {"model": backend.model}, backend)
        finally:
            backend.num_active -= 1
            if not backend.num_active:
                backend.is_idle.set()

    async def _pass_on(self, request: web.Request, body: dict[str, Any], backend: Backend) -> web.StreamResponse:
        assert self._session is not None, "the application runs"
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        data = json.dumps(body).encode("utf-8", "surrogatepass")
        answer: web.StreamResponse | None = None
        try:
            async with self._session.post(backend.url + request.path, data=data, headers=headers) as given:
                answer = web.StreamResponse(status=given.status)
                answer.content_type = given.content_type
                answer.headers[MODEL_HEADER] = backend.model_hash
                await answer.prepare(request)
                async for part in given.content.iter_any():
                    await answer.write(part)
                await answer.write_eof()
                return answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if answer is None or not answer.prepared:
                return _error(502, "engine_failed", f"The engine did not answer ({type(error).__name__}).")
            if request.transport is not None:
                request.transport.close()  # half an answer must not look like a whole one
            return answer


def _host_name(netloc: str) -> str:
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def _no_model(asked: str, name: str) -> web.Response:
    return _error(404, "model_not_found", f"The model '{asked}' is not served here; '{name}' is.")


def _error(status: int, code: str, message: str) -> web.Response:
    """Return an error in the shape that OpenAI's clients read."""
    kind = "authentication_error" if status == 401 else "invalid_request_error" if status < 500 else "server_error"
    content = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return web.json_response(content, status=status)
