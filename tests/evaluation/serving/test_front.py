"""The address that stays: who may ask, what is passed on, and how one backend follows another."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from evaluation.serving.front import Access, Backend, Front

LOCAL = Access(hosts=frozenset({"127.0.0.1", "localhost"}))
CHAT = "/v1/chat/completions"
Client = TestClient[web.Request, web.Application]
Ask = Callable[[Client, Front, list[Backend]], Awaitable[Any]]


gates: dict[str, asyncio.Event] = {}
"""What the engines wait for, by the name in the request."""


def engine(name: str) -> web.Application:
    """An engine that says who it is, once the gate named in `wait` is open, and what it was asked."""

    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if body.get("stream"):
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b"data: 1\n\n")
            if body.get("break"):
                assert request.transport is not None
                request.transport.close()
            return response
        if body.get("wait"):
            await gates[body["wait"]].wait()
        return web.json_response({"name": name, "body": body, "key": request.headers.get("Authorization")})

    app = web.Application()
    app.router.add_post("/v1/{what:.*}", answer)
    return app


def with_front(ask: Ask, *, access: Access = LOCAL) -> Any:
    async def run() -> Any:
        async with TestServer(engine("old")) as old, TestServer(engine("new")) as new:
            front = Front(name="toy", access=access)
            backends = [
                Backend(url=str(server.make_url("")).rstrip("/"), model="inner", model_hash=name * 8)
                for server, name in ((old, "old"), (new, "new"))
            ]
            async with TestClient(TestServer(front.application())) as client:
                return await ask(client, front, backends)

    return asyncio.run(run())


def test_a_request_is_passed_on_under_the_engines_name_and_the_answer_says_which_model_gave_it() -> None:
    async def ask(client: Client, front: Front, backends: list[Backend]) -> None:
        assert (await client.get("/health")).status == 503
        assert (await client.post(CHAT, json={})).status == 503
        front.switch(backends[0])
        health = await client.get("/health")
        assert await health.json() == {"status": "ok", "model": "toy", "model_hash": "old" * 8}
        body = {"model": "toy", "messages": [{"role": "user", "content": "\U0001f600 \u00e9"}], "top_k": 3}
        answer = await client.post(CHAT, json=body, headers={"Authorization": "Bearer mine"})
        assert answer.headers["X-Tunewright-Model"] == "old" * 8
        assert await answer.json() == {"name": "old", "body": body | {"model": "inner"}, "key": None}
        listed = await (await client.get("/v1/models")).json()
        assert [(model["id"], model["root"]) for model in listed["data"]] == [("toy", "old" * 8)]
        assert (await client.get("/v1/models/toy")).status == 200
        assert (await client.get("/v1/models/other")).status == 404

    with_front(ask)


@pytest.mark.parametrize(
    ("path", "data", "status", "code"),
    [
        (CHAT, b"{", 400, "invalid_json"),
        (CHAT, b"[" * 100_000, 400, "invalid_json"),
        (CHAT, b"[1]", 400, "invalid_json"),
        (CHAT, b"\xff\xfe", 400, "invalid_json"),
        (CHAT, b'{"model": "meta/other"}', 404, "model_not_found"),
        (CHAT, b'{"model": {"a": 1}}', 404, "model_not_found"),
        (CHAT, b" " * (33 * 1024 * 1024), 413, "request_too_large"),
        ("/load_model", b'{"model": "meta/other"}', 404, "not_found"),
        ("/reset", b"{}", 404, "not_found"),
        ("/v1/chat/../../reset", b"{}", 404, "not_found"),
    ],
)
def test_what_no_client_should_send_is_refused_in_the_shape_of_the_api(path: str, data: bytes, status: int, code: str) -> None:
    async def ask(client: Client, front: Front, backends: list[Backend]) -> tuple[int, Any]:
        front.switch(backends[0])
        answer = await client.post(path, data=io.BytesIO(data), headers={"Content-Type": "application/json"})
        return answer.status, (await answer.json())["error"]["code"]

    assert with_front(ask) == (status, code)


@pytest.mark.parametrize(
    ("access", "headers", "status"),
    [
        (LOCAL, {}, 200),
        (LOCAL, {"Host": "localhost:8000", "Origin": "http://localhost:3000"}, 200),
        (LOCAL, {"Host": "evil.example:8000"}, 403),
        (LOCAL, {"Host": "[broken"}, 403),
        (LOCAL, {"Origin": "https://evil.example"}, 403),
        (LOCAL, {"Origin": "null"}, 403),
        (LOCAL, {"Origin": "http://[evil"}, 403),
        (LOCAL, {"Origin": "localhost"}, 403),
        (Access(), {"Host": "gpu7.example", "Origin": "https://evil.example"}, 200),
        (Access(key="s3cret", hosts=LOCAL.hosts), {}, 401),
        (Access(key="s3cret", hosts=LOCAL.hosts), {"Authorization": "Bearer s3cre"}, 401),
        (Access(key="s3cret", hosts=LOCAL.hosts), {"Authorization": "Bearer s3cret", "Host": "gpu7.example"}, 200),
    ],
)
def test_who_may_ask(access: Access, headers: dict[str, str], status: int) -> None:
    async def ask(client: Client, front: Front, backends: list[Backend]) -> list[int]:
        front.switch(backends[0])
        models = await client.get("/v1/models", headers=headers)
        return [(await client.post(CHAT, json={}, headers=headers)).status, models.status]

    assert with_front(ask, access=access) == [status, status]


def test_a_new_backend_takes_over_while_the_old_one_ends_what_it_was_asked() -> None:
    async def ask(client: Client, front: Front, backends: list[Backend]) -> None:
        old, new = backends
        front.switch(old)
        gate = gates["slow"] = asyncio.Event()
        slow = [asyncio.create_task(client.post(CHAT, json={"wait": "slow"})) for _ in range(3)]
        while old.num_active < 3:
            await asyncio.sleep(0.01)
        assert front.switch(new) is old
        assert (await (await client.post(CHAT, json={})).json())["name"] == "new"
        assert await front.drain(old, 0.01) == 3
        gate.set()
        assert await front.drain(old, 60) == 0
        assert {(await (await task).json())["name"] for task in slow} == {"old"}
        assert (old.num_active, new.num_active) == (0, 0)

    with_front(ask)


def test_an_engine_that_breaks_off_never_looks_like_a_whole_answer() -> None:
    async def ask(client: Client, front: Front, backends: list[Backend]) -> None:
        front.switch(backends[0])
        whole = await client.post(CHAT, json={"stream": True})
        assert await whole.read() == b"data: 1\n\n"
        half = await client.post(CHAT, json={"stream": True, "break": True})
        with pytest.raises(aiohttp.ClientError):
            await half.read()
        front.switch(Backend(url="http://127.0.0.1:1", model="inner", model_hash="0"))
        gone = await client.post(CHAT, json={})
        assert (gone.status, json.loads(await gone.text())["error"]["code"]) == (502, "engine_failed")

    with_front(ask)
