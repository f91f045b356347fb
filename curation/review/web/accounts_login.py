"""Logging in and out, and what becomes of a form that arrives after the session has ended.

Such a form is answered with 401 and the login page, which carries what was typed along in a hidden field. After the login
it is sent on: at once if the same person is back, with a button otherwise. Nothing typed is lost, and nothing is decided in
the name of somebody who did not ask for it.
"""

import base64
import binascii
from typing import Annotated, Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from curation.review.accounts.identity import AccountsIdentity
from curation.review.accounts.oidc import Provider
from curation.review.errors import LoginRefusedError, TooManyTriesError
from curation.review.web import accounts_oidc
from curation.review.web.forms import read_form, read_return_path
from curation.review.web.guard import API, FORM
from curation.review.web.site import LoginNeededError, Site

MAX_CARRIED_BYTES = 1 << 20
"""Larger forms are not carried: the page says how to send them again from the browser's own memory."""
MAX_CARRIED_FIELDS = 2_000


class Carried(NamedTuple):
    """A form that waits for a login."""

    path: str
    fields: list[tuple[str, str]]
    owner: str
    """Whose session had ended; empty if that is not known."""


async def _form(request: Request) -> dict[str, str]:
    return read_form(await request.body(), request.headers.get("content-type", ""))


Form = Annotated[dict[str, str], Depends(_form)]


def add_routes(app: FastAPI, site: Site, identity: AccountsIdentity, oidc: Provider | None) -> None:
    """Add /login and /logout."""
    accounts = identity.accounts
    _answer_strangers(app, site, identity, oidc)
    if oidc is not None:
        accounts_oidc.add_routes(app, site, identity, oidc)

    @app.get("/login", response_class=HTMLResponse)
    def ask(request: Request, back: str = "/") -> Response:
        back = read_return_path(back)
        if site.visitor(request) is not None:
            return RedirectResponse(back, 303)
        if request.headers.get("sec-fetch-site") == "cross-site":
            return hop(site, f"/login?{urlencode({'back': back})}")
        return _page(site, request, identity, oidc, back=back)

    @app.post("/login")
    def log_in(request: Request, form: Form) -> Response:
        name, back = form.get("name", ""), read_return_path(form.get("back", "/"))
        agent, address = request.headers.get("user-agent", ""), identity.proxies.address(request)
        try:
            secret = accounts.log_in(name, form.get("password", ""), address=address, agent=agent)
        except (LoginRefusedError, TooManyTriesError) as error:
            code = 429 if isinstance(error, TooManyTriesError) else 401
            return _page(site, request, identity, oidc, code=code, name=name, problem=str(error), back=back, form=form)
        accounts.sessions.end(identity.read_cookie(request))
        response = _go_on(site, request, _read_carried(form), back, accounts.sessions.find(secret))
        identity.set_cookie(request, response, secret)
        return response

    @app.post("/logout")
    def log_out(request: Request) -> Response:
        accounts.sessions.end(identity.read_cookie(request))
        response = RedirectResponse("/login", 303)
        identity.delete_cookie(request, response)
        return response


def enter(request: Request, identity: AccountsIdentity, person_id: int, back: str) -> Response:
    """Log a person in whose link, password or provider was checked, always under a new session id."""
    agent, address = request.headers.get("user-agent", ""), identity.proxies.address(request)
    identity.accounts.sessions.end(identity.read_cookie(request))
    response = RedirectResponse(back, 303)
    identity.set_cookie(request, response, identity.accounts.sessions.open(person_id, agent=agent, address=address))
    return response


def hop(site: Site, path: str) -> HTMLResponse:
    """Answer with a page that moves on to `path` by itself.

    A browser that comes from another site leaves the strict cookie at home, also over redirects; from our page it brings it.
    """
    return HTMLResponse(site.fill("accounts_hop.html", to=path))


def _answer_strangers(app: FastAPI, site: Site, identity: AccountsIdentity, oidc: Provider | None) -> None:
    @app.exception_handler(LoginNeededError)
    async def ask_first(request: Request, error: LoginNeededError) -> Response:
        if request.url.path.startswith(API):
            return JSONResponse({"error": "Log in, or send an API token."}, 401, {"www-authenticate": "Bearer"})
        if request.method in ("GET", "HEAD"):
            back = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
            return RedirectResponse(f"/login?{urlencode({'back': back})}", 303)
        body = await request.body()
        return await run_in_threadpool(_keep_form, site, request, identity, oidc, body)


def _keep_form(site: Site, request: Request, identity: AccountsIdentity, oidc: Provider | None, body: bytes) -> HTMLResponse:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    fits = kind == FORM and len(body) <= MAX_CARRIED_BYTES
    path = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    form = {
        "next_path": path,
        "next_form": base64.urlsafe_b64encode(body).decode() if fits else "",
        "next_owner": identity.accounts.sessions.last_owner(identity.read_cookie(request)),
    }
    return _page(site, request, identity, oidc, code=401, name=form["next_owner"], form=form, too_large=not fits)


def _page(
    site: Site,
    request: Request,
    identity: AccountsIdentity,
    oidc: Provider | None,
    *,
    code: int = 200,
    name: str = "",
    problem: str = "",
    back: str = "/",
    form: dict[str, str] | None = None,
    too_large: bool = False,
) -> HTMLResponse:
    carried = {field: (form or {}).get(field, "") for field in ("next_path", "next_form", "next_owner")}
    given: dict[str, Any] = {
        "name": name,
        "problem": problem,
        "back": back,
        "too_large": too_large,
        "carried": carried,
        "oidc": oidc,
    }
    proxied = bool(identity.proxies.user_header)
    return site.render("accounts_login.html", request, status_code=code, proxied=proxied, person=None, **given)


def _read_carried(form: dict[str, str]) -> Carried | None:
    """Return the form that waits, or None if there is none or it makes no sense. It is as hostile as any other."""
    path, packed = form.get("next_path", ""), form.get("next_form", "")
    if not packed or read_return_path(path) != path or path.startswith(("/login", "/logout")):
        return None
    try:
        body = base64.urlsafe_b64decode(packed[: 2 * MAX_CARRIED_BYTES].encode("ascii")).decode("utf-8", "replace")
        fields = parse_qsl(body, keep_blank_values=True, max_num_fields=MAX_CARRIED_FIELDS)
    except (ValueError, binascii.Error):
        return None
    return Carried(path, fields, form.get("next_owner", ""))


def _go_on(site: Site, request: Request, carried: Carried | None, back: str, session: object) -> Response:
    if carried is None:
        return RedirectResponse(back, 303)
    name = getattr(session, "name", "")
    given: dict[str, Any] = {"carried": carried, "name": name, "is_same": bool(name) and name == carried.owner}
    return site.render("accounts_resume.html", request, person=None, **given)
