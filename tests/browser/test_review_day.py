"""A whole day at the review pages: log in, thirty items by keyboard, an edit, an undo, no network, two tabs, a dispute."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import argon2
import pytest

from curation.database import Database
from curation.review.accounts.accounts import Accounts
from curation.review.accounts.identity import AccountsIdentity
from curation.review.accounts.tables import MIGRATIONS
from curation.review.config import ReviewConfig
from curation.review.queue import ReviewQueue
from curation.review.web import accounts_routes
from curation.review.web.app import create_app
from tests.browser.conftest import REFUSED
from tests.browser.item_page import press_through, shown_item
from tests.browser.review_rows import fill, make_rows

pytestmark = [pytest.mark.browser, pytest.mark.slow]
OpenPage = Callable[..., Any]
PASSWORD = "correct horse battery"
OFFLINE_MS = 30_000
KEPT = "Object.keys(localStorage).filter(key => key.startsWith('tunewright.outbox ')).length"


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Accounts]:
    database = Database.open(tmp_path / "accounts.db", concern="accounts", migrations=MIGRATIONS)
    opened = Accounts(database, hasher=argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    opened.accept(opened.first_link() or "", "Ada", PASSWORD)
    for name in ("Bob", "Eve"):
        opened.accept(opened.invite("reviewer", by="Ada"), name, PASSWORD)
    yield opened
    database.close()


@pytest.fixture
def app(queue: ReviewQueue, accounts: Accounts) -> Any:
    built = create_app({"demo": queue}, AccountsIdentity(accounts))
    if not any(getattr(route, "path", "") == "/login" for route in built.routes):
        accounts_routes.add_routes(built, built.state.site, accounts)
    return built


def log_in(page: Any, name: str) -> None:
    page.wait_for_function("() => document.activeElement.id === 'name'")
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/recipes/demo**")


def decide(page: Any, number: int) -> None:
    """Decide the item that is shown with the keys of its kind, now one way, now another."""
    if page.locator("#answer-1").count():
        press_through(page, *("1", "2", "t", "b")[number % 4])
    elif number % 5 == 3:
        press_through(page, "r", "1", "Enter")
    elif number % 5 == 4 and page.locator("#edited").count():
        page.keyboard.press("e")
        page.keyboard.type(f" Edited as number {number}.")
        press_through(page, "Control+Enter")
    else:
        press_through(page, "a")


def test_a_day(queue: ReviewQueue, open_page: OpenPage, allowed: list[str]) -> None:
    allowed.append(REFUSED)
    fill(queue, make_rows(12))
    page = open_page("/recipes/demo")
    log_in(page, "Ada")
    page.keyboard.press("n")
    page.wait_for_selector("html[data-painted] #item")
    for number in range(30):
        decide(page, number)
    assert len(queue.verdicts_after(0)) == 30
    assert {verdict.reviewer for verdict in queue.verdicts_after(0)} == {"Ada"}

    last = queue.verdicts_after(29)[0]
    assert press_through(page, "u") == last.key
    assert queue.verdicts_after(30)[0].decision == "undo"
    decide(page, 0)

    work_without_network(page, queue)
    work_in_two_tabs(page, queue, open_page)


def work_without_network(page: Any, queue: ReviewQueue) -> None:
    num_before = len(queue.verdicts_after(0))
    item, before = shown_item(page), page.evaluate("document.documentElement.dataset.painted")
    page.context.set_offline(True)
    page.keyboard.press("1" if page.locator("#answer-1").count() else "a")
    page.get_by_text("You are offline").wait_for()
    page.wait_for_timeout(OFFLINE_MS)
    assert shown_item(page) == item
    assert len(queue.verdicts_after(0)) == num_before
    page.context.set_offline(False)
    page.wait_for_function("before => document.documentElement.dataset.painted !== before", arg=before)
    assert page.get_by_text("You are offline").count() == 0
    assert [verdict.key for verdict in queue.verdicts_after(num_before)] == [item]
    assert page.evaluate(KEPT) == 0


def work_in_two_tabs(page: Any, queue: ReviewQueue, open_page: OpenPage) -> None:
    item = shown_item(page)
    num_before = len(queue.history(item))
    other = open_page(f"/recipes/demo/items/{item}", context=page.context)
    page.get_by_text("You have opened this item in another tab").wait_for()
    other.keyboard.press("1" if other.locator("#answer-1").count() else "a")
    other.wait_for_url(f"**done={item}**")
    page.keyboard.press("1" if page.locator("#answer-1").count() else "a")
    page.locator(".notice.problem, .banner.bad").first.wait_for()
    assert len(queue.history(item)) == num_before + 1
    other.close()


def test_what_was_decided_without_network_survives_a_crash_of_the_browser(
    queue: ReviewQueue, open_page: OpenPage, allowed: list[str]
) -> None:
    allowed.append(REFUSED)
    fill(queue, make_rows(2))
    page = open_page("/recipes/demo/next?kind=example")
    log_in(page, "Ada")
    item = shown_item(page)
    page.context.set_offline(True)
    page.keyboard.press("a")
    page.get_by_text("You are offline").wait_for()
    context = page.context
    page.close()
    context.set_offline(False)
    again = open_page("/recipes/demo", context=context)
    again.get_by_text("What you decided while you were offline is recorded").first.wait_for()
    assert [verdict.decision for verdict in queue.history(item)] == ["approve"]
    again.reload()
    again.wait_for_timeout(500)
    assert len(queue.verdicts_after(0)) == 1


def test_two_tabs_without_network_keep_what_each_decided(queue: ReviewQueue, open_page: OpenPage, allowed: list[str]) -> None:
    """As if both had read at once what waits in the browser: none writes over what the other has kept since."""
    allowed.append(REFUSED)
    fill(queue, make_rows(3))
    one = open_page("/recipes/demo/next?kind=example")
    log_in(one, "Ada")
    context, items = one.context, [shown_item(one)]
    other = open_page("/recipes/demo/next?kind=example", context=context)
    if shown_item(other) == items[0]:
        other.keyboard.press("n")
        other.wait_for_function("item => document.getElementById('item')?.dataset.item !== item", arg=items[0])
    items.append(shown_item(other))
    other.evaluate("Storage.prototype.getItem = () => null")
    context.set_offline(True)
    for page in (one, other):
        page.keyboard.press("a")
        page.get_by_text("You are offline").wait_for()
    assert one.evaluate(KEPT) == 2
    one.close()
    other.close()
    context.set_offline(False)
    again = open_page("/recipes/demo", context=context)
    again.wait_for_function(f"() => {KEPT} === 0")
    assert [[verdict.decision for verdict in queue.history(item)] for item in items] == [["approve"], ["approve"]]


def test_an_edit_outlives_its_session(queue: ReviewQueue, open_page: OpenPage, accounts: Accounts, allowed: list[str]) -> None:
    allowed.append(REFUSED)
    fill(queue, make_rows(2))
    page = open_page("/recipes/demo/next?kind=example")
    log_in(page, "Bob")
    item = shown_item(page)
    page.keyboard.press("e")
    page.keyboard.type(" A long thought.")
    cookies = page.context.cookies()
    page.context.clear_cookies()
    page.keyboard.press("Control+Enter")
    page.get_by_text("You are logged out").wait_for()
    assert page.locator("#edited").input_value().endswith(" A long thought.")
    page.context.add_cookies(cookies)
    page.get_by_role("button", name="Send it again").click()
    page.wait_for_url(f"**done={item}**")
    assert queue.history(item)[0].edited_answer.endswith(" A long thought.")


def test_two_reviewers_differ_and_an_adjudicator_settles_it(queue: ReviewQueue, open_page: OpenPage) -> None:
    fill(queue, make_rows(1), ReviewConfig(overlap=2))
    said = {}
    for name, keys in (("Bob", ("a",)), ("Eve", ("r", "2", "Enter"))):
        page = open_page("/recipes/demo/next?kind=example")
        log_in(page, name)
        said[name] = shown_item(page)
        assert page.get_by_text("by Bob").count() == 0
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_url("**done=**")
    assert said["Bob"] == said["Eve"]
    assert queue.get_item(said["Bob"]).state == "disputed"
    page = open_page("/recipes/demo")
    log_in(page, "Ada")
    page.keyboard.press("d")
    page.wait_for_selector("html[data-painted] #item")
    assert page.get_by_text("by Bob").is_visible()
    assert page.get_by_text("The source does not support it").first.is_visible()
    page.keyboard.press("a")
    page.wait_for_url("**done=**")
    settled = queue.resolution(said["Bob"])
    assert settled.state == "decided"
    assert settled.adjudication is not None
    assert (settled.adjudication.reviewer, settled.adjudication.decision) == ("Ada", "approve")
