"""Holding, late sending, skipping, looks, and what the queue says when nothing is left."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from curation.records import Example, ReviewItem
from curation.review.accounts.person import Person
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.web.app import create_app
from curation.review.web.site import OnePerson

pytestmark = pytest.mark.slow

SAME = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def items(queue: ReviewQueue, make_example: Callable[..., Example]) -> list[ReviewItem]:
    found = build_items([make_example(number) for number in range(3)], [], lambda _: "", ReviewConfig())
    queue.sync_items(found, ReviewConfig())
    return found


@pytest.fixture
def client(queue: ReviewQueue) -> Iterator[TestClient]:
    app = create_app({"demo": queue}, OnePerson(Person(name="Ada", role="reviewer")))
    with TestClient(app, base_url="http://127.0.0.1:3001", follow_redirects=False, headers=SAME) as opened:
        yield opened


def form_of(client: TestClient, item: ReviewItem) -> dict[str, str]:
    page = client.get(f"/recipes/demo/items/{item.key}").text
    return dict(re.findall(r'name="(token|generation|role)" value="([^"]*)"', page))


def test_a_page_is_told_that_a_newer_one_of_the_same_person_counts(client: TestClient, items: list[ReviewItem]) -> None:
    older = form_of(client, items[0])
    newer = form_of(client, items[0])
    path = f"/recipes/demo/items/{items[0].key}/hold"
    response = client.post(path, data=older)
    assert (response.status_code, response.json()["reason"]) == (409, "other_page")
    assert client.post(path, data=newer).status_code == 200


def test_a_page_is_told_that_its_hold_is_gone(client: TestClient, queue: ReviewQueue, items: list[ReviewItem]) -> None:
    form = form_of(client, items[0])
    queue.release(queue.leases("Ada")[0])
    response = client.post(f"/recipes/demo/items/{items[0].key}/hold", data=form)
    assert (response.status_code, response.json()["reason"]) == (409, "lost")


@pytest.mark.parametrize("action", ["verdict", "skip"])
def test_what_is_sent_late_takes_no_other_item(
    client: TestClient, queue: ReviewQueue, items: list[ReviewItem], action: str
) -> None:
    form = form_of(client, items[0]) | {"decision": "approve", "then": "stay"}
    for _ in range(2):
        response = client.post(f"/recipes/demo/items/{items[0].key}/{action}", data=form)
        assert (response.status_code, response.headers["location"]) == (303, "/recipes/demo")
    assert queue.leases("Ada") == []
    assert len(queue.verdicts_after(0)) == (1 if action == "verdict" else 0)


def test_the_queue_says_when_what_is_open_is_for_others(
    client: TestClient, queue: ReviewQueue, items: list[ReviewItem]
) -> None:
    queue.sync_items(items, ReviewConfig(overlap=2))
    for item in items:
        queue.submit(item.key, "approve", "Ada")
    location = client.get("/recipes/demo/next").headers["location"]
    assert location == "/recipes/demo?nothing=yes"
    assert "Nothing is left for you at the moment" in client.get(location).text


def test_who_holds_the_last_open_item_is_told_to_go_on_with_it(
    client: TestClient, queue: ReviewQueue, items: list[ReviewItem]
) -> None:
    for item in items[1:]:
        queue.submit(item.key, "approve", "Ada")
    assert queue.claim("Ada", item_key=items[0].key)
    page = client.get(client.get("/recipes/demo/next").headers["location"]).text
    assert "continue with what is kept for you below" in page
    assert "with other reviewers" not in page


def test_undo_goes_back_to_the_item_and_says_so(client: TestClient, queue: ReviewQueue, items: list[ReviewItem]) -> None:
    verdict = queue.submit(items[0].key, "edit", "Ada", edited_answer="Better, <b>much</b> better.")
    path = f"/recipes/demo/items/{items[0].key}"
    location = client.post(f"{path}/undo", data={"sequence": str(verdict.sequence), "kind": "example"}).headers["location"]
    assert location == f"{path}?kind=example"
    page = client.get(location).text
    assert "The item is open again" in page
    assert "Better, &lt;b&gt;much&lt;/b&gt; better.</textarea>" in page


def test_a_look_is_kept_and_leads_nowhere_else(client: TestClient, items: list[ReviewItem]) -> None:
    response = client.post("/look", data={"theme": "dark", "return": "//evil.example/"})
    assert response.headers["location"] == "/"
    assert 'data-theme="dark"' in client.get("/").text
    client.post("/look", data={"theme": "x' onload='y", "return": "/"})
    assert "data-theme" not in client.get("/").text


def test_gold_items_look_like_any_other(client: TestClient, queue: ReviewQueue, items: list[ReviewItem]) -> None:
    gold = replace(items[0], record_key=f"gold:7/{items[0].record_key}")
    queue.sync_items([gold], ReviewConfig())
    pages = [client.get(path).text for path in ("/recipes/demo", f"/recipes/demo/items/{gold.key}")]
    assert not any("gold:" in page for page in pages)
    assert items[0].record_key in pages[1]


@pytest.mark.parametrize(("scopes", "holds"), [({"read"}, False), ({"read", "vote"}, True), ({"manage"}, True)])
def test_a_token_that_may_only_read_takes_no_item_from_anybody(
    queue: ReviewQueue, items: list[ReviewItem], scopes: set[str], holds: bool
) -> None:
    app = create_app({"demo": queue}, OnePerson(Person(name="Ada", role="reviewer", scopes=frozenset(scopes))))
    with TestClient(app, base_url="http://127.0.0.1:3001", headers=SAME) as client:
        assert client.get(f"/recipes/demo/items/{items[0].key}").status_code == 200
    assert [lease.item_key for lease in queue.leases("Ada")] == ([items[0].key] if holds else [])


def test_what_was_typed_about_an_item_that_is_gone_is_still_on_the_page(
    client: TestClient, queue: ReviewQueue, items: list[ReviewItem]
) -> None:
    form = form_of(client, items[0]) | {"decision": "edit", "edited_answer": "A long and careful edit."}
    queue.sync_items(items[1:], ReviewConfig())
    response = client.post(f"/recipes/demo/items/{items[0].key}/verdict", data=form)
    assert response.status_code == 409
    assert "A long and careful edit." in response.text
    assert "no longer part of the data" in response.text
    assert queue.verdicts_after(0) == []


def test_an_old_page_does_not_give_back_what_a_newer_one_holds(
    client: TestClient, queue: ReviewQueue, items: list[ReviewItem]
) -> None:
    older, newer = form_of(client, items[0]), form_of(client, items[0])
    client.post(f"/recipes/demo/items/{items[0].key}/skip", data=older | {"then": "stay"})
    assert [lease.generation for lease in queue.leases("Ada")] == [int(newer["generation"])]
    client.post(f"/recipes/demo/items/{items[0].key}/skip", data=newer | {"then": "stay"})
    assert queue.leases("Ada") == []
