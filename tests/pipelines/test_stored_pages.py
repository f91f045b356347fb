"""Stored pages behind the guard, asked over ASGI: what is served, as what, to whom; Dagster gets the rest."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from curation.pages import PREFIX, page_address
from curation.store import Snapshot, Store
from pipelines.guard import OriginGuard, ReviewLogin
from pipelines.stored_pages import StoredPages

ASSET = "toy/evaluation_report"
OURS = {"host": "127.0.0.1:3000"}


class Nobody:
    """Knows nobody."""

    def identify(self, request: Any) -> None:
        """Return None."""


async def dagster(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"dagster"})


def ask(app: ASGIApp, path: str, method: str = "GET", kind: str = "http", **headers: str) -> tuple[int, dict[str, str], bytes]:
    scope: dict[str, Any] = {"type": kind, "path": path, "query_string": b"", "method": method}
    scope["headers"] = [(name.replace("_", "-").encode(), value.encode()) for name, value in {**OURS, **headers}.items()]
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    async def answer() -> None:
        await app(scope, receive, send)

    asyncio.run(answer())
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, sent[1]["body"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def page(store: Store, tmp_path: Path) -> str:
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text("<!doctype html>")
    (tmp_path / "page" / "items.jsonl").write_text("{}\n")
    folder = store.put_folder(tmp_path / "page")
    store.put_snapshot(Snapshot(asset=ASSET, partition="", version="1", folders={"report": folder}))
    return page_address(ASSET, folder)


@pytest.fixture
def app(store: Store) -> ASGIApp:
    return OriginGuard(StoredPages(dagster, store))


def test_a_page_is_served_in_a_sandbox_without_an_origin(app: ASGIApp, page: str) -> None:
    status, headers, body = ask(app, page)
    assert (status, headers["content-type"], body) == (200, "text/html; charset=utf-8", b"<!doctype html>")
    policy = headers["content-security-policy"].split("; ")
    assert "sandbox allow-scripts allow-downloads" in policy, "with its origin a script in the page could speak to Dagster"
    assert {"default-src 'none'", "form-action 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= set(policy)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_items_are_saved_not_shown(app: ASGIApp, page: str) -> None:
    status, headers, body = ask(app, page.replace("index.html", "items.jsonl"))
    assert (status, headers["content-type"], body) == (200, "application/jsonl; charset=utf-8", b"{}\n")
    assert headers["content-disposition"] == 'attachment; filename="items.jsonl"'


@pytest.mark.parametrize(
    "change", [("index.html", "../index.html"), ("index.html", ""), ("toy", "other"), ("report/", "report/0")]
)
def test_what_is_no_page_is_404_and_never_reaches_dagster(app: ASGIApp, page: str, change: tuple[str, str]) -> None:
    status, headers, body = ask(app, page.replace(*change))
    assert (status, headers["content-type"]) == (404, "text/plain; charset=utf-8")
    assert b"materialize its asset again" in body


def test_everything_else_goes_to_dagster(app: ASGIApp) -> None:
    for path in ("/", "/runs", "/tunewright", f"{PREFIX}x/a", f"/assets{PREFIX}/a"):
        assert ask(app, path)[2] == b"dagster"
    assert ask(app, PREFIX)[0] == 404


@pytest.mark.parametrize("method", ["OPTIONS", "POST", "PUT", "DELETE", "PATCH", "PROPFIND"])
def test_pages_are_only_read(app: ASGIApp, store: Store, page: str, method: str) -> None:
    assert ask(app, page, method)[0] == (405 if method == "OPTIONS" else 403)
    assert ask(StoredPages(dagster, store), page, method)[0] == 405
    assert ask(app, page, "HEAD")[0] == 200


def test_host_and_login_are_asked_for_as_everywhere(app: ASGIApp, store: Store, page: str) -> None:
    assert ask(app, page, host="evil.example")[0] == 403
    login = ReviewLogin(Nobody(), "http://127.0.0.1:3001/login")
    status, headers, _ = ask(OriginGuard(StoredPages(dagster, store), login=login), page, accept="text/html")
    assert (status, headers["location"]) == (303, "http://127.0.0.1:3001/login")


def test_a_store_that_is_away_is_said_without_its_secrets(store: Store, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise PermissionError("key=secret")

    monkeypatch.setattr(Store, "get_folder", fail)
    status, _, body = ask(StoredPages(dagster, store), page)
    assert (status, body) == (503, b"The store cannot be read at the moment (PermissionError).\n")
