"""The pages about people, over HTTP: getting in, staying in, losing nothing, and who may do what."""

import html
import logging
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
import sqlalchemy as sa
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from starlette.testclient import TestClient

from curation.database import Database
from curation.errors import TunewrightError
from curation.review.accounts.accounts import Accounts
from curation.review.accounts.identity import AccountsIdentity, check_scope
from curation.review.accounts.proxies import TrustedProxies
from curation.review.accounts.sessions import IDLE_SECONDS
from curation.review.accounts.tables import METADATA, MIGRATIONS
from curation.review.web import accounts_routes
from curation.review.web.accounts_login import MAX_CARRIED_BYTES
from curation.review.web.guard import Guard
from curation.review.web.site import ForbiddenError, Site
from tests.curation.review.accounts.conftest import FAST, PASSWORD, Clock

pytestmark = pytest.mark.slow

ORIGIN = "http://127.0.0.1:3001"
SAME = {"sec-fetch-site": "same-origin"}
TYPED = 'Line one\r\nline "two" & <b>three</b> \u00eb+%20 \U0001f600'


class Shared(NamedTuple):
    """One app for all tests, which costs more to build than to empty."""

    accounts: Accounts
    clock: Clock
    app: FastAPI


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    path, clock = tmp_path_factory.mktemp("accounts") / "accounts.db", Clock()
    database = Database.open(path, concern="accounts", migrations=MIGRATIONS)
    accounts = Accounts(database, now=clock, hasher=FAST)
    yield Shared(accounts, clock, build_app(accounts))
    database.close()


@pytest.fixture
def accounts(shared: Shared) -> Accounts:
    """Accounts with one lead and nothing else."""

    def empty(connection: sa.Connection) -> None:
        for table in reversed(METADATA.tables.values()):
            connection.execute(sa.delete(table))

    shared.clock.now = Clock.now
    shared.accounts.database.write(empty)
    shared.accounts.accept(shared.accounts.first_link() or "", "Ada", PASSWORD)
    return shared.accounts


@pytest.fixture
def clock(shared: Shared, accounts: Accounts) -> Clock:
    return shared.clock


def build_app(accounts: Accounts, proxies: TrustedProxies | None = None) -> FastAPI:
    """An app with the pages about people, a page and an API to edit, and a next item."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_middleware(Guard, hosts=frozenset({"127.0.0.1", "review.example.org", "testserver"}))
    identity = AccountsIdentity(accounts, proxies=proxies)
    site = Site({}, identity)

    @app.exception_handler(ForbiddenError)
    def forbid(request: Request, error: TunewrightError) -> PlainTextResponse:
        return PlainTextResponse(str(error), 403)

    @app.get("/")
    def home(request: Request) -> str:
        return site.person(request).name

    @app.get("/items/{item}/next")
    def take(request: Request, item: str) -> str:
        return site.person(request).name

    @app.post("/items/{item}")
    async def edit(request: Request, item: str) -> dict[str, str]:
        who = site.person(request).name
        return {"who": who, **{name: str(value) for name, value in (await request.form()).items()}}

    @app.post("/api/votes")
    def vote(request: Request) -> str:
        person = site.person(request)
        check_scope(person, "vote")
        return person.name

    accounts_routes.add_routes(app, site, accounts)
    return app


@pytest.fixture
def app(shared: Shared, accounts: Accounts) -> FastAPI:
    return shared.app


@pytest.fixture
def browse(app: FastAPI) -> Iterator[Callable[..., TestClient]]:
    opened: list[TestClient] = []

    def browse(name: str = "", origin: str = ORIGIN) -> TestClient:
        client = TestClient(app, base_url=origin, follow_redirects=False, headers=SAME)
        opened.append(client)
        if name:
            assert client.post("/login", data={"name": name, "password": PASSWORD}).status_code == 303
        return client

    yield browse
    for client in opened:
        client.close()


Browse = Callable[..., TestClient]


def fields_of(page: str) -> dict[str, str]:
    form = page.partition("<main")[2].partition("</main>")[0]
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', form)
    return {html.unescape(name): html.unescape(value) for name, value in found}


def test_logging_in_goes_back_to_where_one_wanted_to_be(browse: Browse) -> None:
    client = browse()
    wanted = client.get("/items/7/next?kind=pair")
    assert wanted.headers["location"] == "/login?back=%2Fitems%2F7%2Fnext%3Fkind%3Dpair"
    page = client.get(wanted.headers["location"])
    assert page.status_code == 200
    answer = client.post("/login", data=fields_of(page.text) | {"name": "ada", "password": PASSWORD})
    assert answer.headers["location"] == "/items/7/next?kind=pair"
    assert client.get("/items/7/next").text == '"Ada"'
    assert client.get("/login?back=/account").headers["location"] == "/account"


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "/\tx"])
def test_a_login_never_leads_elsewhere(browse: Browse, back: str) -> None:
    assert browse().post("/login", data={"name": "Ada", "password": PASSWORD, "back": back}).headers["location"] == "/"


def test_the_cookie_is_out_of_reach(browse: Browse) -> None:
    plain = browse().post("/login", data={"name": "Ada", "password": PASSWORD}).headers["set-cookie"]
    assert plain.startswith("tunewright_session=")
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(plain.split("; "))
    secure = browse(origin="https://127.0.0.1:3001").post("/login", data={"name": "Ada", "password": PASSWORD})
    cookie = secure.headers["set-cookie"]
    assert cookie.startswith("__Host-tunewright_session=")
    assert {"HttpOnly", "Path=/", "SameSite=strict", "Secure"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert secure.headers["strict-transport-security"]


def test_a_login_takes_a_new_session_whatever_the_browser_brings(browse: Browse) -> None:
    fixed = browse("Ada").cookies["tunewright_session"]
    client = browse()
    client.cookies.set("tunewright_session", fixed)
    client.post("/login", data={"name": "Ada", "password": PASSWORD})
    taken = [cookie.value for cookie in client.cookies.jar if cookie.domain == "127.0.0.1"]
    assert fixed not in taken
    thief = browse()
    thief.cookies.set("tunewright_session", fixed)
    assert thief.get("/").status_code == 303


def test_a_wrong_password_is_told_like_a_wrong_name_and_too_many_are_stopped(browse: Browse) -> None:
    client = browse()
    answers = [client.post("/login", data={"name": name, "password": "wrong horse battery"}) for name in ("Ada", "Eve")]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].text.replace("Ada", "Eve") == answers[1].text
    codes = [client.post("/login", data={"name": "Ada", "password": "wrong"}).status_code for _ in range(10)]
    assert codes == [401] * 8 + [429] * 2
    assert "Wait 60 seconds" in client.post("/login", data={"name": "Ada", "password": PASSWORD}).text


def test_logging_out_ends_the_session_on_the_server(browse: Browse) -> None:
    client = browse("Ada")
    secret = client.cookies["tunewright_session"]
    assert client.post("/logout", data={"x": ""}).headers["location"] == "/login"
    client.cookies.set("tunewright_session", secret)
    assert client.get("/").status_code == 303


def test_a_link_from_another_site_finds_the_session_by_one_hop(browse: Browse) -> None:
    """The strict cookie stays at home when another site sends the browser here, and is there after our own page."""
    page = browse().get("/login?back=/items/7/next", headers={"sec-fetch-site": "cross-site"})
    (target,) = re.findall(r'content="0; url=([^"]*)"', page.text)
    assert browse("Ada").get(html.unescape(target)).headers["location"] == "/items/7/next"
    assert "Password" in browse().get(html.unescape(target)).text


def test_what_was_typed_when_the_session_ended_is_sent_after_the_login(browse: Browse, clock: Clock) -> None:
    client = browse("Ada")
    clock.now += IDLE_SECONDS
    typed = {"edited_answer": TYPED, "token": "t", "empty": ""}
    stopped = client.post("/items/7?kind=pair", data=typed)
    assert stopped.status_code == 401
    assert "is kept" in stopped.text
    wrong = client.post("/login", data=fields_of(stopped.text) | {"name": "Ada", "password": "wrong horse battery"})
    assert wrong.status_code == 401
    resumed = client.post("/login", data=fields_of(wrong.text) | {"name": "Ada", "password": PASSWORD})
    assert resumed.status_code == 200
    assert '<form method="post" action="/items/7?kind=pair" class="card" data-autosubmit>' in resumed.text
    assert fields_of(resumed.text) == typed
    assert client.post("/items/7?kind=pair", data=fields_of(resumed.text)).json() == {"who": "Ada", **typed}


def test_somebody_else_who_logs_in_is_asked_first(browse: Browse, accounts: Accounts, clock: Clock) -> None:
    accounts.accept(accounts.invite("reviewer", by="Ada"), "Bob", PASSWORD)
    client = browse("Ada")
    clock.now += IDLE_SECONDS
    stopped = client.post("/items/7", data={"edited_answer": TYPED})
    resumed = client.post("/login", data=fields_of(stopped.text) | {"name": "Bob", "password": PASSWORD})
    assert "data-autosubmit" not in resumed.text
    assert "recorded under <strong>Bob</strong>" in resumed.text


def test_what_is_too_large_to_carry_is_left_to_the_browser(browse: Browse) -> None:
    stopped = browse().post("/items/7", data={"edited_answer": "x" * MAX_CARRIED_BYTES})
    assert stopped.status_code == 401
    assert "log in in another tab" in stopped.text
    assert len(stopped.text) < 10_000


@pytest.mark.parametrize(
    ("path", "packed"),
    [
        ("//evil.example", "YT1i"),
        ("https://evil.example", "YT1i"),
        ("/logout", "YT1i"),
        ("/items/7", "\u00eb"),
        ("/items/7", "YQ"),
        ("", "YT1i"),
    ],
)
def test_a_forged_form_to_carry_is_dropped(browse: Browse, path: str, packed: str) -> None:
    login = {"name": "Ada", "password": PASSWORD, "next_path": path, "next_form": packed}
    answer = browse().post("/login", data=login)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_an_api_call_without_a_login_is_told_so(browse: Browse) -> None:
    answer = browse().post("/api/votes", json={})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_a_link_lets_one_person_choose_a_name_and_a_password(browse: Browse, accounts: Accounts) -> None:
    lead = browse("Ada")
    page = lead.post("/people/invite", data={"role": "adjudicator"})
    (link,) = re.findall(r'<code class="secret">(.*)</code>', page.text)
    assert link.startswith(f"{ORIGIN}/welcome/")
    assert link not in lead.get("/people").text
    client, path = browse(), link.removeprefix(ORIGIN)
    assert "You join as <strong>adjudicator</strong>" in client.get(path).text
    for fields, code in (
        ({"name": "ADA", "password": PASSWORD}, 409),
        ({"name": "Bob", "password": "short"}, 422),
        ({"x": ""}, 422),
    ):
        refused = client.post(path, data=fields)
        assert refused.status_code == code
        assert 'role="alert"' in refused.text
    assert client.post(path, data={"name": "Bob", "password": PASSWORD}).headers["location"] == "/"
    assert client.get("/").text == '"Bob"'
    assert client.get(path).status_code == 404
    assert client.post(path, data={"name": "Eve", "password": PASSWORD}).status_code == 404
    assert accounts.get("Bob").role == "adjudicator"


def test_a_changed_password_ends_other_sessions_and_keeps_this_one(browse: Browse) -> None:
    here, there = browse("Ada"), browse("Ada")
    wrong = here.post("/account/password", data={"old": "wrong horse battery", "new": "another horse battery"})
    assert wrong.status_code == 422
    assert here.post("/account/password", data={"old": PASSWORD, "new": "another horse battery"}).status_code == 303
    assert here.get("/account").status_code == 200
    assert there.get("/account").status_code == 303


def test_own_sessions_can_be_ended_and_those_of_others_not(browse: Browse, accounts: Accounts) -> None:
    accounts.accept(accounts.invite("reviewer", by="Ada"), "Bob", PASSWORD)
    here, there, bob = browse("Ada"), browse("Ada"), browse("Bob")
    (other,) = re.findall(r'name="session" value="([^"]*)"', here.get("/account").text)
    bob.post("/account/sessions/end", data={"session": other})
    assert there.get("/account").status_code == 200
    here.post("/account/sessions/end", data={"session": other})
    assert there.get("/account").status_code == 303
    assert here.get("/account").status_code == 200


def test_a_token_shows_once_and_does_what_it_may(browse: Browse) -> None:
    client, program = browse("Ada"), browse()
    page = client.post("/account/tokens", data={"label": "<b>export</b>", "days": "30", "scope_read": "yes"})
    (token,) = re.findall(r"tw_[\w-]+", page.text)
    listed = client.get("/account").text
    assert token not in listed
    assert "&lt;b&gt;export&lt;/b&gt;" in listed
    bearer = {"authorization": f"Bearer {token}"}
    assert program.get("/api/me", headers=bearer).json() == {"name": "Ada", "role": "adjudicator", "scopes": ["read"]}
    assert program.post("/api/votes", json={}, headers=bearer).status_code == 403
    assert program.get("/items/7/next", headers=bearer).status_code == 403
    assert program.get("/people", headers=bearer).status_code == 403
    assert program.get("/account", headers=bearer).status_code == 403
    (reference,) = re.findall(r'name="token" value="([^"]*)"', listed)
    client.post("/account/tokens/revoke", data={"token": reference})
    assert program.get("/api/me", headers=bearer).status_code == 401


def test_a_program_with_a_voting_token_needs_no_origin(app: FastAPI, accounts: Accounts) -> None:
    token = accounts.tokens.create(accounts.get("Ada").id, label="x", scopes=["vote"], days=1)
    bearer = {"authorization": f"Bearer {token}"}
    with TestClient(app, base_url=ORIGIN) as program:
        assert program.post("/api/votes", json={}, headers=bearer).text == '"Ada"'
        assert program.post("/api/votes", json={}, headers=bearer | {"cookie": "a=b"}).status_code == 403
        assert program.post("/api/votes", json={}, headers=bearer | {"origin": "https://evil.example"}).status_code == 403
        assert program.get("/api/me", headers=bearer).status_code == 403


@pytest.mark.parametrize("fields", [{}, {"label": "x", "days": "90"}, {"label": "x", "days": "\u0663", "scope_read": "yes"}])
def test_a_token_that_makes_no_sense_is_refused(browse: Browse, fields: dict[str, str]) -> None:
    answer = browse("Ada").post("/account/tokens", data=fields or {"x": ""})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


def test_a_lead_manages_people_and_stays_the_last(browse: Browse, accounts: Accounts) -> None:
    accounts.accept(accounts.invite("reviewer", by="Ada"), "Bob", PASSWORD)
    lead, bob = browse("Ada"), browse("Bob")
    assert lead.post("/people/role", data={"name": "Bob", "role": "adjudicator"}).status_code == 303
    assert bob.get("/").status_code == 303
    bob = browse("Bob")
    assert bob.get("/people").status_code == 403
    assert bob.post("/people/role", data={"name": "Bob", "role": "lead"}).status_code == 403
    assert lead.post("/people/disable", data={"name": "Bob"}).status_code == 303
    assert bob.get("/").status_code == 303
    assert lead.post("/people/enable", data={"name": "Bob"}).status_code == 303
    for path, fields in (("disable", {"name": "Ada"}), ("role", {"name": "Ada", "role": "reviewer"})):
        refused = lead.post(f"/people/{path}", data=fields)
        assert refused.status_code == 409
        assert "only lead" in refused.text
    assert lead.post("/people/disable", data={"name": "Nobody"}).status_code == 404
    assert lead.post("/people/role", data={"name": "Bob", "role": "root"}).status_code == 422
    (link,) = re.findall(r"/welcome/[\w-]+", lead.post("/people/password", data={"name": "Bob"}).text)
    assert "Choose a new password" in browse().get(link).text


def test_no_secret_reaches_a_log_or_an_address(
    browse: Browse, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    lead = browse("Ada")
    secrets = [PASSWORD, lead.cookies["tunewright_session"]]
    page = lead.post("/account/tokens", data={"label": "x", "days": "30", "scope_vote": "yes"})
    secrets += re.findall(r"tw_[\w-]+", page.text)
    browse().post("/api/votes", json={}, headers={"authorization": f"Bearer {secrets[-1]}"})
    browse().post("/login", data={"name": "Ada", "password": f"{PASSWORD}!"})
    lead.post("/account/password", data={"old": "wrong", "new": PASSWORD})
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    out, err = capfd.readouterr()
    written = "\n".join([*ours, out, err])
    assert len(secrets) == 3
    assert [secret for secret in secrets if secret in written] == []
