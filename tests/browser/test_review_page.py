"""The review pages in a real browser: everything by keyboard, nothing from outside, nothing hostile runs."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from curation.database import Database
from curation.records import Example, Message, PreferencePair, Provenance
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.items import build_items, item_key
from curation.review.queue import ReviewQueue
from curation.review.web.app import create_app

pytestmark = pytest.mark.browser
ARGUMENTS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
CONFIG = ReviewConfig()
HOSTILE = '</textarea></pre><script>document.title="owned"</script><img src=x onerror="document.title=1"><img src="http://evil.example/x">'
PROVENANCE = Provenance(origin="synthetic", method="routing", teacher="extractive", generation_depth=1)


def make_example(number: int, answer: str = '{"part":"strings"}') -> Example:
    messages = (Message(role="user", content=f"Question {number}?"), Message(role="assistant", content=answer))
    return Example(key=f"row{number}", task="routing", group="g", messages=messages, provenance=PROVENANCE)


def make_pair(number: int) -> PreferencePair:
    prompt = (Message(role="user", content=f"Pair {number}?"),)
    return PreferencePair(
        key=f"pair{number}",
        task="routing",
        prompt=prompt,
        chosen="right",
        rejected="wrong",
        rejected_kind="wrong_route",
        group="g",
        provenance=PROVENANCE,
    )


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[ReviewQueue]:
    opened = ReviewQueue(Database.open(tmp_path / "review.db", concern="review", migrations=schema.MIGRATIONS), "demo")
    yield opened
    opened.close()


@pytest.fixture
def address(queue: ReviewQueue) -> Iterator[str]:
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(create_app({"demo": queue}), host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def open_page(address: str) -> Iterator[Callable[..., Any]]:
    """Open a page; in the end nothing may have been logged, thrown, or asked of another host."""
    from playwright.sync_api import sync_playwright

    problems: list[str] = []

    def note_message(message: Any) -> None:
        problems.append(getattr(message, "text", str(message)))

    def note_request(request: Any) -> None:
        if not request.url.startswith(address):
            problems.append(request.url)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)

        def open_at(path: str, *, name: str = "Ada", **options: Any) -> Any:
            context = browser.new_context(base_url=address, **options)
            if name:
                context.add_cookies([{"name": "reviewer", "value": name, "url": address}])
            page = context.new_page()
            page.on("console", note_message)
            page.on("pageerror", note_message)
            page.on("request", note_request)
            page.goto(path)
            return page

        yield open_at
        browser.close()
    assert problems == []


def fill(queue: ReviewQueue, examples: list[Example], pairs: list[PreferencePair]) -> None:
    queue.sync_items(build_items(examples, pairs, lambda _: "", CONFIG), CONFIG)


def press(page: Any, key: str) -> None:
    with page.expect_navigation():
        page.keyboard.press(key)


def test_examples_are_approved_edited_and_rejected_without_a_mouse(queue: ReviewQueue, open_page: Callable[..., Any]) -> None:
    fill(queue, [make_example(number) for number in range(4)], [])
    page = open_page("/recipes/demo", name="")
    page.keyboard.press("Enter")
    page.wait_for_url("**/reviewer?*")
    page.keyboard.type("Ada Lovelace")
    press(page, "Enter")
    order = [entry.item.key for entry in queue.list_items()]
    assert page.url.endswith(order[0])
    press(page, "a")
    press(page, "n")
    assert page.url.endswith(order[2])
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.type('{"part":"dates are not a and r"}')
    press(page, "Control+Enter")
    page.keyboard.press("r")
    page.keyboard.press("ArrowDown")
    press(page, "Enter")
    press(page, "u")
    assert page.url.endswith(order[3])
    found = {key: queue.get_item(key).human for key in order}
    assert [found[key].decision if found[key] else "open" for key in order] == ["approve", "open", "edit", "reject"]  # type: ignore[union-attr]
    assert found[order[2]].edited_answer == '{"part":"dates are not a and r"}'  # type: ignore[union-attr]
    assert found[order[3]].reason == "ungrounded"  # type: ignore[union-attr]
    assert {verdict.reviewer for verdict in queue.verdicts_after(0)} == {"Ada Lovelace"}


def test_pairs_are_decided_by_number_tie_and_both_bad(queue: ReviewQueue, open_page: Callable[..., Any]) -> None:
    fill(queue, [], [make_pair(number) for number in range(4)])
    page = open_page("/recipes/demo/next")
    shown = []
    for key in ("1", "2", "t", "b"):
        shown.append((page.locator("#answer-1 + pre").inner_text(), page.locator("#answer-2 + pre").inner_text()))
        page.keyboard.press(key) if len(shown) == 4 else press(page, key)
    page.wait_for_url("**/recipes/demo?*")
    decisions = [verdict.decision for verdict in queue.verdicts_after(0)]
    wanted = ["prefer_a" if shown[0][0] == "right" else "prefer_b", "prefer_a" if shown[1][1] == "right" else "prefer_b"]
    assert decisions == [*wanted, "tie", "both_bad"]
    assert page.get_by_text("All items are decided").is_visible()


def test_an_unsaved_edit_is_not_lost_to_a_stray_key(queue: ReviewQueue, open_page: Callable[..., Any]) -> None:
    fill(queue, [make_example(1), make_example(2)], [])
    page = open_page("/recipes/demo/next")
    asked: list[str] = []

    def dismiss(dialog: Any) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.keyboard.press("e")
    page.keyboard.type(" more")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    page.wait_for_timeout(100)
    assert len(asked) == 1
    assert page.locator("#edited").input_value().endswith(" more")
    assert queue.verdicts_after(0) == []


def test_the_help_opens_and_closes_and_swallows_the_other_keys(queue: ReviewQueue, open_page: Callable[..., Any]) -> None:
    fill(queue, [make_example(1)], [])
    page = open_page("/recipes/demo/next")
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("a")
    page.keyboard.press("?")
    assert not page.locator("#help").is_visible()
    assert queue.verdicts_after(0) == []


def test_hostile_text_does_not_run_or_call_home(queue: ReviewQueue, open_page: Callable[..., Any]) -> None:
    row = make_example(1, HOSTILE)
    fill(queue, [row], [])
    page = open_page(f"/recipes/demo/items/{item_key(row, CONFIG)}")
    assert page.title() == "Example in demo - Tunewright"
    assert HOSTILE in page.locator(".answer pre").first.inner_text()
    assert page.locator("#edited").input_value() == HOSTILE
    assert page.locator("main img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_fits_a_small_phone_and_works_without_script(
    queue: ReviewQueue, open_page: Callable[..., Any], scheme: str
) -> None:
    fill(queue, [make_example(1, '{"part":"' + "x" * 300 + '"}')], [make_pair(1)])
    options = {"viewport": {"width": 320, "height": 640}, "java_script_enabled": False, "color_scheme": scheme}
    page = open_page("/recipes/demo", **options)
    paths = [
        "/",
        "/recipes/demo?status=all",
        "/reviewer",
        *(f"/recipes/demo/items/{entry.item.key}" for entry in queue.list_items()),
    ]
    for path in paths:
        page.goto(path)
        widths = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert widths[0] <= widths[1], path
    page.goto(next(f"/recipes/demo/items/{entry.item.key}" for entry in queue.list_items(kind="example")))
    page.locator("#reject summary").click()
    page.get_by_label("The answer is wrong").check()
    page.locator("#reject button").click()
    assert [verdict.decision for verdict in queue.verdicts_after(0)] == ["reject"]
