"""What the guard refuses, asked of every route of the app that changes something."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from curation.database import Database
from curation.review.accounts.accounts import Accounts
from curation.review.accounts.person import Person
from curation.review.accounts.tables import MIGRATIONS
from curation.review.queue import ReviewQueue
from curation.review.web import accounts_routes
from curation.review.web.app import create_app
from curation.review.web.guard import Guard
from curation.review.web.site import OnePerson
from tests.curation.review.accounts.conftest import FAST
from tests.curation.review.web.access import FORM, list_routes
from tests.curation.review.web.tricks import ORIGIN, SAME, try_all


@pytest.fixture
def whole_app(queue: ReviewQueue, tmp_path: Path) -> Iterator[FastAPI]:
    """All pages, for somebody who may do everything: what is refused is refused by the guard."""
    app = create_app({"demo": queue}, OnePerson(Person(name="Ada", role="lead")))
    database = Database.open(tmp_path / "accounts.db", concern="accounts", migrations=MIGRATIONS)
    if ("POST", "/login") not in list_routes(app):
        accounts_routes.add_routes(app, app.state.site, Accounts(database, hasher=FAST))
    yield app
    database.close()


@pytest.fixture(scope="module")
def echo() -> Iterator[TestClient]:
    """One route of each sort behind the guard; each answers with the method."""
    app = FastAPI()
    app.add_middleware(Guard, hosts=frozenset({"127.0.0.1"}), uploads=("/import",), max_body_bytes=1_000)

    async def answer(request: Request) -> str:
        return request.method + (await request.body()).decode()

    for path in ("/form", "/api/votes", "/files/import", "/api/files/import", "/items/next"):
        app.add_api_route(path, answer, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    with TestClient(app, base_url=ORIGIN) as client:
        yield client


def test_every_trick_on_every_route_is_refused(whole_app: FastAPI) -> None:
    passed, asked = try_all(whole_app, list_routes(whole_app))
    assert asked > 300
    assert passed == []


def test_the_tricks_find_an_app_without_a_guard() -> None:
    app = FastAPI(openapi_url=None)
    app.add_api_route("/items/next", lambda: "taken", methods=["GET", "POST"])
    passed, asked = try_all(app, list_routes(app))
    assert len(passed) > 0.8 * asked


@pytest.mark.parametrize("headers", [SAME, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}, {"origin": ORIGIN}])
def test_our_own_pages_pass(echo: TestClient, headers: dict[str, str]) -> None:
    assert echo.post("/form", headers=headers | {"content-type": FORM}, content=b"a=b").text == '"POSTa=b"'
    assert echo.post("/api/votes", headers=headers, json={}).text == '"POST{}"'
    charset = {"content-type": "application/json; charset=UTF-8"}
    assert echo.post("/api/votes", headers=headers | charset, content=b"{}").status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "text/plain; application/json",
        "application/json; x=y",
        "application/json, text/plain",
        FORM,
        "application/jsonp",
    ],
)
def test_the_api_takes_json_and_nothing_else(echo: TestClient, content_type: str) -> None:
    headers = SAME | ({"content-type": content_type} if content_type else {})
    refused = echo.post("/api/votes", headers=headers, content=b"{}")
    assert (refused.status_code, list(refused.json())) == (415, ["error"])


def test_files_are_taken_where_they_are_expected(echo: TestClient) -> None:
    files = {"file": ("rows.jsonl", b"{}")}
    codes = {path: echo.post(path, headers=SAME, files=files).status_code for path in ("/form", "/api/votes", "/files/import")}
    assert codes == {"/form": 415, "/api/votes": 415, "/files/import": 200}
    assert echo.post("/files/import", files=files).status_code == 403


def test_a_token_without_a_cookie_needs_no_origin(echo: TestClient) -> None:
    bearer = {"authorization": "Bearer tw_x"}
    assert echo.post("/api/votes", headers=bearer, json={}).status_code == 200
    for more in ({"cookie": "a=b"}, {"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert echo.post("/api/votes", headers=bearer | more, json={}).status_code == 403
    assert echo.post("/api/votes", headers={"authorization": "Basic tw_x"}, json={}).status_code == 403
    assert echo.post("/api/votes", headers=bearer | {"content-type": "text/plain"}, content=b"{}").status_code == 415


@pytest.mark.parametrize(
    ("site", "code"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200), ("", 200)]
)
def test_a_read_that_takes_something_is_only_for_our_pages(echo: TestClient, site: str, code: int) -> None:
    headers = {"sec-fetch-site": site} if site else {}
    assert echo.get("/items/next", headers=headers).status_code == code
    assert echo.get("/form", headers=headers).status_code == 200


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
def test_a_method_cannot_be_disguised(echo: TestClient, name: str) -> None:
    assert echo.get("/form", headers={name: "DELETE"}).status_code == 405
    assert echo.get("/form?a=b&_method=DELETE").status_code == 405


@pytest.mark.parametrize("method", ["TRACE", "PUT", "PATCH", "DELETE", "FOO"])
def test_a_method_that_no_route_takes_is_refused_as_a_write_or_with_what_the_route_does_take(
    whole_app: FastAPI, method: str
) -> None:
    with TestClient(whole_app, base_url=ORIGIN) as client:
        assert client.request(method, "/api/me", headers={"sec-fetch-site": "cross-site"}).status_code == 403
        refused = client.request(method, "/api/me", headers={"authorization": "Bearer tw_x"})
        assert (refused.status_code, refused.headers["allow"], list(refused.json())) == (405, "GET", ["error"])


def test_a_program_that_forgot_its_token_is_told_so(echo: TestClient) -> None:
    refused = echo.post("/api/votes", json={})
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert "API token" in refused.json()["error"]
    assert echo.post("/form", json={}).status_code == 403


def test_an_empty_call_has_no_type(echo: TestClient) -> None:
    assert echo.post("/api/votes", headers={"authorization": "Bearer tw_x"}).status_code == 200
    assert echo.post("/api/votes", headers=SAME).status_code == 415


def test_two_hosts_are_one_too_many(echo: TestClient) -> None:
    headers = [("host", "127.0.0.1:3001"), ("host", "evil.example")]
    assert echo.get("/form", headers=headers).status_code == 400


def test_a_body_that_is_too_large_never_reaches_a_route(echo: TestClient) -> None:
    assert echo.post("/form", headers=SAME | {"content-type": FORM}, content=b"x" * 1_001).status_code == 413


def test_under_tls_browsers_are_told_to_stay_there(echo: TestClient) -> None:
    assert "strict-transport-security" in echo.get("https://127.0.0.1:3001/form").headers
    assert "strict-transport-security" not in echo.get("/form").headers
