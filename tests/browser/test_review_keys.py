"""The sheet behind `?` and the keys say the same on every page; what an item cost is one key away."""

import string
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from curation.chat_model import ChatReply, ChatRequest, ReplayChatModel, request_id
from curation.home import Home
from curation.records import Message, ReviewItem
from curation.review.accounts.person import Person
from curation.review.queue import ReviewQueue
from curation.review.web.app import create_app
from curation.review.web.site import OnePerson
from curation.synthesis.ledger.call_costs import LedgerCosts
from curation.synthesis.ledger.request_ledger import open_ledger
from tests.browser.item_page import press_through, shown_item
from tests.browser.review_rows import fill, make_rows

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Any]
HOSTILE = "\"><img src=x onerror='document.title=1'>"
MODEL = ReplayChatModel([], provider="p", endpoint="e", model="m", revision="r")

WATCH = """() => {
  window.did = [];
  const stop = (event) => { window.did.push(event.type); event.preventDefault(); event.stopPropagation(); };
  document.addEventListener("click", stop, true);
  document.addEventListener("submit", stop, true);
  document.addEventListener("change", () => window.did.push("change"), true);
  document.addEventListener("focusin", () => window.did.push("focus"), true);
  document.addEventListener("toggle", () => window.did.push("toggle"), true);
  new MutationObserver(() => window.did.push("change")).observe(
    document.querySelector("main"), { attributes: true, subtree: true, attributeFilter: ["class", "open"] });
}"""
"""Notes what a key does, and keeps the page where it is."""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(path=tmp_path, store_url=str(tmp_path / "store"), database_url="", review_url="http://127.0.0.1:3001")


@pytest.fixture
def app(queue: ReviewQueue, home: Home) -> FastAPI:
    return create_app({"demo": queue}, OnePerson(Person(name="Ada", role="lead")), costs=LedgerCosts(home))


def sheet(page: Any) -> list[str]:
    """Open the sheet, read its keys, close it."""
    page.keyboard.press("?")
    page.wait_for_selector("#help[open]")
    rows = page.locator("#help .keys li").evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('kbd')].map(key => key.textContent).join(' '))"
    )
    page.keyboard.press("Escape")
    page.wait_for_selector("#help:not([open])", state="attached")
    return list(rows)


def does(page: Any, *keys: str) -> list[str]:
    """Press keys one after the other, with all panels closed and no field in use; return what the last one did."""
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    for key in keys:
        page.evaluate("new Promise(done => setTimeout(() => { window.did = []; done(); }, 10))")
        page.keyboard.press(key)
    return list(page.evaluate("new Promise(done => setTimeout(() => done(window.did), 10))"))


def paths(items: list[ReviewItem]) -> list[str]:
    kinds = {item.kind: item.key for item in reversed(items)}
    root = "/recipes/demo"
    pages = ["/", root, *(f"{root}/items/{key}" for key in kinds.values())]
    return pages + [f"{root}/{name}" for name in ("items", "search", "progress", "lots", "agreement", "audit", "settings")]


def test_the_sheet_lists_what_the_keys_do_and_nothing_else_does_anything(queue: ReviewQueue, open_page: OpenPage) -> None:
    items = fill(queue, make_rows(2))
    decided = next(item for item in reversed(items) if item.kind == "example")
    queue.submit(decided.key, "approve", "Bob")
    num_keys = 0
    page = open_page("/")
    for path in [*paths(items), f"/recipes/demo/items/{decided.key}"]:
        page.goto(path)
        listed = sheet(page)
        assert len(listed) == len(set(listed)), path
        single = {keys for keys in listed if len(keys) == 1} - {"?"}
        page.evaluate(WATCH)
        first = {"m": ["j"], "x": ["j"]}  # of the sentence, or the item, that `j` went to
        silent = {key for key in sorted(single) if not does(page, *first.get(key, []), key)}
        assert silent == set(), f"{path}: listed, and does nothing"
        others = set(string.ascii_lowercase + string.digits) - single - {keys[0] for keys in listed if " " in keys}
        does(page, "Escape")
        for key in sorted(others):
            page.keyboard.press(key)
        assert page.evaluate("window.did") == [], f"{path}: one of {sorted(others)} is not listed, and does something"
        num_keys += len(single)
    assert num_keys > 60


def test_n_is_the_next_item_wherever_there_is_one(queue: ReviewQueue, open_page: OpenPage) -> None:
    items = fill(queue, [item for item in make_rows(3) if item.kind == "example"])
    page = open_page("/recipes/demo")
    page.keyboard.press("n")
    page.wait_for_selector("html[data-painted] #item")  # by now its keys work
    seen = [shown_item(page), press_through(page, "n"), press_through(page, "n")]
    assert set(seen) == {item.key for item in items}
    assert queue.verdicts_after(0) == []
    queue.submit(seen[0], "approve", "Bob")
    page.goto(f"/recipes/demo/items/{seen[0]}")
    page.keyboard.press("n")
    page.wait_for_function("key => document.querySelector('#item')?.dataset.item !== key", arg=seen[0])


def pay(home: Home, cost: float) -> str:
    asked = ChatRequest(messages=(Message(role="user", content="q"),))
    key = request_id(MODEL, asked)
    with open_ledger(home, recipe="demo") as ledger:
        ledger.put(key, MODEL, asked, ChatReply(text="t", prompt_tokens=1000, completion_tokens=234, cost_usd=cost))
    return key


def with_calls(item: ReviewItem, *ids: str) -> ReviewItem:
    provenance = replace(item.provenance, request_ids=ids, teacher=HOSTILE, template_id=HOSTILE, parents=(HOSTILE,))
    return replace(item, provenance=provenance)


def test_teacher_template_cost_and_lineage_are_one_key_away(queue: ReviewQueue, open_page: OpenPage, home: Home) -> None:
    item = next(item for item in make_rows(1) if item.kind == "example")
    fill(queue, [with_calls(item, pay(home, 0.0213), HOSTILE)])
    page = open_page(f"/recipes/demo/items/{item.key}")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_selector("html[data-painted]")
    assert not [url for url in asked if url.endswith("/cost")]
    page.keyboard.press("i")
    page.wait_for_function("() => document.getElementById('cost').textContent.includes('$')")
    panel = page.locator("#provenance").inner_text()
    assert "at least $0.0213 in 2 calls, 1,234 tokens; 1 not in the ledger" in panel
    for name in ("Teacher", "Template", "Rests on", "Made from", "shop/returns"):
        assert name in panel
    assert panel.count(HOSTILE) == 4
    page.keyboard.press("i")
    page.keyboard.press("i")
    page.wait_for_timeout(200)
    assert len([url for url in asked if url.endswith("/cost")]) == 1
    assert page.title() != "1"


def test_a_ledger_that_is_not_there_is_said_to_be_unknown(queue: ReviewQueue, open_page: OpenPage, home: Home) -> None:
    item = next(item for item in make_rows(1) if item.kind == "example")
    fill(queue, [with_calls(item, "0" * 32)])
    page = open_page(f"/recipes/demo/items/{item.key}")
    page.keyboard.press("i")
    page.wait_for_function("() => document.getElementById('cost').textContent.includes('unknown')")
    assert not (home.path / "ledger.db").exists()


def test_without_scripts_the_cost_is_a_link(queue: ReviewQueue, open_page: OpenPage, home: Home) -> None:
    item = next(item for item in make_rows(1) if item.kind == "example")
    fill(queue, [with_calls(item, pay(home, 2.5))])
    page = open_page(f"/recipes/demo/items/{item.key}", java_script_enabled=False)
    page.locator("#provenance > summary").click()
    with page.expect_navigation():
        page.get_by_role("link", name="Look it up").click()
    assert "$2.50 in 1 call" in page.locator("#cost").inner_text()


@pytest.mark.parametrize(("shortcuts", "moves"), [("", True), ("off", False)])
def test_keys_that_are_switched_off_are_off_in_lists_too(
    queue: ReviewQueue, open_page: OpenPage, chromium: Any, address: str, shortcuts: str, moves: bool
) -> None:
    fill(queue, make_rows(1))
    context = chromium.new_context(base_url=address)
    if shortcuts:
        context.add_cookies([{"name": "shortcuts", "value": shortcuts, "url": address}])
    page = open_page("/recipes/demo/search", context=context)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.matches('.item-row')") is moves
    context.close()
