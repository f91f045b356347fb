"""The review pages in a real browser: everything by keyboard, nothing typed is lost, nothing hostile runs."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from curation.records import ReviewItem
from curation.review.items import item_key
from curation.review.queue import ReviewQueue
from curation.review.queue.vote import VoteDetails
from tests.browser.conftest import REFUSED
from tests.browser.item_page import press_through, shown_item
from tests.browser.review_rows import ANSWER, CONFIG, fill, make_document, make_example, make_items, make_pair, make_task

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Any]
EARLIER = datetime(2026, 1, 1, tzinfo=UTC)
HOSTILE = '</textarea></pre><script>document.title="owned"</script><img src=x onerror="document.title=1"><img src="http://evil.example/x">'


def submit(page: Any, button: Any) -> None:
    """Click a button and wait for the page that it leads to."""
    with page.expect_navigation():
        button.click()


def examples(number: int) -> list[ReviewItem]:
    return make_items([make_example(each, f"{ANSWER} ({each})") for each in range(number)], [])


def test_examples_are_approved_edited_and_rejected_without_a_mouse(queue: ReviewQueue, open_page: OpenPage) -> None:
    fill(queue, examples(5))
    page = open_page("/recipes/demo")
    page.keyboard.press("n")
    page.wait_for_selector("html[data-painted] #item")
    seen = [shown_item(page)]
    press_through(page, "a")
    seen.append(shown_item(page))
    assert page.evaluate("document.activeElement.id") == "item-title"
    assert "Saved: Approved." in page.locator("#live").inner_text()
    press_through(page, "s")
    seen.append(shown_item(page))
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.type("The letters a and r are not keys here.")
    assert page.locator("#diff ins").count() > 0
    press_through(page, "Control+Enter")
    seen.append(shown_item(page))
    page.keyboard.press("r")
    page.keyboard.press("2")
    page.keyboard.press("3")
    page.wait_for_timeout(150)  # seconds are told to a tenth, and a fast machine decides in less
    press_through(page, "Enter")
    assert len(set(seen)) == 4
    found = [queue.get_item(key).human for key in seen]
    assert [vote.decision if vote else "open" for vote in found] == ["approve", "open", "edit", "reject"]
    assert found[2] is not None
    assert found[2].edited_answer == "The letters a and r are not keys here."
    assert found[3] is not None
    assert found[3].reason == "ungrounded,format"
    assert VoteDetails.from_json(found[3].details).seconds > 0


def test_the_last_verdict_is_undone_by_one_key_and_its_text_is_still_there(queue: ReviewQueue, open_page: OpenPage) -> None:
    fill(queue, examples(2))
    page = open_page("/recipes/demo/next")
    first = shown_item(page)
    page.keyboard.press("e")
    page.keyboard.type(" More.")
    press_through(page, "Control+Enter")
    press_through(page, "u")
    assert shown_item(page) == first
    assert page.locator("#edited").input_value().endswith(" More.")
    assert [verdict.decision for verdict in queue.history(first)] == ["edit", "undo"]
    page.keyboard.press("a")
    page.wait_for_url("**/recipes/demo?*")
    assert queue.history(first)[-1].decision == "approve"


def test_pairs_are_decided_by_number_tie_and_both_bad(queue: ReviewQueue, open_page: OpenPage) -> None:
    fill(queue, make_items([], [make_pair(number) for number in range(4)]))
    page = open_page("/recipes/demo/next")
    shown = []
    for keys in ((".", ".", "1"), ("2",), ("t",)):
        shown.append([page.locator(f"#answer-{number} + pre").inner_text() for number in (1, 2)])
        press_through(page, *keys)
    page.keyboard.press("b")
    page.wait_for_url("**/recipes/demo?*")
    verdicts = queue.verdicts_after(0)
    wanted = ["prefer_a" if shown[0][0] == "right" else "prefer_b", "prefer_a" if shown[1][1] == "right" else "prefer_b"]
    assert [verdict.decision for verdict in verdicts] == [*wanted, "tie", "both_bad"]
    details = [VoteDetails.from_json(verdict.details) for verdict in verdicts]
    assert [each.strength for each in details] == [2, 0, 0, 0]
    assert [each.position for each in details[:3]] == ["ab" if answers[0] == "right" else "ba" for answers in shown]
    assert page.get_by_text("All items are decided").is_visible()


def test_references_and_documents_are_judged_too(queue: ReviewQueue, open_page: OpenPage) -> None:
    fill(queue, [make_task(1), make_document(1)])
    page = open_page("/recipes/demo/next?kind=task")
    assert page.locator("#answer + pre").inner_text() == "8"
    assert "exact_number" in page.locator(".context").inner_text()
    page.keyboard.press("e")
    page.keyboard.type(".0")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/recipes/demo?*")
    page.goto("/recipes/demo/next?kind=document")
    assert page.locator(".answer .mask").all_inner_texts() == ["[PERSON_NAME]", "[EMAIL]"]
    assert "allowed" in page.locator(".context").inner_text()
    page.keyboard.press("r")
    assert "Private data" in page.locator("#reject").inner_text()
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    page.wait_for_url("**/recipes/demo?*")
    assert [(verdict.decision, verdict.edited_answer, verdict.reason) for verdict in queue.verdicts_after(0)] == [
        ("edit", "8.0", ""),
        ("reject", "", "private"),
    ]


def test_sentences_are_walked_through_and_marked(queue: ReviewQueue, open_page: OpenPage) -> None:
    fill(queue, make_items([make_example(1), make_example(2, f"{ANSWER} Really.")], []))
    page = open_page("/recipes/demo/next")
    assert page.locator(".sentence.unsupported").first.inner_text() == "Returns are free for 60 days."
    assert page.locator(".context mark").count() > 0
    press_through(page, "j", "m", "j", "j", "m", "x", "a")
    (verdict,) = queue.verdicts_after(0)
    details = VoteDetails.from_json(verdict.details)
    assert (details.unsupported, details.not_in_source) == ((0, 2), True)


def test_what_was_typed_comes_back_after_a_crash_and_can_be_discarded(queue: ReviewQueue, open_page: OpenPage) -> None:
    fill(queue, examples(2))
    page = open_page("/recipes/demo/next")
    page.keyboard.press("e")
    page.keyboard.type(" Half a sent")
    again = open_page(f"/recipes/demo/items/{shown_item(page)}", context=page.context)
    page.close()
    assert again.locator("#edited").input_value().endswith(" Half a sent")
    assert again.get_by_text("is back").is_visible()
    again.get_by_role("button", name="Discard it").click()
    assert not again.locator("#edited").input_value().endswith(" Half a sent")
    again.reload()
    assert again.get_by_text("is back").count() == 0


def test_an_unsaved_edit_is_not_lost_to_a_stray_key(queue: ReviewQueue, open_page: OpenPage) -> None:
    fill(queue, examples(2))
    page = open_page("/recipes/demo/next")
    first = shown_item(page)
    page.keyboard.press("e")
    page.keyboard.type(" more")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    assert page.get_by_text("Your edit is not saved").is_visible()
    assert queue.verdicts_after(0) == []
    press_through(page, "a")
    assert queue.history(first)[0].decision == "approve"


def test_a_rejection_without_a_reason_is_not_sent(queue: ReviewQueue, open_page: OpenPage) -> None:
    fill(queue, examples(2))
    page = open_page("/recipes/demo/next")
    page.keyboard.press("r")
    page.keyboard.press("Enter")
    assert page.get_by_text("Choose at least one reason.").is_visible()
    assert queue.verdicts_after(0) == []


def test_an_item_that_somebody_else_took_keeps_the_text(queue: ReviewQueue, open_page: OpenPage, allowed: list[str]) -> None:
    allowed.append(REFUSED)
    fill(queue, examples(2))
    page = open_page("/recipes/demo/next")
    first = shown_item(page)
    page.keyboard.press("e")
    page.keyboard.type(" Mine.")
    queue.release(queue.leases("Ada")[0])
    queue.submit(first, "approve", "Bob")
    page.keyboard.press("Control+Enter")
    page.get_by_text("What you typed (not recorded)").wait_for()
    assert page.locator("#kept-text").input_value().endswith(" Mine.")
    assert [verdict.reviewer for verdict in queue.history(first)] == ["Bob"]


def test_the_sheet_lists_the_keys_of_the_page_and_swallows_them(queue: ReviewQueue, open_page: OpenPage) -> None:
    fill(queue, examples(1))
    page = open_page("/recipes/demo/next")
    page.keyboard.press("?")
    sheet = page.locator("#help")
    assert sheet.is_visible()
    assert {"approve", "edit", "reject", "skip: put it off", "all queues"} <= set(
        sheet.locator("li span:last-child").all_inner_texts()
    )
    page.keyboard.press("a")
    page.keyboard.press("?")
    assert not sheet.is_visible()
    page.clock.install(time=EARLIER)
    page.clock.pause_at(EARLIER + timedelta(hours=1))  # the second key of two counts for a second and a half, by this clock
    page.keyboard.press("g")
    page.keyboard.press("q")
    page.wait_for_url("**/")
    assert queue.verdicts_after(0) == []


def test_the_colours_can_be_chosen_and_stay(queue: ReviewQueue, open_page: OpenPage) -> None:
    fill(queue, examples(1))
    page = open_page("/recipes/demo", color_scheme="light")
    page.get_by_role("button", name="Dark").click()
    page.wait_for_selector("html[data-theme=dark]")
    page.wait_for_url("**/recipes/demo")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 19, 24)"
    page.get_by_role("button", name="System").click()
    page.wait_for_selector("html:not([data-theme])")
    page.wait_for_url("**/recipes/demo")


def test_on_a_narrow_screen_the_current_page_is_in_sight_and_nothing_covers_the_edit(
    queue: ReviewQueue, open_page: OpenPage
) -> None:
    fill(queue, examples(1))
    page = open_page("/recipes/demo/settings", viewport={"width": 320, "height": 700})
    shown = page.locator(".sections [aria-current]").bounding_box()
    assert 0 <= shown["x"] <= 320 - shown["width"]
    page.goto("/recipes/demo")
    submit(page, page.get_by_role("link", name="Review the next item"))
    page.keyboard.press("e")
    note = page.locator("#edit .muted").bounding_box()
    marks = page.locator("#marks").bounding_box()
    assert marks["y"] >= note["y"] + note["height"]


def test_hostile_text_does_not_run_or_call_home(queue: ReviewQueue, open_page: OpenPage) -> None:
    row = make_example(1, HOSTILE)
    fill(queue, make_items([row], []))
    page = open_page(f"/recipes/demo/items/{item_key(row, CONFIG)}")
    page.keyboard.press("e")
    page.keyboard.type(HOSTILE)
    assert page.title() == "Example in demo - Tunewright"
    assert HOSTILE in page.locator(".answer pre").first.inner_text()
    assert page.locator("#edited").input_value() == HOSTILE + HOSTILE
    assert page.locator("main img").count() == 0


def test_everything_works_without_script(queue: ReviewQueue, open_page: OpenPage) -> None:
    fill(queue, make_items([make_example(number) for number in range(1)], [make_pair(1)], [make_task(1)]))
    page = open_page("/recipes/demo/next?kind=example", java_script_enabled=False)
    page.locator("#reject > summary").click()
    page.get_by_label("The answer is wrong").check()
    page.get_by_label("The format is not").check()
    submit(page, page.locator("#reject button"))
    submit(page, page.get_by_role("button", name="Undo"))
    assert page.get_by_text("The item is open again").is_visible()
    submit(page, page.get_by_role("button", name="Approve"))
    page.goto("/recipes/demo/next?kind=pair")
    page.get_by_label("clearly").check()
    submit(page, page.get_by_role("button", name="Prefer 1"))
    page.goto("/recipes/demo/next?kind=task")
    page.locator("#edit > summary").click()
    page.locator("#edited").fill("nine")
    submit(page, page.get_by_role("button", name="Save the edit"))
    decisions = [verdict.decision for verdict in queue.verdicts_after(0)]
    assert decisions[:3] == ["reject", "undo", "approve"]
    assert decisions[3] in ("prefer_a", "prefer_b")
    assert queue.verdicts_after(4)[0].edited_answer == "nine"
