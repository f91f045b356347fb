"""The list page: what it finds, how it escapes, its pages, and the bulk form for leads only."""

import re
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from curation.records import Example, PreferencePair, ReviewItem
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.web import search_routes
from tests.curation.review.web.area_app import ORIGIN, area_app

pytestmark = pytest.mark.slow

CONFIG = ReviewConfig()
AREAS = {"/recipes/{recipe}/search": search_routes}


@pytest.fixture
def items(
    queue: ReviewQueue, make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> list[ReviewItem]:
    examples = [make_example(number, f"answer {number} <script>alert(1)</script>") for number in range(60)]
    found = build_items(examples, [make_pair(examples[0])], lambda _: "", CONFIG)
    queue.sync_items(found, CONFIG)
    return found


@pytest.fixture
def client(queue: ReviewQueue) -> TestClient:
    return TestClient(area_app(queue, AREAS), base_url=ORIGIN, follow_redirects=False)


def keys_on(page: str) -> list[str]:
    return re.findall(r'class="item-row" href="/recipes/demo/items/([0-9a-f]{32})"', page)


def test_every_item_is_on_one_page(client: TestClient, items: list[ReviewItem]) -> None:
    seen: list[str] = []
    place = "/recipes/demo/search?q=alert"
    while place:
        page = client.get(place).text
        seen += keys_on(page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        place = following[1].replace("&amp;", "&") if following else ""
    assert sorted(seen) == sorted(item.key for item in items)


def test_hits_are_marked_and_what_a_teacher_wrote_is_escaped(client: TestClient, items: list[ReviewItem]) -> None:
    page = client.get("/recipes/demo/items", params={"q": "alert answer"}).text
    assert "<mark>alert</mark>" in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page or "&lt;<mark>script" in page


def test_facets_narrow_and_show_numbers(client: TestClient, queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.submit(next(item.key for item in items if item.kind == "example"), "reject", "Ada", reason="wrong")
    page = client.get("/recipes/demo/search", params={"q": "alert"}).text
    assert 'href="/recipes/demo/search?q=alert+state%3Adecided&amp;sort=newest"' in page
    assert 'href="/recipes/demo/search?q=alert+kind%3Apair&amp;sort=newest"' in page
    decided = client.get("/recipes/demo/search", params={"q": "alert state:decided"}).text
    assert len(keys_on(decided)) == 1
    assert 'href="/recipes/demo/search?q=alert&amp;sort=newest" aria-current="true"' in decided


def test_empty_pages_teach(client: TestClient, items: list[ReviewItem]) -> None:
    for query, says in (("zebra", "Nothing fits"), ("state:bogus", "state: is one of"), ("before:x", "such as 2026-11-29")):
        response = client.get("/recipes/demo/search", params={"q": query})
        assert response.status_code == 200
        assert says in response.text
        assert keys_on(response.text) == []


def test_an_empty_queue_says_where_items_come_from(client: TestClient) -> None:
    assert "review_queue" in client.get("/recipes/demo/search").text


def test_only_leads_see_the_bulk_form(queue: ReviewQueue, client: TestClient, items: list[ReviewItem]) -> None:
    assert 'name="scope"' in client.get("/recipes/demo/search").text
    other = TestClient(area_app(queue, AREAS, name="Ada", role="adjudicator"), base_url=ORIGIN)
    page = other.get("/recipes/demo/search").text
    assert 'name="scope"' not in page
    assert 'type="checkbox"' not in page
    assert len(keys_on(page)) == 50


def test_what_no_page_links_to_is_not_found(client: TestClient) -> None:
    for params in ({"sort": "worst"}, {"q": "x" * 5_000}, {"after": "x" * 100}):
        assert client.get("/recipes/demo/search", params=params).status_code == 404


def test_any_search_gives_a_page(client: TestClient, items: list[ReviewItem]) -> None:
    for query in ("\0", "\ud800'\"<b>", '"', "-", "a" * 900, "' OR 1=1 --", "NEAR(x y)", "words : x*"):
        answer = client.get("/recipes/demo/search", params={"q": query.encode("utf-8", "surrogatepass")})
        assert answer.status_code == 200, query
