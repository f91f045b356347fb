"""Who sends a request: a session cookie, an API token, or a header of a trusted proxy.

    identity = AccountsIdentity(accounts)
    identity.identify(request)      Person(name="Ada", role="lead", scopes=frozenset({"read", "vote", "manage"}))

A token is held to its scopes here, for all routes: it reads with `read`, changes with `vote` or `manage`, and without
`manage` it never has the rights of a lead. `check_scope` is for routes that want to be more exact.
"""

import unicodedata

from starlette.requests import HTTPConnection
from starlette.responses import Response

from curation.review.accounts.accounts import Account, Accounts
from curation.review.accounts.person import Person, Role
from curation.review.accounts.proxies import TrustedProxies
from curation.review.accounts.sessions import MAX_SECONDS, Session
from curation.review.accounts.tokens import Scope, TokenOwner
from curation.review.errors import NameTakenError, PersonNameError, ScopeMissingError, UnknownPersonError

COOKIE = "tunewright_session"
SECURE_COOKIE = f"__Host-{COOKIE}"
"""Under TLS: browsers take this name only from this very host, over TLS, for all paths."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CHANGING_READS = ("/next",)
"""Ends of paths where a GET takes something, such as the lease of an item."""


class AccountsIdentity:
    """Finds the person of a request. Thread-safe."""

    def __init__(self, accounts: Accounts, *, proxies: TrustedProxies | None = None, new_people: Role | None = None) -> None:
        """Where `proxies` name people, `new_people` is the role of those seen for the first time (None: invited only)."""
        self.accounts = accounts
        self.proxies = proxies or TrustedProxies()
        self._new_people = new_people

    def identify(self, request: HTTPConnection) -> Person | None:
        """Return the person, or None if nobody is logged in.

        Raises:
            ScopeMissingError: if a token may not do this.
            UntrustedProxyError: if the header that names people comes from somewhere else.
        """
        named = self.proxies.user(request)
        token = read_bearer(request)
        if token is not None:
            owner = self.accounts.tokens.find(token)
            return _hold_to_scopes(owner, request) if owner else None
        if self.proxies.user_header:
            account = self._vouched(named) if named else None
            return Person(name=account.name, role=account.role) if account else None
        session = self.session(request)
        return Person(name=session.name, role=session.role) if session else None

    def session(self, request: HTTPConnection) -> Session | None:
        """Return the session of the cookie, or None."""
        secret = self.read_cookie(request)
        return self.accounts.sessions.find(secret) if secret else None

    def read_cookie(self, request: HTTPConnection) -> str:
        """Return the session id that the browser sent; empty if none."""
        return request.cookies.get(self._cookie(request), "")[:200]

    def set_cookie(self, request: HTTPConnection, response: Response, secret: str) -> None:
        """Give the browser a session id: no script reads it, no other site makes the browser send it."""
        response.set_cookie(
            self._cookie(request),
            secret,
            max_age=int(MAX_SECONDS),
            path="/",
            secure=self.proxies.is_https(request),
            httponly=True,
            samesite="strict",
        )

    def delete_cookie(self, request: HTTPConnection, response: Response) -> None:
        """Make the browser forget its session id."""
        secure = self.proxies.is_https(request)
        response.delete_cookie(self._cookie(request), path="/", secure=secure, httponly=True, samesite="strict")

    def _cookie(self, request: HTTPConnection) -> str:
        return SECURE_COOKIE if self.proxies.is_https(request) else COOKIE

    def _vouched(self, name: str) -> Account | None:
        """Return the person whom a proxy names: with exactly this name, not one that only looks like it."""
        try:
            account = self.accounts.get(name)
        except UnknownPersonError:
            return self._admit(name)
        is_same = account.name.casefold() == unicodedata.normalize("NFC", name).casefold()
        return account if is_same and account.disabled_at is None else None

    def _admit(self, name: str) -> Account | None:
        if self._new_people is None:
            return None
        try:
            return self.accounts.admit(name, self._new_people, by="the proxy")
        except (PersonNameError, NameTakenError):
            return None


def read_bearer(request: HTTPConnection) -> str | None:
    """Return the token of an Authorization header; None without one. Other schemes are a proxy's own login, passed on."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip()[:200] if scheme.lower() == "bearer" else None


def check_scope(person: Person, scope: Scope) -> None:
    """Refuse what an API token was not made for. Raises ScopeMissingError."""
    if scope not in person.scopes:
        raise ScopeMissingError(scope=scope)


def is_change(request: HTTPConnection) -> bool:
    """Tell whether a request changes something."""
    changes = request.scope.get("method", "GET") not in SAFE_METHODS
    return changes or request.scope["path"].rstrip("/").endswith(CHANGING_READS)


def _hold_to_scopes(owner: TokenOwner, request: HTTPConnection) -> Person:
    needed: Scope = "vote" if is_change(request) else "read"
    person = Person(name=owner.name, role=owner.role, scopes=owner.scopes)
    if "manage" not in owner.scopes:
        check_scope(person, needed)
        role: Role = "adjudicator" if owner.role == "lead" else owner.role
        return Person(name=owner.name, role=role, scopes=owner.scopes)
    return person
