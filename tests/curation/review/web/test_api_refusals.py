"""What the API refuses, and that the answer is the status and the shape that its description names."""

from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient

from curation.records import Example
from curation.review.accounts.person import Person
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.web.app import create_app
from curation.review.web.site import OnePerson

ROOT = "/api/recipes/demo"
BEARER = {"authorization": "Bearer x"}


@pytest.fixture
def client(queue: ReviewQueue, make_example: Callable[..., Example]) -> Iterator[TestClient]:
    queue.sync_items(build_items([make_example()], [], lambda _: "", ReviewConfig()), ReviewConfig())
    app = create_app({"demo": queue}, OnePerson(Person(name="Ada", role="lead")))
    with TestClient(app, base_url="http://127.0.0.1", headers=BEARER) as opened:
        yield opened


def test_an_undo_that_comes_too_late_is_a_conflict_and_one_that_makes_no_sense_is_invalid(
    client: TestClient, queue: ReviewQueue
) -> None:
    given = queue.submit(queue.list_items()[0].item.key, "approve", "Ada")
    body = {"sequence": given.sequence, "token": "undo-0123"}
    first = client.post(f"{ROOT}/undo", json=body)
    assert (first.status_code, client.post(f"{ROOT}/undo", json=body).json()) == (200, first.json())
    late = client.post(f"{ROOT}/undo", json=body | {"token": "undo-4567"})
    assert (late.status_code, "nothing to undo" in late.json()["error"]) == (409, True)
    invalid = client.post(f"{ROOT}/undo", json=body | {"reason": "a\0b"})
    assert invalid.status_code == 422
    assert [found["where"] for found in invalid.json()["details"]] == ["body.reason"]
    assert len(queue.verdicts_after(0)) == 2


def test_a_method_that_is_not_served_is_told_all_that_are(client: TestClient) -> None:
    allowed = {path: client.request("DELETE", f"{ROOT}/{path}").headers["allow"] for path in ("verdicts", "counts", "claim")}
    assert allowed == {"verdicts": "GET, POST", "counts": "GET", "claim": "POST"}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"host": "evil.example"}, 400),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"x-http-method-override": "GET"}, 405),
    ],
)
def test_what_the_guard_refuses_under_api_is_json(client: TestClient, headers: dict[str, str], code: int) -> None:
    refused = client.post(f"{ROOT}/claim", content=b"{}", headers={"content-type": "application/json"} | headers)
    assert (refused.status_code, list(refused.json())) == (code, ["error"])
    assert client.get("/", headers={"host": "evil.example"}).headers["content-type"].startswith("text/plain")
