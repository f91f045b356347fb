"""Raw pages: the whole text, as text."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient

from curation.records import Example, ReviewItem
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.web.raw_routes import add_routes, raw_path, raw_response, raw_text
from tests.curation.review.payloads import PAYLOADS

pytestmark = pytest.mark.slow

KEY = "ab" * 16


@pytest.fixture
def item(make_example: Callable[..., Example]) -> ReviewItem:
    made = build_items([make_example(1, "the answer")], [], lambda _: "", ReviewConfig(policy="all"))[0]
    return replace(made, key=KEY, evidence=("first", "second"))


@pytest.fixture
def client(item: ReviewItem) -> TestClient:
    def get_queue(recipe: str) -> Any:
        if recipe != "demo":
            raise HTTPException(404)
        return SimpleNamespace(get_item=lambda _: SimpleNamespace(item=item, human=SimpleNamespace(edited_answer="<b>edit")))

    def get_person(request: Any) -> None:
        if "x-nobody" in request.headers:
            raise HTTPException(401)

    app = FastAPI()
    add_routes(app, SimpleNamespace(queue=get_queue, person=get_person))  # type: ignore[arg-type]
    return TestClient(app)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("answer", "the answer"),
        ("evidence-1", "second"),
        ("prompt-0", "Where is function 1?"),
        ("edited-answer", "<b>edit"),
    ],
)
def test_a_field_is_plain_text(client: TestClient, field: str, text: str) -> None:
    answer = client.get(raw_path("demo", KEY, field))
    assert (answer.status_code, answer.text) == (200, text)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == f'inline; filename="{KEY}-{field}.txt"'


@pytest.mark.parametrize("field", ["evidence-2", "prompt-1", "alternative"])
def test_what_an_item_does_not_have_is_not_found(client: TestClient, field: str) -> None:
    assert client.get(raw_path("demo", KEY, field)).status_code == 404


@pytest.mark.parametrize("field", ["__class__", "evidence-x", "evidence-", "evidence--1", "answer-1", "provenance", "%2e%2e"])
def test_other_names_are_refused(client: TestClient, item: ReviewItem, field: str) -> None:
    assert client.get(f"/recipes/demo/items/{KEY}/raw/{field}").status_code in (404, 422)
    assert raw_text(item, field) is None


def test_nobody_reads_without_a_login(client: TestClient) -> None:
    assert client.get(raw_path("demo", KEY, "answer"), headers={"x-nobody": "1"}).status_code == 401


def test_a_queue_that_is_not_there_is_not_found(client: TestClient) -> None:
    assert client.get(raw_path("other", KEY, "answer")).status_code == 404


def test_bytes_come_back_and_halves_of_characters_are_named() -> None:
    text = "a\0b\r\n\u202e\U0001f600\ue000"
    assert bytes(raw_response(text, name="x").body).decode() == text
    assert bytes(raw_response("a\ud83d", name="x").body) == b"aU+D83D"


@pytest.mark.parametrize("name", PAYLOADS[::40])
def test_no_name_breaks_the_header(name: str) -> None:
    header = raw_response("x", name=name).headers["content-disposition"]
    assert header.startswith('inline; filename="')
    assert header.count('"') == 2
    assert header.isascii()
    assert header.isprintable()


def test_odd_characters_come_back_from_the_queue(queue: ReviewQueue, item: ReviewItem) -> None:
    odd = replace(item, answer="a\0b\r\n\ud83d\u202e\ue000\U000e0041", evidence=("\udc00\0", ""))
    queue.sync_items([odd], ReviewConfig(policy="all"))
    assert queue.get_item(odd.key).item == odd


def test_paths_are_quoted() -> None:
    assert raw_path("a/b?#", KEY, "x y") == f"/recipes/a%2Fb%3F%23/items/{KEY}/raw/x%20y"
