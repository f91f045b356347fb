"""The pages about lots."""

import re
from collections.abc import Callable, Iterator
from xml.etree import ElementTree

import pytest
from starlette.testclient import TestClient

from curation.records import Example, ReviewItem
from curation.review.accounts.person import Person
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.lots.config import LotConfig
from curation.review.lots.inspection import inspect_rows
from curation.review.lots.offers import store_lots
from curation.review.queue import ReviewQueue
from curation.review.web import lots_routes
from curation.review.web.app import create_app
from curation.review.web.site import OnePerson

pytestmark = pytest.mark.slow

CONFIG = ReviewConfig(lots=LotConfig(n=59, c=0))
HOSTILE = "<script>alert(1)</script>\"'><svg onload=alert(2)>\u202e"


@pytest.fixture
def items(queue: ReviewQueue, make_example: Callable[..., Example]) -> list[ReviewItem]:
    rows = [make_example(number) for number in range(120)]
    rows += [make_example(number, method=HOSTILE) for number in range(200, 210)]
    found = build_items(rows, [], lambda _: "", CONFIG)
    queue.sync_items(found, CONFIG)
    store_lots(queue, found, CONFIG)
    return found


@pytest.fixture
def client(queue: ReviewQueue) -> Iterator[TestClient]:
    app = create_app({"demo": queue}, OnePerson(Person(name="Ada", role="reviewer")))
    lots_routes.add_routes(app, app.state.site)
    with TestClient(app, base_url="http://127.0.0.1:3001", follow_redirects=False) as opened:
        yield opened


def sample(items: list[ReviewItem], lot: str) -> tuple[str, ...]:
    return next(report.sample for report in inspect_rows(items, {}, CONFIG).reports if report.figures.lot == lot)


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_every_lot_is_listed_with_state_progress_and_interval(
    client: TestClient, queue: ReviewQueue, items: list[ReviewItem]
) -> None:
    for key in sample(items, "example/routing")[:20]:
        queue.submit(key, "approve", "Ada")
    page = client.get("/recipes/demo/lots").text
    assert "2 lots: 0 accepted, 0 failed, 2 undecided" in text_of(page)
    assert "20 of 59" in text_of(page)
    assert "0.00% to 16.84%" in text_of(page)
    assert "<script>alert" not in page
    assert 'aria-label="Inspected items of the sample of example/routing"' in page


def test_the_report_of_an_undecided_lot_has_its_plan_curve_and_open_sample(
    client: TestClient, queue: ReviewQueue, items: list[ReviewItem]
) -> None:
    drawn = sample(items, "example/routing")
    queue.submit(drawn[0], "approve", "Ada")
    page = client.get("/recipes/demo/lots/report", params={"lot": "example/routing"}).text
    assert "of 59 items none may be bad" in text_of(page)
    listed = re.findall(r'href="/recipes/demo/items/([0-9a-f]{32})"', page)
    assert listed == list(drawn[1:21])
    assert "The first 20 of 58." in text_of(page)
    assert " style=" not in page
    svg = page[page.index("<svg class") : page.index("</svg>", page.index("<svg class")) + 6]
    drawing = ElementTree.fromstring(svg)
    names = drawing.attrib["aria-labelledby"].split()
    assert [element.attrib["id"] for element in drawing if element.tag in ("title", "desc")] == names
    assert len(drawing.findall("circle")) == 2
    assert drawing.find("rect[@class='observed']") is not None
    assert page.count('<td class="num">') >= 20, "the curve has a table for whoever cannot see it"


def test_the_report_of_a_failed_lot_says_since_when_and_why(
    client: TestClient, queue: ReviewQueue, items: list[ReviewItem]
) -> None:
    drawn = sample(items, "example/routing")
    queue.submit(drawn[0], "reject", "Ada", reason="wrong,ungrounded: no such function")
    queue.submit(drawn[1], "reject", "Ada", reason="wrong")
    queue.submit(drawn[2], "reject", "Ada", reason="I just do not like it")
    said = text_of(client.get("/recipes/demo/lots/report", params={"lot": "example/routing"}).text)
    assert re.search(r"Failed since \d{4}-\d\d-\d\d \d\d:\d\d UTC: every item needs a verdict", said)
    assert "The answer is wrong: 2 no code given: 1 The source does not support it: 1" in said.replace("  ", " ")
    assert "The first 20 of 117." in said


def test_an_accepted_lot_has_no_open_items(client: TestClient, queue: ReviewQueue, items: list[ReviewItem]) -> None:
    for key in sample(items, "example/routing"):
        queue.submit(key, "approve", "Ada")
    page = client.get("/recipes/demo/lots/report", params={"lot": "example/routing"}).text
    assert "Accepted since" in page
    assert "/items/" not in page


def test_a_hostile_name_stays_text(client: TestClient, items: list[ReviewItem]) -> None:
    page = client.get("/recipes/demo/lots/report", params={"lot": f"example/{HOSTILE}"})
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "<svg onload" not in page.text
    assert "of 59 items none may be bad (the lot has no more items, so all are inspected)" in text_of(page.text)


def test_a_lot_or_recipe_that_is_not_there(client: TestClient, items: list[ReviewItem]) -> None:
    assert client.get("/recipes/demo/lots/report", params={"lot": "example/none"}).status_code == 404
    assert client.get("/recipes/demo/lots/report").status_code == 404
    assert client.get("/recipes/other/lots").status_code == 404
    assert client.get("/api/recipes/other/lots").status_code == 404


def test_a_recipe_without_lots_is_told_how_to_have_them(client: TestClient) -> None:
    assert "No lots" in client.get("/recipes/demo/lots").text


def test_the_figures_as_json(client: TestClient, queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.submit(sample(items, "example/routing")[0], "reject", "Ada", reason="wrong")
    answer = client.get("/api/recipes/demo/lots").json()
    assert [(lot["decision"], lot["size"], lot["bad"]) for lot in answer["lots"]] == [("reject", 120, 1), ("undecided", 10, 0)]
    assert answer["lots"][0]["decided_at"]
