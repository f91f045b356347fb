"""Who may open which page about people, and which proxies are believed about who they are."""

# ruff: noqa: F811 (fixtures that are imported are named again where they are asked for)

from collections.abc import Mapping

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from curation.review.accounts.accounts import Accounts
from curation.review.accounts.proxies import TrustedProxies
from tests.curation.review.accounts.conftest import PASSWORD
from tests.curation.review.web.access import Caller, Rule, check_access, unlisted_routes
from tests.curation.review.web.test_accounts_routes import (  # noqa: F401 (fixtures)
    ORIGIN,
    SAME,
    accounts,
    app,
    build_app,
    shared,
)

pytestmark = pytest.mark.slow


def test_a_header_counts_only_from_the_proxy(accounts: Accounts) -> None:
    proxies = TrustedProxies.read(["10.0.0.0/8", "2001:db8::/32"], user_header="X-Remote-User")
    app = build_app(accounts, proxies)

    def ask(peer: str, headers: Mapping[str, str | bytes]) -> tuple[int, str]:
        with TestClient(app, base_url=ORIGIN, client=(peer, 1), follow_redirects=False) as client:
            answer = client.get("/api/me", headers=headers)  # type: ignore[arg-type]
            return answer.status_code, answer.json().get("name", "")

    named = {"x-remote-user": "ada"}
    assert ask("10.1.2.3", named) == (200, "Ada")
    assert ask("2001:db8::1", named) == (200, "Ada")
    assert ask("::ffff:10.1.2.3", named) == (200, "Ada")
    assert ask("10.1.2.3", named | {"authorization": "Basic YWRhOng="}) == (200, "Ada")  # the login before us is passed on
    assert ask("10.1.2.3", named | {"authorization": "Bearer tw_x"}) == (401, "")
    assert ask("10.1.2.3", {"authorization": "Basic YWRhOng="}) == (401, "")
    assert ask("10.1.2.3", {}) == (401, "")
    assert ask("10.1.2.3", {"x-remote-user": "\u0430da".encode()}) == (401, "")
    assert ask("10.1.2.3", {"x-remote-user": "Nobody"}) == (401, "")
    for peer in ("11.1.2.3", "127.0.0.1", "testclient", "192.0.2.1"):
        assert ask(peer, named) == (403, "")
        assert ask(peer, named | {"x-forwarded-for": "10.1.2.3"}) == (403, "")
    accounts.accept(accounts.invite("lead", by="Ada"), "Bob", PASSWORD)
    accounts.disable("Ada", by="Bob")
    assert ask("10.1.2.3", named) == (401, "")


def test_only_a_trusted_proxy_says_who_the_client_is(accounts: Accounts) -> None:
    app = build_app(accounts, TrustedProxies.read(["10.0.0.0/8"]))
    seen = []
    for peer, forwarded in (("10.0.0.1", "1.1.1.1, 192.0.2.9, 10.0.0.2"), ("192.0.2.1", "10.9.9.9"), ("10.0.0.1", "")):
        with TestClient(app, base_url=ORIGIN, client=(peer, 1), follow_redirects=False, headers=SAME) as client:
            headers = {"x-forwarded-for": forwarded, "x-forwarded-proto": "https"} if forwarded else {}
            answer = client.post("/login", data={"name": "Ada", "password": PASSWORD}, headers=headers)
            seen.append("Secure" in answer.headers["set-cookie"])
    assert seen == [True, False, False]
    addresses = {session.address for session in accounts.sessions.of(accounts.get("Ada").id)}
    assert addresses == {"192.0.2.9", "192.0.2.1", "10.0.0.1"}


def test_a_header_without_a_proxy_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="address of the proxy"):
        TrustedProxies.read([], user_header="X-Remote-User")


RULES = [
    Rule("GET", "/", "reviewer"),
    Rule("GET", "/items/{item}/next", "reviewer"),
    Rule("POST", "/items/{item}", "reviewer"),
    Rule("POST", "/api/votes", "reviewer"),
    Rule("GET", "/api/me", "reviewer"),
    Rule("GET", "/account", "reviewer"),
    Rule("POST", "/account/tokens", "reviewer"),
    Rule("POST", "/account/tokens/revoke", "reviewer"),
    Rule("POST", "/account/sessions/end", "reviewer"),
    Rule("POST", "/account/password", "reviewer"),
    Rule("GET", "/people", "lead"),
    Rule("POST", "/people/invite", "lead"),
    Rule("POST", "/people/role", "lead"),
    Rule("POST", "/people/disable", "lead"),
    Rule("POST", "/people/enable", "lead"),
    Rule("POST", "/people/password", "lead"),
    Rule("GET", "/welcome/{token}", "public"),
    Rule("POST", "/welcome/{token}", "public"),
    Rule("GET", "/login", "public"),
    Rule("POST", "/logout", "public"),
]
LOGIN = Rule("POST", "/login", "public")


def test_every_route_is_open_to_whom_it_should_be(app: FastAPI, accounts: Accounts) -> None:
    callers = {"Stranger": Caller(None, {}), "Forger": Caller(None, {"cookie": "tunewright_session=x"})}
    for role in ("reviewer", "adjudicator", "lead"):
        accounts.accept(accounts.invite(role, by="Ada"), f"The {role}", PASSWORD)  # type: ignore[arg-type]
        session = accounts.log_in(f"The {role}", PASSWORD, address=role)
        callers[role] = Caller(role, {"cookie": f"tunewright_session={session}"})
    gone = accounts.accept(accounts.invite("lead", by="Ada"), "Gone", PASSWORD)
    callers["Disabled"] = Caller(
        None, {"cookie": f"tunewright_session={accounts.sessions.open(gone.id, agent='', address='')}"}
    )
    accounts.disable("Gone", by="Ada")
    assert unlisted_routes(app, [*RULES, LOGIN]) == set()  # a login with an empty form is refused whoever asks
    assert check_access(app, callers, RULES) == []


def test_the_table_finds_a_route_that_is_too_open(accounts: Accounts) -> None:
    app = build_app(accounts)

    @app.get("/secrets")
    def secrets() -> str:
        return "all of them"

    rule = Rule("GET", "/secrets", "lead")
    assert unlisted_routes(app, [*RULES, LOGIN]) == {("GET", "/secrets")}
    assert check_access(app, {"Stranger": Caller(None, {})}, [rule]) == ["GET /secrets by Stranger (None): 200"]
