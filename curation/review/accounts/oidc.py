"""Single sign-on by OpenID Connect (extra `oidc`): authorization code with PKCE, state and nonce, tokens checked by signature.

    provider = Provider(ProviderConfig(issuer="https://id.example.org", client_id="review", client_secret="..."), accounts)
    begun = provider.begin(redirect_uri="https://review.example.org/login/oidc/callback", back="/")
    begun.url                                                    # send the browser there, with the cookie begun.browser
    provider.finish({"state": ..., "code": ...}, browser=begun.browser, redirect_uri=...)      Entered(person_id=3, back="/")

Nobody signs up by having an account at the provider: a person is known by (issuer, subject) after using an invitation
through the provider, unless `new_people` names the role of everybody whom the provider vouches for.
"""

import importlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import sqlalchemy as sa

from curation.review.accounts.accounts import Accounts
from curation.review.accounts.attempts import address_subject
from curation.review.accounts.credentials import digest, new_secret
from curation.review.accounts.person import Role
from curation.review.accounts.tables import flows, identities, people
from curation.review.errors import (
    InvitationInvalidError,
    NameTakenError,
    PersonNameError,
    SingleSignOnError,
    SingleSignOnMissingError,
)

FLOW_SECONDS = 600.0
TIMEOUT_SECONDS = 10.0
LEEWAY_SECONDS = 60
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
"""Signatures with the provider's private key; nothing that its client secret, or nobody, could have made."""
MAX_PARAMETER_CHARS = 4_000


@dataclass(frozen=True, kw_only=True)
class ProviderConfig:
    """How this app is registered at the provider."""

    issuer: str
    """Without `/.well-known/openid-configuration`; https, or http on loopback."""
    client_id: str
    client_secret: str = field(default="", repr=False)
    label: str = "single sign-on"
    """What the button on the login page says."""
    new_people: Role | None = None
    """Role of people whom the provider vouches for and nobody invited; None: they are refused."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.issuer)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")):
            raise ValueError("the issuer of single sign-on must be an https address")
        if not self.client_id:
            raise ValueError("single sign-on needs a client_id")


class Begun(NamedTuple):
    """A login that has been sent to the provider."""

    url: str
    browser: str
    """Kept in a cookie, so that only the browser that began a login can end it."""


class Entered(NamedTuple):
    """Who has come back from the provider, and where they wanted to go."""

    person_id: int
    back: str


class Provider:
    """One OpenID provider. Thread-safe."""

    def __init__(self, config: ProviderConfig, accounts: Accounts, *, transport: Any = None) -> None:
        """Raises SingleSignOnMissingError without the extra `oidc`. `transport` (httpx2) is for tests."""
        _failures()
        self.config = config
        self._accounts = accounts
        self._transport = transport
        self._metadata: dict[str, Any] = {}
        self._keys: Any = None

    def begin(self, *, redirect_uri: str, back: str, address: str, invitation: str = "") -> Begun:
        """Return where to send the browser.

        Raises:
            SingleSignOnError: if the provider cannot be reached.
            TooManyTriesError: if this address began too many.
        """
        self._accounts.attempts.take(f"flow:{address_subject(address)}")
        metadata = self._discover()
        state, browser, nonce, verifier = (new_secret() for _ in range(4))
        row = {
            "state_hash": digest(state),
            "browser_hash": digest(browser),
            "nonce": nonce,
            "verifier": verifier,
            "back": back,
            "invitation_hash": digest(invitation) if invitation else "",
            "expires_at": self._accounts.now() + FLOW_SECONDS,
        }
        self._accounts.database.write(lambda connection: _keep_flow(connection, row, self._accounts.now()))
        with self._client(redirect_uri) as client:
            url, _ = client.create_authorization_url(
                metadata["authorization_endpoint"], state=state, nonce=nonce, code_verifier=verifier
            )
        return Begun(str(url), f"{browser}.{invitation}" if invitation else browser)

    def finish(self, parameters: Mapping[str, str], *, browser: str, redirect_uri: str) -> Entered:
        """Return who has come back.

        Raises:
            SingleSignOnError: if the answer is not to a question of this browser, is not signed by the provider, or
                names somebody who is not let in.
        """
        secret, _, invitation = browser.partition(".")
        flow = self._take_flow(parameters.get("state", ""), secret, invitation)
        if "code" not in parameters:
            raise SingleSignOnError(problem="the provider did not confirm who you are")
        claims = self._exchange(parameters["code"][:MAX_PARAMETER_CHARS], flow, redirect_uri)
        try:
            return Entered(self._find_person(claims, invitation), flow.back)
        except (InvitationInvalidError, NameTakenError, PersonNameError) as error:
            raise SingleSignOnError(problem=str(error).rstrip(".")) from error

    # -- the flow --------------------------------------------------------------------------------------------------

    def _take_flow(self, state: str, browser: str, invitation: str) -> Any:
        """Return the flow of a state, once, and only to the browser that began it."""
        invited = digest(invitation) if invitation else ""
        mine = sa.and_(
            flows.c.state_hash == digest(state),
            flows.c.browser_hash == digest(browser),
            flows.c.invitation_hash == invited,
            flows.c.expires_at > self._accounts.now(),
        )

        def work(connection: sa.Connection) -> Any:
            flow = connection.execute(sa.select(flows).where(mine)).first()
            return flow if connection.execute(sa.delete(flows).where(mine)).rowcount == 1 else None

        flow = self._accounts.database.write(work)
        if flow is None:
            raise SingleSignOnError(problem="this answer belongs to no login that this browser began in the last ten minutes")
        return flow

    def _exchange(self, code: str, flow: Any, redirect_uri: str) -> Mapping[str, Any]:
        """Return the checked claims of the ID token that the provider gives for a code."""
        try:
            with self._client(redirect_uri) as client:
                token = client.fetch_token(self._discover()["token_endpoint"], code=code, code_verifier=flow.verifier)
            return self._check(token["id_token"], flow.nonce, token.get("access_token", ""))
        except _failures() as error:
            raise SingleSignOnError(problem="the provider's answer could not be verified") from error

    def _check(self, id_token: str, nonce: str, access_token: str) -> Mapping[str, Any]:
        jwt = _import("joserfc.jwt")
        try:
            decoded = jwt.decode(id_token, self._key_set(), algorithms=ALGORITHMS)
        except (_import("joserfc.errors").JoseError, ValueError):  # the provider may have new keys
            self._keys = None
            decoded = jwt.decode(id_token, self._key_set(), algorithms=ALGORITHMS)
        client_id = self.config.client_id
        options = {"iss": {"essential": True, "value": self.config.issuer}, "aud": {"essential": True, "value": client_id}}
        params = {"nonce": nonce, "client_id": client_id, "access_token": access_token}
        claims = _import("authlib.oidc.core").CodeIDToken(decoded.claims, decoded.header, options, params)
        claims.validate(now=int(time.time()), leeway=LEEWAY_SECONDS)
        return dict(claims)

    def _find_person(self, claims: Mapping[str, Any], invitation: str) -> int:
        issuer, subject = self.config.issuer, str(claims["sub"])
        with self._accounts.database.read() as connection:
            query = sa.select(people.c.id, people.c.disabled_at).join(identities, identities.c.person_id == people.c.id)
            known = connection.execute(query.where(identities.c.issuer == issuer, identities.c.subject == subject)).first()
        if known is not None:
            if known.disabled_at is not None:
                raise SingleSignOnError(problem="your account here is disabled; ask a lead")
            return int(known.id)
        name = str(claims.get("name") or claims.get("preferred_username") or claims.get("email") or "")
        if invitation:
            account = self._accounts.accept_without_password(invitation, name)
        elif self.config.new_people is not None:
            account = self._accounts.admit(name, self.config.new_people, by=self.config.label)
        else:
            raise SingleSignOnError(problem="nobody has invited you yet; ask a lead for a link and open it first")
        row = {"issuer": issuer, "subject": subject, "person_id": account.id, "created_at": self._accounts.now()}
        self._accounts.database.write(lambda connection: connection.execute(sa.insert(identities).values(**row)))
        return account.id

    # -- the provider ----------------------------------------------------------------------------------------------

    def _discover(self) -> dict[str, Any]:
        if not self._metadata:
            found = self._get(f"{self.config.issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != self.config.issuer:
                raise SingleSignOnError(problem="the provider calls itself by another name than the configured issuer")
            self._metadata = found
        return self._metadata

    def _key_set(self) -> Any:
        if self._keys is None:
            self._keys = _import("joserfc.jwk").KeySet.import_key_set(self._get(self._discover()["jwks_uri"]))
        return self._keys

    def _get(self, url: str) -> dict[str, Any]:
        try:
            with self._client("") as client:
                answer = client.request("GET", url, withhold_token=True)
                answer.raise_for_status()
                return dict(answer.json())
        except _failures() as error:
            raise SingleSignOnError(problem="the provider cannot be reached") from error

    def _client(self, redirect_uri: str) -> Any:
        secret = self.config.client_secret
        return _import("authlib.integrations.httpx_client").OAuth2Client(
            client_id=self.config.client_id,
            client_secret=secret or None,
            token_endpoint_auth_method="client_secret_basic" if secret else "none",  # noqa: S106
            scope="openid profile email",
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
            **({"transport": self._transport} if self._transport is not None else {}),
        )


def _keep_flow(connection: sa.Connection, row: dict[str, Any], now: float) -> None:
    connection.execute(sa.delete(flows).where(flows.c.expires_at <= now))
    connection.execute(sa.insert(flows).values(**row))


def _import(module: str) -> Any:
    """Return a module of the extra `oidc`. Raises SingleSignOnMissingError."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SingleSignOnMissingError from error


def _failures() -> tuple[type[Exception], ...]:
    """Return what a provider that is gone, broken or hostile can cause."""
    http, oauth, jose = _import("httpx2"), _import("authlib.integrations.httpx_client"), _import("joserfc.errors")
    return (http.HTTPError, http.InvalidURL, oauth.OAuthError, jose.JoseError, ValueError, KeyError, TypeError)
