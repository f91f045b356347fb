"""Hostile text in every field of every review page, in Chromium: nothing runs, and nothing is asked of another host.

Every payload stands in a message of a prompt, an answer, an alternative, a passage and the details of some item; votes carry
payloads in their reasons, edits and names; the recipe and the person are named by one. The pages are those of the app's routes.
"""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI

from curation.database import Database
from curation.errors import TunewrightError
from curation.ids import content_hash
from curation.records import JudgeVote, Message, Provenance, ReviewItem, SourceSpan
from curation.review import schema
from curation.review.accounts.person import Person
from curation.review.config import ReviewConfig
from curation.review.queue import ReviewQueue
from curation.review.queue.vote import Vote
from curation.review.web import raw_routes
from curation.review.web.app import create_app
from curation.review.web.site import OnePerson
from tests.browser.conftest import WAIT
from tests.curation.review.payloads import LEAKS, PAYLOADS, WATCH

pytestmark = pytest.mark.browser
RECIPE = "\"><img src=x onerror=window.__pwned=1><b x='"
PERSON = "\"'><svg onload=window.__pwned=1>\u202e{{7*7}}"
OTHER = "</title></textarea><script>window.__pwned=1</script>"
ON_A_PAGE = 60
SETTLED = "() => !document.querySelector('main').inert && !document.querySelector('#cost[data-asked] a')"
"""Condition of an item's page: no form is on its way, and neither is a cost."""
ITEM_KINDS = ("example", "pair", "task", "document")


def is_storable(text: str) -> bool:
    return "\0" not in text and not re.search("[\ud800-\udfff]", text)


def make_item(number: int, texts: Sequence[str]) -> ReviewItem:
    """Return an item with these payloads in every field: one in each of many places, else one after another.

    Its columns in the database (`record_key`, `task`) hold only what the database can.
    """
    every = "\n".join(texts)
    column = "\n".join(filter(is_storable, texts))
    one = texts[number % len(texts)]
    provenance = Provenance(
        origin="synthetic",
        method=every,
        spans=tuple(SourceSpan(document_key=text, document_hash=one, start=0, end=4) for text in texts),
        request_ids=tuple(texts),
        template_id=every,
        template_hash=one,
        teacher=every,
        teacher_revision=one,
        sampling=every,
        generation_depth=2,
        parents=tuple(texts),
        license=every,
        output_terms=every,
        votes=tuple(JudgeVote(judge=text, score=0.5, reason=text) for text in texts[:5]),
        created_at=one,
        terms_verdict=one,
    )
    return ReviewItem(
        key=content_hash([number, list(texts)]),
        kind=ITEM_KINDS[number % len(ITEM_KINDS)],  # type: ignore[arg-type]
        prompt=tuple(Message(role=("user", "assistant", "system")[at % 3], content=text) for at, text in enumerate(texts)),
        answer=every,
        alternative="\n\n".join(reversed(texts)) if number % 4 else "",
        rubric_version=one,
        record_key=column,
        record_hash=one,
        evidence=tuple(texts),
        task=column,
        provenance=provenance,
    )


def vote(queue: ReviewQueue, items: Sequence[ReviewItem]) -> int:
    """Let two people decide every second item, with payloads in all that they write; return how many votes were taken."""
    taken = 0
    for number, item in enumerate(items[::2]):
        texts = [text for text in PAYLOADS[number * 20 : number * 20 + 20] if is_storable(text)]
        reason, edit = "ungrounded: " + "\n".join(texts)[:3_000], "\n".join(reversed(texts))
        mine = {"decision": "prefer_a"} if item.kind == "pair" else {"decision": "edit", "edited_answer": edit}
        theirs = {"decision": "both_bad" if item.kind == "pair" else "reject"}
        for who, what in ((PERSON, mine), (OTHER, theirs)):
            with suppress(TunewrightError):
                queue.record([Vote(item_key=item.key, reviewer=who, reason=reason, **what)])  # type: ignore[arg-type]
                taken += 1
    return taken


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[ReviewQueue]:
    opened = ReviewQueue(Database.open(tmp_path / "review.db", concern="review", migrations=schema.MIGRATIONS), RECIPE)
    yield opened
    opened.close()


@pytest.fixture
def app(queue: ReviewQueue) -> FastAPI:
    made = create_app({RECIPE: queue}, OnePerson(Person(name=PERSON, role="lead")))
    if not any(path.endswith("/raw/{field}") for path in list_paths(made)):
        raw_routes.add_routes(made, made.state.site)
    return made


class Watched:
    """A page of Chromium, and what went wrong in it."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.problems: list[str] = []
        self.opened = 0
        page.add_init_script(WATCH)
        page.on("pageerror", lambda error: self.problems.append(f"error {error}"))
        page.on("dialog", self._dismiss)
        page.on("popup", lambda popup: self.problems.append(f"popup {popup.url}"))
        page.on("console", self._note)
        page.on(
            "response", lambda answer: self.problems.append(f"{answer.status} {answer.url}") if answer.status > 499 else None
        )
        page.on("request", lambda request: self.problems.append(request.url) if not request.url.startswith(address) else None)

    def _dismiss(self, dialog: Any) -> None:
        if dialog.type != "beforeunload":
            self.problems.append(f"dialog {dialog.message}")
        dialog.accept()

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning") and "status of 4" not in message.text:
            self.problems.append(f"console {message.text}")

    def _note_answer(self, answer: Any) -> None:
        if answer.status >= 500:
            self.problems.append(f"{answer.status} {answer.url}")

    def open(self, path: str) -> int:
        """Open a page, look for leaks, and return its status."""
        answer = self.page.goto(path)
        self.opened += 1
        self.check(path)
        return int(answer.status)

    def check(self, path: str) -> None:
        """Note what ran or stands in the page that is open."""
        self.problems += [f"{found} at {path}" for found in self.page.evaluate(LEAKS)]

    def press(self, key: str) -> None:
        """Press a key, and wait until all that it asked of the server has come and stands in the page."""
        self.page.keyboard.press(key)
        self.page.wait_for_function(SETTLED)
        self.page.wait_for_timeout(120)  # for a payload to run in
        self.check(f"{self.page.url} after {key}")


@pytest.fixture
def watched(chromium: Any, address: str) -> Iterator[Watched]:
    context = chromium.new_context(base_url=address)
    watch = Watched(context.new_page(), address)
    yield watch
    context.close()
    assert watch.problems == []


def list_paths(app: FastAPI) -> list[str]:
    found = [route.path for route in app.routes if "GET" in (getattr(route, "methods", None) or ())]  # type: ignore[attr-defined]
    return [path for path in found if not path.startswith("/api/")]  # JSON, and a file to download


def fill_path(path: str, item: str) -> str | None:
    """Return a path of the app with values for its parameters, or None if it asks for something else."""
    values = {"recipe": quote(RECIPE, safe=""), "item": item, "key": item, "item_key": item, "field": "answer"}
    try:
        return path.replace(":path", "").format_map(values)
    except KeyError:
        return None


def test_no_payload_runs_or_calls_home_on_any_page(queue: ReviewQueue, app: FastAPI, watched: Watched) -> None:
    config = ReviewConfig(policy="all", overlap=2, rubric="\n".join(filter(is_storable, PAYLOADS))[:19_000])
    groups = [PAYLOADS[start : start + ON_A_PAGE] for start in range(0, len(PAYLOADS), ON_A_PAGE)]
    items = [make_item(number, texts) for number, texts in enumerate(groups)]
    queue.sync_items(items, config)
    assert vote(queue, items) >= len(items) // 2

    base = f"/recipes/{quote(RECIPE, safe='')}"
    for item in items:
        assert watched.open(f"{base}/items/{item.key}") == 200
    for path in filter(None, (fill_path(path, items[0].key) for path in list_paths(app))):
        assert watched.open(path) < 500, path
    for payload in PAYLOADS[:: len(PAYLOADS) // 6]:
        odd = quote(payload.encode("utf-8", "replace"), safe="")
        for path in (f"/{odd}", f"/recipes/{odd}", f"{base}?status=all&done={odd}", f"{base}/items/{items[0].key}?kind={odd}"):
            assert watched.open(path) < 500, path
    for query in ("?status=all", "?status=decided", "?status=all&page=2", f"?status=all&done={items[0].key}"):
        assert watched.open(base + query) < 500
    print(f"{watched.opened} pages, {len(PAYLOADS)} payloads, {len(watched.problems)} problems")


def test_nothing_runs_when_the_script_of_the_page_works_with_payloads(queue: ReviewQueue, watched: Watched) -> None:
    groups = [PAYLOADS[start : start + ON_A_PAGE] for start in range(0, len(PAYLOADS), ON_A_PAGE)]
    items = [make_item(number, texts) for number, texts in enumerate(groups)]
    queue.sync_items(items, ReviewConfig(policy="all", rubric=PAYLOADS[0]))
    watched.open(f"/recipes/{quote(RECIPE, safe='')}/next")
    for key in ("?", "Escape", "i", "h", "a", "1", "n", "a", "t", "e", "Escape", "b", "n", "a", "u"):
        watched.press(key)
    assert watched.page.url.count("/items/") == 1
    assert [verdict.decision for verdict in queue.verdicts_after(0)] == ["approve", "tie", "approve", "undo"]


@pytest.mark.parametrize("size", [1_000_000, 10_000_000])
def test_an_item_with_huge_fields_can_be_read(queue: ReviewQueue, watched: Watched, size: int) -> None:
    text = ("<b>word</b> \u202e " * (size // 14 + 1))[:size]
    texts = [text, text[::-1]] if size < 5_000_000 else [text]
    item = make_item(0, ["x"])
    item = replace(make_item(0, ["x"]), answer=text, evidence=tuple(texts))
    queue.sync_items([item], ReviewConfig(policy="all"))
    base = f"/recipes/{quote(RECIPE, safe='')}"
    start = time.perf_counter()
    assert watched.open(f"{base}/items/{item.key}") == 200
    seconds = time.perf_counter() - start
    print(f"{size:,} characters: {seconds:.2f} s, {len(watched.page.content()):,} characters of page")
    raw = watched.page.request.get(raw_routes.raw_path(RECIPE, item.key, "answer"), timeout=WAIT)
    assert raw.text() == text
    assert raw.headers["content-type"] == "text/plain; charset=utf-8"
