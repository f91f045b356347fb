"""Bulk decisions over HTTP: preview, confirm, undo; and who may not."""

import re
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from curation.records import Example, ReviewItem
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.web import bulk_routes
from tests.curation.review.web.area_app import ORIGIN, SAME, area_app

pytestmark = pytest.mark.slow

AREAS = {"/recipes/{recipe}/bulk": bulk_routes}


@pytest.fixture
def items(queue: ReviewQueue, make_example: Callable[..., Example]) -> list[ReviewItem]:
    found = build_items([make_example(number, f"answer {number}") for number in range(12)], [], lambda _: "", ReviewConfig())
    queue.sync_items(found, ReviewConfig())
    return found


@pytest.fixture
def client(queue: ReviewQueue) -> TestClient:
    return TestClient(area_app(queue, AREAS), base_url=ORIGIN, follow_redirects=False)


def test_a_search_is_previewed_confirmed_and_undone(client: TestClient, queue: ReviewQueue, items: list[ReviewItem]) -> None:
    assert "None yet" in client.get("/recipes/demo/bulk").text
    queue.submit(items[0].key, "approve", "Ada")
    form = {"scope": "query", "q": "answer", "decision": "reject", "reason": "format", "comment": "<b>"}
    sent = client.post("/recipes/demo/bulk", data=form, headers=SAME)
    assert sent.status_code == 303
    place = sent.headers["location"]
    preview = client.get(place).text
    assert "Decide 11 items" in preview
    assert "<strong>1</strong>: decided already" in preview
    assert preview.count('class="item-row"') == 10
    assert "<b>" not in preview
    assert queue.counts().num_decided == 1

    token = re.findall(r'name="token" value="([0-9a-f]{32})"', preview)[0]
    assert client.post(f"{place}/run", data={"token": token}, headers=SAME).headers["location"] == place
    assert queue.counts().decisions == {"approve": 1, "reject": 11}
    assert queue.history(items[1].key)[0].reason == "format: <b>"
    done = client.get(place).text
    assert "11 verdicts" in done
    assert "Undo all of it" in done
    assert place in client.get("/recipes/demo/bulk").text

    assert client.post(f"{place}/undo", data={"x": ""}, headers=SAME).status_code == 303
    assert queue.counts().decisions == {"approve": 1}
    assert "11 of 11" in client.get(place).text


def test_ticked_items_alone(client: TestClient, queue: ReviewQueue, items: list[ReviewItem]) -> None:
    form = {"scope": "ticked", "q": "answer", "decision": "approve", "item": [items[0].key, items[1].key]}
    place = client.post("/recipes/demo/bulk", data=form, headers=SAME).headers["location"]
    assert "Decide 2 items" in client.get(place).text


def test_what_makes_no_sense_is_refused(client: TestClient, items: list[ReviewItem]) -> None:
    for form, says in (
        ({"scope": "ticked", "decision": "approve"}, "none of these items"),
        ({"scope": "query", "q": "state:bogus", "decision": "approve"}, "state: is one of"),
        ({"scope": "query", "decision": "reject"}, "say why"),
        ({"scope": "query", "decision": "reject", "reason": "because"}, "one of the reasons"),
        ({"scope": "query", "decision": "reject", "reason": "other"}, "in a few words"),
        ({"scope": "query", "decision": "edit"}, "cannot be given"),
    ):
        response = client.post("/recipes/demo/bulk", data=form, headers=SAME)
        assert response.status_code == 422, form
        assert says in response.text, form


def test_a_wrong_token_decides_nothing(client: TestClient, queue: ReviewQueue, items: list[ReviewItem]) -> None:
    form = {"scope": "query", "decision": "approve"}
    place = client.post("/recipes/demo/bulk", data=form, headers=SAME).headers["location"]
    assert client.post(f"{place}/run", data={"token": "0" * 32}, headers=SAME).status_code == 422
    assert client.get(f"/recipes/demo/bulk/{'0' * 32}").status_code == 404
    assert queue.counts().num_decided == 0


@pytest.mark.parametrize("role", ["reviewer", "adjudicator"])
def test_leads_only(queue: ReviewQueue, items: list[ReviewItem], role: str) -> None:
    client = TestClient(area_app(queue, AREAS, name="Ada", role=role), base_url=ORIGIN)  # type: ignore[arg-type]
    form = {"scope": "query", "decision": "approve"}
    some = "0" * 32
    answers = [
        client.get("/recipes/demo/bulk"),
        client.get(f"/recipes/demo/bulk/{some}"),
        client.post("/recipes/demo/bulk", data=form, headers=SAME),
        client.post(f"/recipes/demo/bulk/{some}/run", data=form, headers=SAME),
        client.post(f"/recipes/demo/bulk/{some}/undo", data=form, headers=SAME),
    ]
    assert [answer.status_code for answer in answers] == [403] * 5
