"""The way to the provider of single sign-on and back: /login/oidc and /login/oidc/callback."""

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from curation.review.accounts.identity import AccountsIdentity
from curation.review.accounts.oidc import FLOW_SECONDS, Provider
from curation.review.errors import SingleSignOnError, TooManyTriesError
from curation.review.web.forms import read_return_path
from curation.review.web.site import Site

COOKIE = "tunewright_flow"
CALLBACK = "/login/oidc/callback"


def add_routes(app: FastAPI, site: Site, identity: AccountsIdentity, provider: Provider) -> None:
    """Add both pages."""

    @app.get("/login/oidc")
    def go_to_provider(request: Request, back: str = "/", welcome: str = "") -> Response:
        address = identity.proxies.address(request)
        try:
            begun = provider.begin(
                redirect_uri=_callback(request, identity),
                back=read_return_path(back),
                address=address,
                invitation=welcome[:200],
            )
        except (SingleSignOnError, TooManyTriesError) as error:
            return _fail(site, request, error)
        response = RedirectResponse(begun.url, 303)
        is_tls = identity.proxies.is_https(request)
        # Lax, not strict: the browser comes back from another site, and has to bring it along.
        response.set_cookie(
            _cookie(is_tls=is_tls), begun.browser, max_age=int(FLOW_SECONDS), secure=is_tls, httponly=True, samesite="lax"
        )
        return response

    @app.get(CALLBACK)
    def come_back(request: Request) -> Response:
        browser = request.cookies.get(_cookie(is_tls=identity.proxies.is_https(request)), "")
        try:
            entered = provider.finish(request.query_params, browser=browser, redirect_uri=_callback(request, identity))
        except SingleSignOnError as error:
            return _fail(site, request, error)
        accounts = identity.accounts
        accounts.sessions.end(identity.read_cookie(request))
        agent, address = request.headers.get("user-agent", ""), identity.proxies.address(request)
        response = HTMLResponse(site.fill("accounts_hop.html", to=entered.back))
        identity.set_cookie(request, response, accounts.sessions.open(entered.person_id, agent=agent, address=address))
        response.delete_cookie(_cookie(is_tls=identity.proxies.is_https(request)))
        return response


def _fail(site: Site, request: Request, error: SingleSignOnError | TooManyTriesError) -> HTMLResponse:
    code = 429 if isinstance(error, TooManyTriesError) else 403
    return site.render("problem.html", request, status_code=code, code=code, message=str(error))


def _callback(request: Request, identity: AccountsIdentity) -> str:
    return f"{identity.proxies.origin(request)}{CALLBACK}"


def _cookie(*, is_tls: bool) -> str:
    return f"__Host-{COOKIE}" if is_tls else COOKIE
