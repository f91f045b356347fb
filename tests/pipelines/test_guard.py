"""What the guard lets through to Dagster's webserver, asked over ASGI."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from pipelines.guard import OriginGuard

OURS = {"host": "127.0.0.1:3000"}
SAME = {**OURS, "origin": "http://127.0.0.1:3000", "sec-fetch-site": "same-origin"}


async def webserver(scope: Scope, receive: Receive, send: Send) -> None:
    """Stands for Dagster: answers 200, accepts every WebSocket."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"dagster"})


def ask(kind: str, headers: dict[str, str], *, method: str = "GET", path: str = "/", query: str = "") -> list[Message]:
    scope: dict[str, Any] = {"type": kind, "path": path, "query_string": query.encode(), "method": method}
    scope["headers"] = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect" if kind == "websocket" else "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(OriginGuard(webserver)(scope, receive, send))
    return sent


def status(headers: dict[str, str], **request: str) -> int:
    sent = ask("http", headers, **request)
    if sent[0]["status"] != 200:
        assert sent[1]["body"].startswith(b"Refused: ")
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:3000",
        "",
        "127.0.0.1.evil.example:3000",
        "localhost.evil.example",
        "127.0.0.1@evil.example",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_foreign_host_is_refused(host: str, method: str) -> None:
    assert status({"host": host}, method=method) == 403


def test_missing_host_is_refused() -> None:
    assert status({}) == 403


@pytest.mark.parametrize("host", ["127.0.0.1:3000", "localhost:3000", "localhost", "[::1]:3000", "[::1]"])
def test_our_hosts_pass(host: str) -> None:
    assert status({"host": host}) == 200
    assert status({"host": host, "origin": f"http://{host}"}, method="POST") == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_passes_also_from_a_link_elsewhere(method: str) -> None:
    assert status({**OURS, "sec-fetch-site": "cross-site"}, method=method, path="/assets") == 200


@pytest.mark.parametrize(
    "headers", [SAME, {**OURS, "origin": "http://127.0.0.1:3000"}, {**OURS, "sec-fetch-site": "none"}, OURS]
)
def test_writing_from_our_own_page_or_a_program_passes(headers: dict[str, str]) -> None:
    assert status(headers, method="POST", path="/graphql") == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3001"},
        {"origin": "http://localhost:3000"},
        {"origin": "http://[broken"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://127.0.0.1:3000", "sec-fetch-site": "cross-site"},
    ],
)
def test_writing_from_another_origin_is_refused(headers: dict[str, str], method: str) -> None:
    assert status({**OURS, **headers}, method=method) == 403


@pytest.mark.parametrize("path", ["/graphql", "/graphql/", "/prefix/graphql"])
def test_mutation_in_the_address_of_an_image_is_refused(path: str) -> None:
    """Dagster runs the `query` of a GET request, whatever the operation."""
    assert status({**OURS, "sec-fetch-site": "cross-site"}, path=path, query="query=mutation{x}") == 403
    assert status(OURS, path=path, query="query=mutation{x}") == 403
    assert status(OURS, path=path) == 200


@pytest.mark.parametrize("headers", [{**OURS, "origin": "http://evil.example"}, {**SAME, "host": "evil.example"}])
def test_websocket_from_another_origin_is_closed_before_it_opens(headers: dict[str, str]) -> None:
    sent = ask("websocket", headers)
    assert [message["type"] for message in sent] == ["websocket.close"]
    assert sent[0]["code"] == 1008


def test_websocket_of_our_own_page_opens() -> None:
    assert [message["type"] for message in ask("websocket", SAME)] == ["websocket.accept"]


def test_other_messages_pass() -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    asyncio.run(OriginGuard(app)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]
