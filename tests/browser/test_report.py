"""The report in a real browser: no request leaves it, nothing hostile runs, filters and links work, axe finds nothing."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from evaluation.report.page import write_report
from tests.evaluation.report.made_report import make_plain_report, make_report

pytestmark = pytest.mark.browser
CARDS = "#cards > .card"
TYPE_AND_COUNT = """() => {
  const work = {cards: 0, passes: 0, texts: 0};
  const times = [];
  const {filter} = Array.prototype;
  const {toLowerCase} = String.prototype;
  Array.prototype.filter = function (...given) { work.passes += this.length; return filter.apply(this, given); };
  String.prototype.toLowerCase = function () { work.texts += 1; return toLowerCase.call(this); };
  const seen = new MutationObserver(() => {});
  seen.observe(document.getElementById("cards"), {childList: true});
  const box = document.getElementById("search");
  for (const text of ["s", "st", "str", "stri", ""]) {
    const start = performance.now();
    box.value = text;
    box.dispatchEvent(new Event("input"));
    times.push(performance.now() - start);
  }
  for (const record of seen.takeRecords()) work.cards += record.addedNodes.length;
  return {...work, took: Math.min(...times), shown: document.getElementById("status").textContent};
}"""
"""Types five letters into the search, and counts what the page does for them."""


class Opened(NamedTuple):
    """A page, what it asked for, and what it complained of."""

    page: Any
    requests: list[str]
    complaints: list[str]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(make_report(), tmp_path_factory.mktemp("report")).as_uri()


@pytest.fixture(scope="module")
def plain_address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(make_plain_report(), tmp_path_factory.mktemp("plain")).as_uri()


def open_page(chromium: Any, address: str, **options: Any) -> Opened:
    page = chromium.new_page(**options)
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    if options.get("java_script_enabled", True):
        page.locator(CARDS).first.wait_for()
    return Opened(page, requests, complaints)


@pytest.fixture
def shown(chromium: Any, address: str) -> Iterator[Any]:
    opened = open_page(chromium, address)
    yield opened.page
    assert opened.complaints == []
    opened.page.close()


def outcome(page: Any, name: str) -> Any:
    return page.locator("#filters").get_by_role("button", name=name)


def test_nothing_is_requested_and_nothing_complains(chromium: Any, address: str) -> None:
    page, requests, complaints = open_page(chromium, address)
    for details in page.locator("details").all():
        details.evaluate("node => { node.open = true; }")
    assert [url for url in requests if not url.startswith("data:")] == [address]
    assert complaints == []
    assert page.title() == "sdk_assistant: evaluation report"
    assert page.locator("a[href^=javascript]").count() == 0
    page.close()


def test_filters_choose_items_and_count_them(shown: Any) -> None:
    assert shown.locator(CARDS).count() == 20
    assert shown.locator("#status").text_content() == "1 to 20 of 420 items"
    names = ("All", "Better", "Worse", "Same", "Right", "Wrong")
    counts = {name: int(outcome(shown, name).locator(".count").text_content()) for name in names}
    assert counts["Better"] + counts["Worse"] + counts["Same"] == counts["All"] == 420
    assert counts["Right"] + counts["Wrong"] == 420
    outcome(shown, "Wrong").click()
    marks = shown.locator(f"{CARDS} > .sides > .side:last-child .mark").all_text_contents()
    assert set(marks) == {"wrong"}
    shown.get_by_role("combobox", name="Task").select_option(label="sums")
    assert shown.locator(CARDS).first.locator("h3").text_content().startswith("What is")
    shown.get_by_role("combobox", name="Task").select_option(label="all tasks")
    shown.get_by_role("combobox", name="Slice").select_option(label="topic=joins")
    assert "task" in shown.locator(CARDS).first.locator("h3").text_content()
    assert all("topic=joins" in text for text in shown.locator(f"{CARDS} .foot").all_text_contents())


def test_search_finds_keys_and_says_when_nothing_fits(shown: Any) -> None:
    shown.get_by_label("Search").fill("SELECTORS.M29")
    texts = shown.locator(f"{CARDS} .foot").all_text_contents()
    assert texts
    assert all("selectors.m29" in text for text in texts)
    shown.get_by_label("Search").fill("no such thing")
    assert shown.locator("#status").text_content() == "No item fits."
    assert shown.locator(CARDS).count() == 0
    assert shown.get_by_role("button", name="Next").is_disabled()


def test_pages_turn_by_keyboard(shown: Any) -> None:
    first = shown.locator(f"{CARDS} h3").first.text_content()
    shown.get_by_role("button", name="Next").focus()
    shown.keyboard.press("Enter")
    assert shown.locator("#page").text_content() == "page 2 of 21"
    assert shown.locator(f"{CARDS} h3").first.text_content() != first
    shown.get_by_role("button", name="Back").click()
    assert shown.locator(f"{CARDS} h3").first.text_content() == first


def test_a_number_leads_to_the_items_that_it_counts(shown: Any) -> None:
    shown.get_by_text("The paired comparisons in numbers").click()
    link = shown.get_by_label("worse against champion: show these items")
    number = int(link.text_content())
    link.click()
    assert shown.locator("#against").evaluate("node => node.selectedOptions[0].text") == "champion"
    assert outcome(shown, "Worse").get_attribute("aria-pressed") == "true"
    assert int(outcome(shown, "Worse").locator(".count").text_content()) >= number, "of the main task, and of the others"
    shown.wait_for_function("document.getElementById('answers').getBoundingClientRect().top < innerHeight")


def test_differences_of_words_are_marked_in_both_answers(shown: Any) -> None:
    outcome(shown, "Better").click()
    shown.get_by_label("Compared with").select_option(label="champion")
    shown.get_by_label("Search").fill("such as joins")
    card = shown.locator(CARDS).first
    gone, added = card.locator("del").all_text_contents(), card.locator("ins").all_text_contents()
    assert added == ["joins"]
    assert gone
    assert gone != added


def test_wrong_answers_lead_to_the_nearest_training_rows(shown: Any) -> None:
    outcome(shown, "Wrong").click()
    shown.get_by_text("Nearest in the training data").first.click()
    near = shown.locator(".near").first
    assert "Which part cuts strings?" in near.text_content()
    assert "tunewright trace 'api/polars.Expr.str#routing/1'" in near.text_content()
    assert near.locator("li").count() == 2


def test_what_is_chosen_can_be_saved(shown: Any) -> None:
    shown.get_by_role("combobox", name="Slice").select_option(label="topic=joins")
    with shown.expect_download() as saved:
        shown.get_by_role("button", name="Download these").click()
    lines = [json.loads(line) for line in Path(saved.value.path()).read_text().splitlines()]
    assert lines
    assert all("topic=joins" in line["slices"] for line in lines)
    assert f"of {len(lines)} items" in shown.locator("#status").text_content()


def test_the_most_telling_answers_show_without_scripts(chromium: Any, address: str) -> None:
    page = open_page(chromium, address, java_script_enabled=False).page
    assert page.locator("#plain tbody tr:visible").count() == 20
    assert not page.locator("#viewer").is_visible()
    page.close()


def test_five_thousand_items_are_little_work(chromium: Any, tmp_path: Path) -> None:
    path = write_report(make_report(num_items=4900, num_sums=100), tmp_path)
    assert path.stat().st_size < 5_000_000
    started = time.monotonic()
    page = open_page(chromium, path.as_uri()).page
    assert page.locator("#status").text_content() == "1 to 20 of 5000 items"
    opened = time.monotonic() - started
    work = page.evaluate(TYPE_AND_COUNT)
    page.close()
    print(f"opened in {opened:.2f} s, {work['took']:.0f} ms for a letter typed")
    assert work["shown"] == "1 to 20 of 5000 items"
    assert work["cards"] == 5 * 20, "only one page of them for each letter"
    assert work["passes"] <= 5 * 10 * 5000, "items looked at: ten times each for a letter"
    assert work["texts"] <= 5000 + 5 * 10, "the text of an item is put together once, not for each letter"


@pytest.mark.parametrize(
    ("what", "scheme", "width"),
    [("full", "light", 1280), ("full", "dark", 320), ("plain", "dark", 1280), ("plain", "light", 320)],
)
def test_it_fits_and_axe_finds_nothing(
    chromium: Any, address: str, plain_address: str, what: str, scheme: str, width: int
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}, "bypass_csp": True}  # for axe-core only
    page = open_page(chromium, address if what == "full" else plain_address, **options).page
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    found = Axe().run(page).response["violations"]
    assert [(item["id"], item["nodes"][0]["html"][:120]) for item in found] == []
    page.close()
