"""The pages say what a lot holds back, and do not call it open."""

import re
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from curation.records import Example
from curation.review.accounts.person import Person
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.lots.config import LotConfig
from curation.review.lots.inspection import inspect_rows
from curation.review.lots.offers import store_lots
from curation.review.queue import ReviewQueue
from curation.review.web import progress_routes
from curation.review.web.app import create_app
from curation.review.web.site import OnePerson

pytestmark = pytest.mark.slow

CONFIG = ReviewConfig(lots=LotConfig(n=4, c=1, quality_level=0.7))


def test_pages_tell_what_is_open_from_what_is_held_back(queue: ReviewQueue, make_example: Callable[..., Example]) -> None:
    items = build_items([make_example(number) for number in range(20)], [], lambda _: "", CONFIG)
    queue.sync_items(items, CONFIG)
    store_lots(queue, items, CONFIG)
    app = create_app({"demo": queue}, OnePerson(Person(name="Ada", role="reviewer")))
    if not any(getattr(route, "path", "") == "/recipes/{recipe}/progress" for route in app.routes):
        progress_routes.add_routes(app, app.state.site)
    client = TestClient(app, base_url="http://127.0.0.1:3001", follow_redirects=False)
    assert "4 open , 16 held back by lots" in text_of(client.get("/recipes/demo").text)
    assert "verdict on what is open here; the lots spare the rest." in text_of(client.get("/recipes/demo").text)
    assert client.get("/recipes/demo").text.count('class="item-row"') == 4
    held = client.get("/recipes/demo?status=held").text
    assert held.count('class="item-row"') == 16
    assert "4 votes are missing" in text_of(client.get("/recipes/demo/progress").text)
    for key in inspect_rows(items, {}, CONFIG).reports[0].sample[:3]:
        queue.submit(key, "approve", "Ada")
    assert "Nothing more is asked for: the lots hold the rest back." in text_of(client.get("/recipes/demo").text)
    assert "Nothing is open" in text_of(client.get("/").text)
    assert "Nothing is open: the lots hold the rest back." in text_of(client.get("/recipes/demo/progress").text)
    assert client.get("/recipes/demo/next").headers["location"] == "/recipes/demo"


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())
