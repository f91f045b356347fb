"""The whole app: which role opens which route, from one table that has to name every route there is."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Request

from curation.database import Database
from curation.records import Example
from curation.review import schema
from curation.review.accounts.person import Person
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.web.app import create_app
from tests.curation.review.web.access import Caller, Rule, check_access, unlisted_routes

READERS = (
    ("GET", "/"),
    ("GET", "/recipes/{recipe}"),
    ("GET", "/recipes/{recipe}/next"),
    ("GET", "/recipes/{recipe}/items/{item}"),
    ("GET", "/recipes/{recipe}/items/{item}/cost"),
    ("POST", "/recipes/{recipe}/items/{item}/verdict"),
    ("POST", "/recipes/{recipe}/items/{item}/undo"),
    ("POST", "/recipes/{recipe}/items/{item}/hold"),
    ("POST", "/recipes/{recipe}/items/{item}/skip"),
    ("GET", "/recipes/{recipe}/items/{key}/raw/{field}"),
    ("GET", "/recipes/{recipe}/search"),
    ("GET", "/recipes/{recipe}/items"),
    ("GET", "/recipes/{recipe}/progress"),
    ("GET", "/recipes/{recipe}/lots"),
    ("GET", "/recipes/{recipe}/lots/report"),
    ("GET", "/api/recipes/{recipe}/lots"),
    ("GET", "/recipes/{recipe}/agreement"),
    ("GET", "/api/recipes/{recipe}/agreement"),
    ("GET", "/recipes/{recipe}/guidelines"),
    ("GET", "/recipes/{recipe}/audit"),
    ("GET", "/recipes/{recipe}/audit.{form}"),
    ("GET", "/recipes/{recipe}/items/{item}/history"),
    ("GET", "/recipes/{recipe}/settings"),
    ("POST", "/recipes/{recipe}/settings"),
    ("POST", "/api/recipes/{recipe}/claim"),
    ("POST", "/api/recipes/{recipe}/leases/extend"),
    ("POST", "/api/recipes/{recipe}/leases/release"),
    ("POST", "/api/recipes/{recipe}/verdicts"),
    ("POST", "/api/recipes/{recipe}/undo"),
    ("GET", "/api/recipes/{recipe}/counts"),
    ("GET", "/api/recipes/{recipe}/items"),
    ("GET", "/api/recipes/{recipe}/items/{key}"),
    ("GET", "/api/openapi.json"),
    ("GET", "/api"),
)
ADJUDICATORS = (("POST", "/recipes/{recipe}/audit/verify"), ("POST", "/recipes/{recipe}/guidelines/cases"))
LEADS = (
    ("GET", "/recipes/{recipe}/bulk"),
    ("GET", "/recipes/{recipe}/bulk/{bulk_id}"),
    ("POST", "/recipes/{recipe}/bulk"),
    ("POST", "/recipes/{recipe}/bulk/{bulk_id}/run"),
    ("POST", "/recipes/{recipe}/bulk/{bulk_id}/undo"),
    ("GET", "/recipes/{recipe}/reviewers"),
    ("POST", "/recipes/{recipe}/guidelines"),
    ("GET", "/recipes/{recipe}/gold"),
    ("POST", "/recipes/{recipe}/gold/set"),
    ("POST", "/recipes/{recipe}/gold/plant"),
    ("POST", "/recipes/{recipe}/gold/withdraw"),
    ("POST", "/recipes/{recipe}/gold/requeue"),
    ("GET", "/api/recipes/{recipe}/export"),
    ("GET", "/api/recipes/{recipe}/verdicts"),
)
ANYBODY = (("GET", "/health"), ("POST", "/look"))
RULES = [
    *(Rule(*route, least="public") for route in ANYBODY),
    *(Rule(*route, least="reviewer") for route in READERS),
    *(Rule(*route, least="adjudicator") for route in ADJUDICATORS),
    *(Rule(*route, least="lead") for route in LEADS),
]
CALLERS = {
    "Stranger": Caller(None, {}),
    "Rita": Caller("reviewer", {"x-role": "reviewer"}),
    "Adam": Caller("adjudicator", {"x-role": "adjudicator"}),
    "Lea": Caller("lead", {"x-role": "lead"}),
}


class ByHeader:
    """Believes the role that a header names."""

    def identify(self, request: Request) -> Person | None:
        role = request.headers.get("x-role")
        return Person(name=f"The {role}", role=role) if role else None  # type: ignore[arg-type]


@pytest.fixture
def queue(tmp_path: Path, make_example: Callable[..., Example]) -> Iterator[ReviewQueue]:
    opened = ReviewQueue(Database.open(tmp_path / "app.db", concern="review", migrations=schema.MIGRATIONS), "demo")
    config = ReviewConfig()
    opened.sync_items(build_items([make_example(number) for number in range(3)], [], lambda _: "", config), config)
    yield opened
    opened.close()


@pytest.fixture
def app(queue: ReviewQueue) -> FastAPI:
    return create_app({"demo": queue}, ByHeader())


def test_every_route_is_open_to_whom_it_should_be(app: FastAPI, queue: ReviewQueue) -> None:
    item = queue.list_items()[0].item.key
    values = {"recipe": "demo", "item": item, "key": item, "field": "answer", "form": "jsonl", "bulk_id": "0" * 32}
    assert unlisted_routes(app, RULES) == set()
    wrong = check_access(app, CALLERS, RULES, values=values)
    assert not wrong, "\n".join(wrong)


def test_nobody_settles_a_dispute_who_is_no_adjudicator(app: FastAPI, queue: ReviewQueue) -> None:
    from starlette.testclient import TestClient

    config = ReviewConfig(overlap=2)
    queue.sync_items([entry.item for entry in queue.list_items()], config)
    item = queue.list_items()[0].item.key
    queue.submit(item, "approve", "Ada")
    queue.submit(item, "reject", "Bob", reason="wrong")
    form = {"decision": "approve", "token": "t", "expected": "2", "role": "adjudication"}
    path = f"/recipes/demo/items/{item}/verdict"
    with TestClient(app, base_url="http://127.0.0.1:3001", follow_redirects=False) as client:
        same = {"sec-fetch-site": "same-origin"}
        refused = client.post(path, data=form, headers=same | {"x-role": "reviewer"})
        assert refused.status_code == 403
        assert len(queue.history(item)) == 2
        assert client.post(path, data=form, headers=same | {"x-role": "adjudicator"}).status_code == 303
    assert queue.get_item(item).human.reviewer == "The adjudicator"  # type: ignore[union-attr]
