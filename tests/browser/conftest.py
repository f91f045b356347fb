"""A browser, and the review pages in it: whatever they log, throw, or ask of another host fails the test."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from curation.database import Database
from curation.review import schema
from curation.review.accounts.person import Person
from curation.review.queue import ReviewQueue
from curation.review.web.app import create_app
from curation.review.web.site import OnePerson

ARGUMENTS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
WAIT = 300_000
"""Milliseconds that anything may take in a browser before a test gives up: no test is decided by time."""
REFUSED = "Failed to load resource"
"""How Chromium logs an answer of 400 and above, or none; a test that provokes one allows it."""


@pytest.fixture(scope="module")  # two of them in one process disturb each other, and other files have their own
def chromium() -> Iterator[Any]:
    """A browser in which every page waits long, also those that a page opens."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=WAIT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS, timeout=WAIT)
        browser.on("context", lambda context: context.set_default_timeout(WAIT))
        yield browser
        browser.close()


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[ReviewQueue]:
    opened = ReviewQueue(Database.open(tmp_path / "review.db", concern="review", migrations=schema.MIGRATIONS), "demo")
    yield opened
    opened.close()


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve an app on a free port; gives its address."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def app(queue: ReviewQueue) -> Any:
    return create_app({"demo": queue}, OnePerson(Person(name="Ada", role="lead")))


@pytest.fixture
def address(app: Any) -> Iterator[str]:
    with serving(app) as where:
        yield where


@pytest.fixture
def allowed() -> list[str]:
    """Beginnings of what the browser may log in this test."""
    return []


@pytest.fixture
def open_page(chromium: Any, address: str, allowed: list[str]) -> Iterator[Callable[..., Any]]:
    """Open a page in a context of its own, or in `context`; in the end nothing may have gone wrong."""
    problems: list[str] = []
    contexts: list[Any] = []

    def note_message(message: Any) -> None:
        problems.append(getattr(message, "text", str(message)))

    def note_request(request: Any) -> None:
        if not request.url.startswith(address):
            problems.append(request.url)

    def open_at(path: str, *, context: Any = None, **options: Any) -> Any:
        if context is None:
            context = chromium.new_context(base_url=address, **options)
            contexts.append(context)
        page = context.new_page()
        page.on("console", note_message)
        page.on("pageerror", note_message)
        page.on("request", note_request)
        page.goto(path)
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert [problem for problem in problems if not problem.startswith(tuple(allowed) or ("\0",))] == []
