"""The audit pages: the trail, downloads, the chain, and what reviewers do not see of each other."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from curation.records import Example, ReviewItem
from curation.review import schema
from curation.review.accounts.person import Role
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.web import audit_routes
from tests.curation.review.web.area_app import ORIGIN, SAME, area_app

pytestmark = pytest.mark.slow

AREAS = {"/recipes/{recipe}/audit": audit_routes}
FORM = SAME | {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def items(queue: ReviewQueue, make_example: Callable[..., Example]) -> list[ReviewItem]:
    found = build_items([make_example(number) for number in range(3)], [], lambda _: "", ReviewConfig())
    queue.sync_items(found, ReviewConfig())
    return found


def client_of(queue: ReviewQueue, name: str = "Lea", role: Role = "lead") -> TestClient:
    return TestClient(area_app(queue, AREAS, name=name, role=role), base_url=ORIGIN, follow_redirects=False)


def test_the_trail_says_who_when_why_and_what_it_replaced(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    client = client_of(queue)
    assert "No verdicts yet" in client.get("/recipes/demo/audit").text
    queue.submit(items[0].key, "approve", "Ada")
    queue.submit(items[0].key, "reject", "Ada", reason="wrong: <img src=x>")
    queue.submit(items[1].key, "approve", "Bob")
    page = client.get("/recipes/demo/audit").text
    assert page.index('id="v3"') < page.index('id="v2"') < page.index('id="v1"')
    assert "The answer is wrong: &lt;img src=x&gt;" in page
    assert "instead of 1" in page
    assert 'id="v3"' not in client.get("/recipes/demo/audit", params={"reviewer": "Ada"}).text
    assert 'id="v2"' not in client.get("/recipes/demo/audit", params={"decision": "approve"}).text
    assert "No verdict fits" in client.get("/recipes/demo/audit", params={"until": "2020-01-01"}).text
    assert client.get("/recipes/demo/audit", params={"until": "never", "decision": "x", "reviewer": "\0"}).status_code == 200
    history = client.get(f"/recipes/demo/items/{items[0].key}/history").text
    assert 'id="v2"' in history
    assert 'id="v3"' not in history
    assert "Nobody has decided it yet" in client.get(f"/recipes/demo/items/{items[2].key}/history").text
    assert client.get(f"/recipes/demo/items/{'0' * 32}/history").status_code == 404


def test_downloads_are_attachments(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.submit(items[0].key, "reject", "Ada", reason="=1+1")
    queue.submit(items[1].key, "approve", "Bob")
    client = client_of(queue)
    table = client.get("/recipes/demo/audit.csv")
    assert table.headers["content-disposition"].startswith("attachment")
    assert "'=1+1" in table.text
    assert len(client.get("/recipes/demo/audit.jsonl", params={"reviewer": "Bob"}).text.splitlines()) == 1
    assert client.get("/recipes/demo/audit.exe").status_code == 404


def test_the_chain_is_verified_by_button(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.submit(items[0].key, "approve", "Ada")
    client = client_of(queue, "Max", "adjudicator")
    assert "Nobody has checked" in client.get("/recipes/demo/audit").text
    assert client.post("/recipes/demo/audit/verify", headers=FORM).status_code == 303
    assert "Intact" in client.get("/recipes/demo/audit").text
    forged = schema.verdicts.update().values(reviewer="Eve")
    queue.database.write(lambda connection: connection.execute(forged))
    client.post("/recipes/demo/audit/verify", headers=FORM)
    assert "Broken" in client.get("/recipes/demo/audit").text
    reviewer = client_of(queue, "Ada", "reviewer")
    assert "Verify now" not in reviewer.get("/recipes/demo/audit").text
    assert reviewer.post("/recipes/demo/audit/verify", headers=FORM).status_code == 403


def test_reviewers_of_one_item_do_not_see_each_other_first(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.sync_items(items, ReviewConfig(overlap=2))
    queue.submit(items[0].key, "reject", "Ada", reason="wrong: hush")
    bob, ada, max_ = (
        client_of(queue, "Bob", "reviewer"),
        client_of(queue, "Ada", "reviewer"),
        client_of(queue, "Max", "adjudicator"),
    )
    place = f"/recipes/demo/items/{items[0].key}/history"
    for page in ("/recipes/demo/audit", "/recipes/demo/audit?reviewer=Ada", "/recipes/demo/audit.csv?reviewer=Ada", place):
        assert "hush" not in bob.get(page).text, page
        assert "hush" in ada.get(page).text, page
        assert "hush" in max_.get(page).text, page
    queue.submit(items[0].key, "approve", "Bob")
    assert "hush" in bob.get(place).text
