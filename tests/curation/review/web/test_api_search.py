"""Searching over HTTP: the same hits as on the page, in every order, and nothing of what others said."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from curation.records import Example, ReviewItem
from curation.review.accounts.person import Person
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.web.app import create_app
from curation.review.web.site import OnePerson
from tests.curation.review.web.area_app import ORIGIN

pytestmark = pytest.mark.slow

PATH = "/api/recipes/demo/items"
ANSWERS = ["trim trim trim", "trim it and more", "cut", "trim"]


@pytest.fixture
def items(queue: ReviewQueue, make_example: Callable[..., Example]) -> list[ReviewItem]:
    found = [
        build_items([make_example(number, text)], [], lambda _: "", ReviewConfig())[0] for number, text in enumerate(ANSWERS)
    ]
    queue.sync_items(found, ReviewConfig())
    return found


@pytest.fixture
def client(queue: ReviewQueue) -> TestClient:
    return TestClient(create_app({"demo": queue}, OnePerson(Person(name="Ada", role="reviewer"))), base_url=ORIGIN)


def found_by(client: TestClient, items: list[ReviewItem], **asked: str) -> list[int]:
    order = [item.key for item in items]
    return [order.index(hit["item_key"]) for hit in client.get(PATH, params=asked).json()["items"]]


def test_orders_pages_and_filters(client: TestClient, items: list[ReviewItem], queue: ReviewQueue) -> None:
    assert found_by(client, items, q="trim") == [3, 1, 0]
    assert found_by(client, items, q="trim", sort="oldest") == [0, 1, 3]
    assert found_by(client, items, q="trim", sort="relevance")[0] == 0
    first = client.get(PATH, params={"q": "trim", "sort": "relevance", "limit": "2"}).json()
    rest = client.get(PATH, params={"q": "trim", "sort": "relevance", "limit": "2", "after": first["next"]}).json()
    keys = [hit["item_key"] for page in (first, rest) for hit in page["items"]]
    assert (len(keys), len(set(keys)), rest["next"]) == (3, 3, "")
    queue.submit(items[2].key, "reject", "Bob", reason="wrong")
    assert found_by(client, items, q="state:decided") == [2]
    hit = client.get(PATH, params={"q": "state:decided"}).json()["items"][0]
    assert hit["record_key"] == items[2].record_key
    assert not {"human_decision", "automatic_decision", "payload"} & set(hit)


def test_what_makes_no_sense_is_said(client: TestClient, items: list[ReviewItem]) -> None:
    answer = client.get(PATH, params={"q": "state:lost"})
    assert (answer.status_code, answer.json()["items"]) == (200, [])
    assert "state: is one of" in answer.json()["problems"][0]
    assert client.get(PATH, params={"sort": "best"}).status_code == 422
    assert client.get(PATH, params={"limit": "0"}).status_code == 422
    assert client.get(PATH.replace("demo", "nothing")).status_code == 404


def test_the_description_and_the_page_offer_the_order(client: TestClient, items: list[ReviewItem]) -> None:
    described = client.get("/api/openapi.json").json()["paths"]["/api/recipes/{recipe}/items"]["get"]
    sort = next(each for each in described["parameters"] if each["name"] == "sort")
    assert "relevance" in sort["schema"]["enum"]
    assert "best matches" in sort["description"]
    page = client.get("/recipes/demo/search", params={"q": "trim", "sort": "relevance"}).text
    assert '<option value="relevance" selected>Best match</option>' in page
    assert page.index(items[0].key) < page.index(items[1].key)
