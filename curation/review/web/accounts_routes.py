"""Pages about people: logging in and out, joining by a link, one's own account, and for leads everybody's.

    add_routes(app, site, accounts)
    add_routes(app, site, accounts, identity=AccountsIdentity(accounts, proxies=proxies), oidc=provider)

A token shows once, in the answer to the form that made it. API tokens open none of these pages: a stolen one makes no others.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.responses import Response

from curation.errors import TunewrightError
from curation.review.accounts.accounts import Account, Accounts
from curation.review.accounts.identity import AccountsIdentity, read_bearer
from curation.review.accounts.oidc import Provider
from curation.review.accounts.person import ROLES, Person
from curation.review.accounts.tokens import SCOPES
from curation.review.errors import (
    InvitationInvalidError,
    LastLeadError,
    LoginRefusedError,
    NameTakenError,
    PasswordRefusedError,
    PersonNameError,
    ScopeMissingError,
    TokenRefusedError,
    TooManyTriesError,
    UnknownPersonError,
    UntrustedProxyError,
)
from curation.review.web import accounts_login
from curation.review.web.forms import read_form
from curation.review.web.site import Site

Show = Callable[..., HTMLResponse]

_STATUS_CODES: dict[type[TunewrightError], int] = {
    InvitationInvalidError: 404,
    LastLeadError: 409,
    LoginRefusedError: 422,
    NameTakenError: 409,
    PasswordRefusedError: 422,
    PersonNameError: 422,
    TokenRefusedError: 422,
    TooManyTriesError: 429,
    UnknownPersonError: 404,
}

_BROWSERS = {"Edge": "Edg/", "Opera": "OPR/", "Firefox": "Firefox/", "Chrome": "Chrome/", "Safari": "Safari/"}
_SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "macOS": "Mac OS X",
    "Linux": "Linux",
}


async def _form(request: Request) -> dict[str, str]:
    return read_form(await request.body(), request.headers.get("content-type", ""))


Form = Annotated[dict[str, str], Depends(_form)]


def add_routes(
    app: FastAPI,
    site: Site,
    accounts: Accounts,
    *,
    identity: AccountsIdentity | None = None,
    oidc: Provider | None = None,
) -> None:
    """Add the pages, and the answer to whoever is not logged in (it replaces the plain one of the app)."""
    identity = identity or (site.identity if isinstance(site.identity, AccountsIdentity) else AccountsIdentity(accounts))
    _add_refusals(app)
    accounts_login.add_routes(app, site, identity, oidc)
    _add_welcome(app, site, identity, oidc)
    _add_account(app, site, identity)
    _add_people(app, site, accounts, identity.proxies.origin)

    @app.get("/api/me", operation_id="tell_who_asks", tags=["read"])
    def tell_who_asks(request: Request) -> dict[str, object]:
        """Say who sends this request, and what it may do."""
        person = site.person(request)
        return {"name": person.name, "role": person.role, "scopes": sorted(person.scopes)}


def _add_refusals(app: FastAPI) -> None:
    async def refuse(request: Request, error: Exception) -> Response:
        """In plain words, without asking who it is: that is what failed."""
        return JSONResponse({"error": str(error)}, 403)

    app.add_exception_handler(ScopeMissingError, refuse)
    app.add_exception_handler(UntrustedProxyError, refuse)


def _add_welcome(app: FastAPI, site: Site, identity: AccountsIdentity, oidc: Provider | None) -> None:
    accounts = identity.accounts

    def show(request: Request, token: str, *, name: str = "", error: TunewrightError | None = None) -> HTMLResponse:
        try:
            invitation = accounts.invitation(token)
        except InvitationInvalidError as invalid:
            return _problem(site, request, invalid)
        code = _code(error) if error else 200
        given = {"invitation": invitation, "token": token, "name": name, "problem": error and str(error), "oidc": oidc}
        return site.render("accounts_welcome.html", request, status_code=code, **given)

    @app.get("/welcome/{token}", response_class=HTMLResponse)
    def welcome(request: Request, token: str) -> Response:
        return show(request, token)

    @app.post("/welcome/{token}")
    def join(request: Request, token: str, form: Form) -> Response:
        name, password = form.get("name", ""), form.get("password", "")
        try:
            account = accounts.accept(token, name, password)
        except (InvitationInvalidError, PersonNameError, NameTakenError, PasswordRefusedError) as error:
            return show(request, token, name=name, error=error)
        return accounts_login.enter(request, identity, account.id, "/")


def _add_account(app: FastAPI, site: Site, identity: AccountsIdentity) -> None:
    accounts = identity.accounts

    def show(request: Request, *, error: TunewrightError | None = None, secret: str = "", section: str = "") -> HTMLResponse:
        account = _own_account(site, accounts, request)
        session = identity.session(request)
        return site.render(
            "accounts_account.html",
            request,
            status_code=_code(error) if error else 200,
            account=account,
            sessions=accounts.sessions.of(account.id),
            current=session.reference if session else "",
            tokens=accounts.tokens.of(account.id),
            now=accounts.now(),
            moment=_moment,
            browser=_browser,
            scopes=SCOPES,
            secret=secret,
            section=section,
            problem=error and str(error),
        )

    @app.get("/account", response_class=HTMLResponse)
    def show_account(request: Request) -> Response:
        return show(request)

    @app.post("/account/password")
    def change_password(request: Request, form: Form) -> Response:
        account = _own_account(site, accounts, request)
        address = identity.proxies.address(request)
        try:
            accounts.change_password(account.name, form.get("old", ""), form.get("new", ""), address=address)
        except (LoginRefusedError, PasswordRefusedError, TooManyTriesError) as error:
            return show(request, error=error, section="password")
        return accounts_login.enter(request, identity, account.id, "/account")

    @app.post("/account/sessions/end")
    def end_session(request: Request, form: Form) -> Response:
        accounts.sessions.end_one(_own_account(site, accounts, request).id, form.get("session", ""))
        return RedirectResponse("/account", 303)

    _add_tokens(app, site, accounts, show)


def _add_tokens(app: FastAPI, site: Site, accounts: Accounts, show: Show) -> None:
    @app.post("/account/tokens")
    def make_token(request: Request, form: Form) -> Response:
        account = _own_account(site, accounts, request)
        chosen = [scope for scope in SCOPES if form.get(f"scope_{scope}")]
        days = form.get("days", "")
        try:
            number = int(days) if days.isdecimal() and days.isascii() and len(days) < 6 else 0
            secret = accounts.tokens.create(account.id, label=form.get("label", ""), scopes=chosen, days=number)
        except TokenRefusedError as error:
            return show(request, error=error, section="tokens")
        return show(request, secret=secret)

    @app.post("/account/tokens/revoke")
    def revoke_token(request: Request, form: Form) -> Response:
        accounts.tokens.revoke(_own_account(site, accounts, request).id, form.get("token", ""))
        return RedirectResponse("/account", 303)


def _add_people(app: FastAPI, site: Site, accounts: Accounts, origin: Callable[[Request], str]) -> None:
    def show(request: Request, *, link: str = "", link_for: str = "", error: TunewrightError | None = None) -> HTMLResponse:
        return site.render(
            "accounts_people.html",
            request,
            status_code=_code(error) if error else 200,
            people=accounts.people(),
            events=accounts.events(),
            moment=_moment,
            roles=ROLES,
            link=link,
            link_for=link_for,
            problem=error and str(error),
        )

    @app.get("/people", response_class=HTMLResponse)
    def show_people(request: Request) -> Response:
        _lead(site, request)
        return show(request)

    @app.post("/people/invite")
    def invite(request: Request, form: Form) -> Response:
        lead, role = _lead(site, request), form.get("role", "")
        if role not in ROLES:
            raise HTTPException(422, "Choose a role.")
        token = accounts.invite(role, by=lead.name)
        return show(request, link=f"{origin(request)}/welcome/{token}", link_for=f"a new {role}")

    _add_changes(app, site, accounts, show, origin)


def _add_changes(app: FastAPI, site: Site, accounts: Accounts, show: Show, origin: Callable[[Request], str]) -> None:
    def change(request: Request, work: Callable[[str], None]) -> Response:
        lead = _lead(site, request)
        try:
            work(lead.name)
        except (LastLeadError, UnknownPersonError) as error:
            return show(request, error=error)
        return RedirectResponse("/people", 303)

    @app.post("/people/role")
    def set_role(request: Request, form: Form) -> Response:
        name, role = form.get("name", ""), form.get("role", "")
        if role not in ROLES:
            _lead(site, request)
            raise HTTPException(422, "Choose a role.")
        return change(request, lambda lead: accounts.set_role(name, role, by=lead))

    @app.post("/people/disable")
    def disable(request: Request, form: Form) -> Response:
        return change(request, lambda lead: accounts.disable(form.get("name", ""), by=lead))

    @app.post("/people/enable")
    def enable(request: Request, form: Form) -> Response:
        return change(request, lambda lead: accounts.enable(form.get("name", ""), by=lead))

    @app.post("/people/password")
    def make_password_link(request: Request, form: Form) -> Response:
        lead, name = _lead(site, request), form.get("name", "")
        try:
            return show(request, link=f"{origin(request)}/welcome/{accounts.reset(name, by=lead.name)}", link_for=name)
        except UnknownPersonError as error:
            return show(request, error=error)


def _own_account(site: Site, accounts: Accounts, request: Request) -> Account:
    return accounts.get(_in_person(site, request).name)


def _lead(site: Site, request: Request) -> Person:
    _in_person(site, request)
    return site.require(request, "lead")


def _in_person(site: Site, request: Request) -> Person:
    """Return who is asking, who is not a program with a token."""
    if read_bearer(request) is not None:
        raise HTTPException(403, "Accounts are for people: log in with a browser.")
    return site.person(request)


def _problem(site: Site, request: Request, error: TunewrightError) -> HTMLResponse:
    code = _code(error)
    return site.render("problem.html", request, status_code=code, code=code, message=str(error))


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _browser(agent: str) -> str:
    """Return what a User-Agent header means to its owner: `Firefox on Windows`. Every browser names others too."""
    name = next((name for name, part in _BROWSERS.items() if part in agent), "")
    system = next((name for name, part in _SYSTEMS.items() if part in agent), "")
    return " on ".join(filter(None, (name, system))) or "Unknown browser"


def _code(error: TunewrightError) -> int:
    return _STATUS_CODES.get(type(error), 500)
