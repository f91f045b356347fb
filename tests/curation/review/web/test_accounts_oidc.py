"""Single sign-on through the pages: out to the provider, back to the callback, and in."""

import html
import re
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from curation.review.accounts.accounts import Accounts
from curation.review.accounts.identity import AccountsIdentity
from curation.review.accounts.oidc import Provider
from curation.review.web import accounts_routes
from curation.review.web.guard import Guard
from curation.review.web.site import Site
from tests.curation.review.accounts.test_oidc import CONFIG, ISSUER, FakeProvider
from tests.curation.review.web.test_accounts_routes import accounts, shared  # noqa: F401 (fixtures)

pytestmark = pytest.mark.slow

ORIGIN = "http://127.0.0.1:3001"
CROSS = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}


@pytest.fixture
def fake() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def browse(accounts: Accounts, fake: FakeProvider) -> Iterator[Callable[..., TestClient]]:  # noqa: F811
    at_home = TestClient(fake.app(), base_url=ISSUER, follow_redirects=False)

    def forward(request: httpx2.Request) -> httpx2.Response:
        answer = at_home.request(request.method, str(request.url), headers=dict(request.headers), content=request.content)
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)

    app = FastAPI(openapi_url=None)
    app.add_middleware(Guard, hosts=frozenset({"127.0.0.1"}))
    site = Site({}, AccountsIdentity(accounts))
    provider = Provider(CONFIG, accounts, transport=httpx2.MockTransport(forward))
    accounts_routes.add_routes(app, site, accounts, oidc=provider)
    opened: list[TestClient] = []

    def browse(origin: str = ORIGIN) -> TestClient:
        opened.append(TestClient(app, base_url=origin, follow_redirects=False))
        return opened[-1]

    yield browse
    for client in (at_home, *opened):
        client.close()


Browse = Callable[..., TestClient]


def go_and_come_back(client: TestClient, fake: FakeProvider, path: str) -> tuple[int, str]:
    """Follow the browser to the provider and back; return the callback's status and page."""
    leaving = client.get(path)
    with TestClient(fake.app(), base_url=ISSUER, follow_redirects=False) as browser:
        back = browser.get(leaving.headers["location"]).headers["location"]
    answer = client.get(back, headers=CROSS)
    return answer.status_code, answer.text


def test_an_invited_person_joins_and_comes_back(browse: Browse, fake: FakeProvider, accounts: Accounts) -> None:  # noqa: F811
    client, link = browse(), accounts.invite("adjudicator", by="Ada")
    (path,) = re.findall(r'href="(/login/oidc[^"]*)"', client.get(f"/welcome/{link}").text)
    code, page = go_and_come_back(client, fake, html.unescape(path))
    assert code == 200
    assert 'content="0; url=/"' in page
    assert client.get("/api/me").json()["name"] == "Zo\u00eb"
    client.post("/logout", data={"x": ""}, headers={"sec-fetch-site": "same-origin"})
    (path,) = re.findall(r'href="(/login/oidc[^"]*)"', client.get("/login?back=/account").text)
    code, page = go_and_come_back(client, fake, html.unescape(path))
    assert 'content="0; url=/account"' in page
    assert client.get("/api/me").json()["role"] == "adjudicator"


def test_a_stranger_is_told_to_ask_a_lead(browse: Browse, fake: FakeProvider) -> None:
    client = browse()
    code, page = go_and_come_back(client, fake, "/login/oidc")
    assert code == 403
    assert "ask a lead" in page
    assert client.get("/api/me").status_code == 401


def test_an_answer_in_another_browser_is_refused(browse: Browse, fake: FakeProvider, accounts: Accounts) -> None:  # noqa: F811
    """Somebody could send a victim the address that ends their own login, to make the victim work in their name."""
    thief, victim = browse(), browse()
    leaving = thief.get(f"/login/oidc?welcome={accounts.invite('lead', by='Ada')}")
    with TestClient(fake.app(), base_url=ISSUER, follow_redirects=False) as browser:
        back = browser.get(leaving.headers["location"]).headers["location"]
    assert victim.get(back, headers=CROSS).status_code == 403
    assert victim.get("/api/me").status_code == 401


def test_the_flow_cookie_is_for_this_host_and_ten_minutes(browse: Browse) -> None:
    cookie = browse("https://127.0.0.1:3001").get("/login/oidc").headers["set-cookie"]
    assert cookie.startswith("__Host-tunewright_flow=")
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure", "Max-Age=600"} <= set(cookie.split("; "))


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example"])
def test_single_sign_on_never_leads_elsewhere(browse: Browse, fake: FakeProvider, accounts: Accounts, back: str) -> None:  # noqa: F811
    client = browse()
    path = f"/login/oidc?welcome={accounts.invite('reviewer', by='Ada')}&back={back}"
    _, page = go_and_come_back(client, fake, path)
    assert 'content="0; url=/"' in page


def test_a_provider_that_is_gone_leaves_the_password(browse: Browse, fake: FakeProvider) -> None:
    fake.issuer = "https://evil.example"
    answer = browse().get("/login/oidc")
    assert answer.status_code == 403
    assert "log in with your password" in answer.text
    assert urlsplit(str(answer.url)).path == "/login/oidc"
