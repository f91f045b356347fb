"""The review app: pages on which a person approves, edits, rejects or prefers, and everything around that.

    app = create_app({"sdk_assistant": queue}, AccountsIdentity(accounts), dagster_url="http://127.0.0.1:3000")

Every action is a plain HTML form (POST, then 303); the scripts only make it quicker. Each area of pages is a module
`*_routes.py` with `add_routes(app, site)`. See `guard.py` for what is refused before a request gets here.
"""

from collections.abc import Collection, Mapping
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.staticfiles import StaticFiles

from curation.errors import (
    DatabaseError,
    ItemWithdrawnError,
    LeaseLostError,
    TunewrightError,
    UnknownIdError,
    VerdictConflictError,
    VerdictRefusedError,
)
from curation.review.errors import BulkRefusedError, GoldRefusedError, GuidelineRefusedError, ScopeMissingError
from curation.review.queue import ReviewQueue
from curation.review.web import (
    api_routes,
    audit_routes,
    bulk_routes,
    cost_routes,
    gold_routes,
    item_routes,
    look_routes,
    lots_routes,
    progress_routes,
    queue_routes,
    raw_routes,
    reviewers_routes,
    search_routes,
    settings_routes,
)
from curation.review.web.guard import LOOPBACK, Guard
from curation.review.web.site import CostSource, ForbiddenError, Identity, LoginNeededError, Site

AREAS = (
    queue_routes,
    item_routes,
    cost_routes,
    raw_routes,
    look_routes,
    search_routes,
    bulk_routes,
    progress_routes,
    lots_routes,
    reviewers_routes,
    gold_routes,
    audit_routes,
    settings_routes,
    api_routes,
)
"""The modules that the pages are in."""
PUBLIC = ("/health", "/look", "/login", "/logout", "/welcome/", "/static/")
"""What somebody may open who is not logged in: how these paths begin."""
MAX_BODY_BYTES = 4 << 20
STATIC = Path(__file__).parent / "static"

_STATUS_CODES: dict[type[TunewrightError], int] = {
    UnknownIdError: 404,
    ItemWithdrawnError: 409,
    VerdictConflictError: 409,
    LeaseLostError: 409,
    VerdictRefusedError: 422,
    BulkRefusedError: 422,
    GoldRefusedError: 422,
    GuidelineRefusedError: 422,
    ScopeMissingError: 403,
    DatabaseError: 503,
    LoginNeededError: 401,
    ForbiddenError: 403,
}
SEND_AGAIN = "You may send it again: a verdict counts once, however often it is sent."
_PLAIN = {404: "There is no such page.", 405: "This page takes no such request."}


def create_app(
    queues: Mapping[str, ReviewQueue],
    identity: Identity,
    *,
    dagster_url: str = "",
    hosts: Collection[str] = (),
    costs: CostSource | None = None,
) -> FastAPI:
    """Return the app over these queues (recipe -> queue).

    `hosts` are served besides the loopback names; `costs` tells what items cost, None that nobody here knows.
    """
    app = FastAPI(
        title="Tunewright review", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(_need_person)]
    )
    app.add_middleware(Guard, hosts=LOOPBACK | frozenset(hosts), max_body_bytes=MAX_BODY_BYTES)
    app.mount("/static", StaticFiles(directory=STATIC))
    site = Site(queues, identity, dagster_url=dagster_url, costs=costs)
    app.state.site = site
    _add_errors(app, site)
    for area in AREAS:
        area.add_routes(app, site)
    return app


def _need_person(request: Request) -> None:
    """Refuse strangers on every route but those that are named as public, before anything else is looked at."""
    if not request.url.path.startswith(PUBLIC):
        site: Site = request.app.state.site
        site.person(request)


def _add_errors(app: FastAPI, site: Site) -> None:
    @app.exception_handler(TunewrightError)
    def refuse(request: Request, error: TunewrightError) -> Response:
        code = next((code for cls, code in _STATUS_CODES.items() if isinstance(error, cls)), 500)
        if isinstance(error, LoginNeededError) and request.method == "GET" and not _is_api(request):
            back = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
            return RedirectResponse(f"/login?{urlencode({'back': back})}", 303)
        return answer(request, code, str(error))

    @app.exception_handler(StarletteHTTPException)
    def fail(request: Request, error: StarletteHTTPException) -> Response:
        is_plain = error.detail == HTTPStatus(error.status_code).phrase  # the framework's, which says no more than the number
        answered = answer(request, error.status_code, _PLAIN.get(error.status_code, "") if is_plain else str(error.detail))
        if error.status_code == 405:
            answered.headers["allow"] = ", ".join(sorted(_list_methods(request)))
        return answered

    @app.exception_handler(RequestValidationError)
    def miss(request: Request, error: RequestValidationError) -> Response:
        if _is_api(request):
            return JSONResponse({"error": "The request does not fit the schema.", "details": _details(error)}, 422)
        return answer(request, 404, "There is no such page.")

    @app.exception_handler(Exception)
    def stumble(request: Request, error: Exception) -> Response:
        return answer(request, 500, f"Something went wrong in this app; the server's log says what. {SEND_AGAIN}")

    def answer(request: Request, code: int, message: str) -> Response:
        if _is_api(request):
            return JSONResponse({"error": message}, code)
        return site.render(
            "problem.html", request, status_code=code, code=code, message=message, person=_visitor(site, request)
        )


def _visitor(site: Site, request: Request) -> object:
    try:
        return site.visitor(request)
    except DatabaseError:
        return None


def _list_methods(request: Request) -> set[str]:
    """Return what the path of a request can be asked with; the framework names those of one route only."""
    matching = (route for route in request.app.routes if route.matches(request.scope)[0] != Match.NONE)
    return {method for route in matching for method in getattr(route, "methods", None) or ()}


def _is_api(request: Request) -> bool:
    return request.url.path.startswith("/api/")


def _details(error: RequestValidationError) -> list[dict[str, str]]:
    return [{"where": ".".join(map(str, found["loc"])), "problem": str(found["msg"])} for found in error.errors()[:20]]
