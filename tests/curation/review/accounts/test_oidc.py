"""Single sign-on against a provider that keeps the protocol, and against ones that lie."""

import base64
import functools
import hashlib
import hmac
import json
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from curation.review.accounts.accounts import Accounts
from curation.review.accounts.oidc import FLOW_SECONDS, Begun, Entered, Provider, ProviderConfig
from curation.review.errors import SingleSignOnError, SingleSignOnMissingError, TooManyTriesError
from tests.curation.review.accounts.conftest import Clock

pytestmark = pytest.mark.slow

ISSUER = "https://id.example.org"
CALLBACK = "http://127.0.0.1:3001/login/oidc/callback"
KEY = RSAKey.generate_key(2048, {"kid": "one"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "one"})
CONFIG = ProviderConfig(issuer=ISSUER, client_id="review", client_secret="hush")


def sign_with(key: RSAKey, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)


def sign_by_hand(algorithm: str, secret: bytes, claims: dict[str, Any]) -> str:
    """Sign as no library would: with HMAC over whatever secret, or not at all."""
    parts = [json.dumps(part).encode() for part in ({"alg": algorithm, "kid": "one"}, claims)]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = hmac.digest(secret, text, "sha256") if secret else b""
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


@dataclass
class FakeProvider:
    """Asks nobody anything: whoever comes is `claims`. Checks the client, the code and its PKCE verifier."""

    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "s-1", "name": "Zo\u00eb"})
    changed: dict[str, Any] = field(default_factory=dict)
    sign: Callable[[dict[str, Any]], str] = lambda claims: sign_with(KEY, claims)
    issuer: str = ISSUER
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def app(self) -> Starlette:
        routes = [
            Route("/.well-known/openid-configuration", self.describe),
            Route("/authorize", self.authorize),
            Route("/token", self.token, methods=["POST"]),
            Route("/jwks", self.keys),
        ]
        return Starlette(routes=routes)

    def describe(self, request: Request) -> Response:
        ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
        return JSONResponse({"issuer": self.issuer, **{name: f"{ISSUER}/{path}" for name, path in ends.items()}})

    def keys(self, request: Request) -> Response:
        return JSONResponse({"keys": [KEY.as_dict(private=False)]})

    def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert asked["client_id"] == "review"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?code={code}&state={asked['state']}", 303)

    async def token(self, request: Request) -> Response:
        form = await request.form()
        asked = self.codes.pop(str(form["code"]), None)
        challenge = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        client = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        if (
            asked is None
            or client != "review:hush"
            or base64.urlsafe_b64encode(challenge).decode().rstrip("=") != asked["code_challenge"]
            or form["redirect_uri"] != asked["redirect_uri"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "review", "iat": now, "exp": now + 300, "nonce": asked["nonce"]} | self.claims
        claims = {name: value for name, value in (claims | self.changed).items() if value is not None}
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": self.sign(claims)})


@pytest.fixture
def fake() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def connect(fake: FakeProvider, accounts: Accounts) -> Callable[..., Provider]:
    """Return a provider that reaches the fake one."""
    client = TestClient(fake.app(), base_url=ISSUER, follow_redirects=False)

    def forward(request: httpx2.Request) -> httpx2.Response:
        answer = client.request(request.method, str(request.url), headers=dict(request.headers), content=request.content)
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def connect(config: ProviderConfig = CONFIG) -> Provider:
        return Provider(config, accounts, transport=httpx2.MockTransport(forward))

    return connect


Connect = Callable[..., Provider]


def begin(provider: Provider, invitation: str = "", address: str = "192.0.2.7") -> Begun:
    return provider.begin(redirect_uri=CALLBACK, back="/people", address=address, invitation=invitation)


def answer_of(fake: FakeProvider, begun: Begun) -> dict[str, str]:
    """Return what the provider sends the browser back with."""
    with TestClient(fake.app(), base_url=ISSUER, follow_redirects=False) as browser:
        sent_to = browser.get(begun.url).headers["location"]
    assert sent_to.startswith(CALLBACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(sent_to).query).items()}


def enter(fake: FakeProvider, provider: Provider, invitation: str = "") -> Entered:
    begun = begin(provider, invitation)
    return provider.finish(answer_of(fake, begun), browser=begun.browser, redirect_uri=CALLBACK)


def test_an_invited_person_joins_once_and_comes_back_as_the_same(
    fake: FakeProvider, connect: Connect, accounts: Accounts, ada: str
) -> None:
    provider = connect()
    with pytest.raises(SingleSignOnError, match="nobody has invited you"):
        enter(fake, provider)
    link = accounts.invite("adjudicator", by=ada)
    first = enter(fake, provider, link)
    zoe = accounts.get("Zo\u00eb")
    assert (first, zoe.role) == (Entered(zoe.id, "/people"), "adjudicator")
    fake.claims["name"] = "Another name"
    assert enter(fake, provider) == first
    fake.claims["sub"] = "s-2"
    with pytest.raises(SingleSignOnError, match="not valid any more"):
        enter(fake, provider, link)


def test_a_password_link_ties_somebody_who_is_here_to_the_provider(
    fake: FakeProvider, connect: Connect, accounts: Accounts, ada: str
) -> None:
    provider = connect()
    assert enter(fake, provider, accounts.reset(ada, by=ada)).person_id == accounts.get(ada).id
    assert accounts.log_in(ada, "correct horse battery", address="192.0.2.7")
    assert [each.name for each in accounts.people()] == ["Ada"]


def test_people_whom_the_provider_vouches_for_can_be_let_in(
    fake: FakeProvider, connect: Connect, accounts: Accounts, ada: str
) -> None:
    provider = connect(ProviderConfig(issuer=ISSUER, client_id="review", client_secret="hush", new_people="reviewer"))
    enter(fake, provider)
    assert accounts.get("Zo\u00eb").role == "reviewer"
    fake.claims = {"sub": "s-2", "name": "\u0410DA"}
    with pytest.raises(SingleSignOnError, match="is taken"):
        enter(fake, provider)
    accounts.disable("Zo\u00eb", by=ada)
    fake.claims = {"sub": "s-1", "name": "Somebody new"}
    with pytest.raises(SingleSignOnError, match="disabled"):
        enter(fake, provider)


@pytest.mark.parametrize(
    "changed",
    [
        {"nonce": "of another login"},
        {"nonce": None},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another app"},
        {"aud": ["another app", "review"], "azp": "another app"},
        {"aud": None},
        {"sub": None},
        {"exp": 1},
        {"exp": None},
        {"at_hash": "of another token"},
    ],
    ids=str,
)
def test_a_token_that_says_something_else_is_refused(
    fake: FakeProvider, connect: Connect, accounts: Accounts, ada: str, changed: dict[str, Any]
) -> None:
    fake.changed = changed
    link = accounts.invite("lead", by=ada)
    with pytest.raises(SingleSignOnError, match="could not be verified"):
        enter(fake, connect(), link)
    assert accounts.invitation(link)


@pytest.mark.parametrize(
    "sign",
    [
        functools.partial(sign_with, OTHER_KEY),
        functools.partial(sign_by_hand, "HS256", b"hush"),
        functools.partial(sign_by_hand, "HS256", KEY.as_pem(private=False)),
        functools.partial(sign_by_hand, "none", b""),
        functools.partial(sign_by_hand, "RS256", b""),
        lambda claims: "not.a.token",
        lambda claims: "",
    ],
    ids=["another key", "client secret", "public key as a secret", "none", "no signature", "no token", "empty"],
)
def test_a_token_that_the_provider_did_not_sign_is_refused(
    fake: FakeProvider, connect: Connect, accounts: Accounts, ada: str, sign: Callable[[dict[str, Any]], str]
) -> None:
    fake.sign = sign
    with pytest.raises(SingleSignOnError, match="could not be verified"):
        enter(fake, connect(), accounts.invite("lead", by=ada))


def test_an_answer_counts_once_and_only_in_the_browser_that_asked(
    fake: FakeProvider, connect: Connect, accounts: Accounts, ada: str, clock: Clock
) -> None:
    provider, link = connect(), accounts.invite("reviewer", by=ada)
    mine, other = begin(provider, link), begin(provider)
    answer = answer_of(fake, mine)
    for browser in ("", other.browser, mine.browser.partition(".")[0], f"{other.browser}.{link}"):
        with pytest.raises(SingleSignOnError, match="no login that this browser began"):
            provider.finish(answer, browser=browser, redirect_uri=CALLBACK)
    assert provider.finish(answer, browser=mine.browser, redirect_uri=CALLBACK)
    with pytest.raises(SingleSignOnError, match="no login that this browser began"):
        provider.finish(answer, browser=mine.browser, redirect_uri=CALLBACK)
    late = begin(provider)
    clock.now += FLOW_SECONDS
    with pytest.raises(SingleSignOnError, match="no login that this browser began"):
        provider.finish(answer_of(fake, late), browser=late.browser, redirect_uri=CALLBACK)


@pytest.mark.parametrize("answer", [{"error": "access_denied"}, {"code": "made up"}, {"code": ""}])
def test_a_code_that_the_provider_does_not_know_is_refused(connect: Connect, answer: dict[str, str]) -> None:
    provider = connect()
    begun = begin(provider)
    state = parse_qs(urlsplit(begun.url).query)["state"][0]
    with pytest.raises(SingleSignOnError):
        provider.finish(answer | {"state": state}, browser=begun.browser, redirect_uri=CALLBACK)


def test_a_provider_under_another_name_or_gone_is_refused(fake: FakeProvider, connect: Connect, accounts: Accounts) -> None:
    fake.issuer = "https://evil.example"
    with pytest.raises(SingleSignOnError, match="another name"):
        begin(connect())
    gone = httpx2.MockTransport(lambda request: httpx2.Response(500, text="<html>"))
    with pytest.raises(SingleSignOnError, match="cannot be reached"):
        begin(Provider(CONFIG, accounts, transport=gone))


def test_beginning_is_limited_for_an_address(connect: Connect) -> None:
    provider = connect()
    for _ in range(10):
        begin(provider)
    with pytest.raises(TooManyTriesError):
        begin(provider)
    assert begin(provider, address="192.0.2.8")


def test_without_the_extra_the_error_says_what_to_install(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "authlib.integrations.httpx_client", None)
    with pytest.raises(SingleSignOnMissingError, match=r"tunewright\[oidc\]"):
        Provider(CONFIG, accounts)


@pytest.mark.parametrize("issuer", ["http://id.example.org", "ftp://x", "id.example.org", ""])
def test_an_issuer_without_tls_is_refused(issuer: str) -> None:
    with pytest.raises(ValueError, match="https"):
        ProviderConfig(issuer=issuer, client_id="review")


def test_the_secret_is_not_shown() -> None:
    assert "hush" not in repr(CONFIG)
