"""The review app: pages on which a person approves, edits, rejects or prefers.

    app = create_app({"sdk_assistant": queue}, dagster_url="http://127.0.0.1:3000")

Every action is a plain HTML form (POST, then 303 to the next item); the one script only adds keyboard shortcuts.
See `guard.py` for what is refused before a request gets here.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi import Path as PathParameter
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from curation.errors import (
    DatabaseError,
    ItemWithdrawnError,
    TunewrightError,
    UnknownIdError,
    VerdictConflictError,
    VerdictRefusedError,
)
from curation.review.forms import COOKIE, pack_name, read_form, read_name, read_return_path, read_vote, unpack_name
from curation.review.guard import LOOPBACK, Guard
from curation.review.pages import PAGE_SIZE, Pages
from curation.review.queue import ReviewQueue, Status

MAX_BODY_BYTES = 4 << 20
COOKIE_SECONDS = 90 * 24 * 3600

ItemKey = Annotated[str, PathParameter(pattern="^[0-9a-f]{32}$")]
OptionalKey = Annotated[str, Query(pattern="^([0-9a-f]{32})?$")]
Kind = Annotated[str, Query(pattern="^(example|pair|)$")]
Page = Annotated[int, Query(ge=1, le=1_000_000)]
_STATUS_CODES = {UnknownIdError: 404, ItemWithdrawnError: 409, VerdictRefusedError: 422, DatabaseError: 503}


async def _form(request: Request) -> dict[str, str]:
    return read_form(await request.body(), request.headers.get("content-type", ""))


def _reviewer(request: Request) -> str:
    return unpack_name(request.cookies.get(COOKIE, ""))


def _queue(request: Request, recipe: str) -> ReviewQueue:
    queues: Mapping[str, ReviewQueue] = request.app.state.queues
    if recipe not in queues:
        raise HTTPException(404, f"There is no review queue of a recipe '{recipe}'.")
    return queues[recipe]


Queue = Annotated[ReviewQueue, Depends(_queue)]
Form = Annotated[dict[str, str], Depends(_form)]
Reviewer = Annotated[str, Depends(_reviewer)]


def create_app(queues: Mapping[str, ReviewQueue], *, dagster_url: str = "", hosts: Collection[str] = ()) -> FastAPI:
    """Return the app over these queues (recipe -> queue). `hosts` are served besides the loopback names."""
    app = FastAPI(title="Tunewright review", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard, hosts=LOOPBACK | frozenset(hosts), max_body_bytes=MAX_BODY_BYTES)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    pages = Pages(dagster_url)

    app.state.queues = queues
    _add_errors(app, pages)
    _add_reading(app, pages, queues)
    _add_deciding(app, pages)
    return app


def _add_errors(app: FastAPI, pages: Pages) -> None:
    @app.exception_handler(TunewrightError)
    def refuse(request: Request, error: TunewrightError) -> Response:
        code = next((code for cls, code in _STATUS_CODES.items() if isinstance(error, cls)), 500)
        return HTMLResponse(pages.problem(code, str(error)), code)

    @app.exception_handler(StarletteHTTPException)
    def fail(request: Request, error: StarletteHTTPException) -> Response:
        return HTMLResponse(pages.problem(error.status_code, str(error.detail)), error.status_code)

    @app.exception_handler(RequestValidationError)
    def miss(request: Request, error: RequestValidationError) -> Response:
        return HTMLResponse(pages.problem(404, "There is no such page."), 404)


def _add_reading(app: FastAPI, pages: Pages, queues: Mapping[str, ReviewQueue]) -> None:
    @app.get("/", response_class=HTMLResponse)
    def show_recipes(reviewer: Reviewer) -> str:
        return pages.recipes({recipe: queues[recipe].counts() for recipe in sorted(queues)}, reviewer)

    @app.get("/health")
    def report_health() -> dict[str, object]:
        return {"status": "ok", "recipes": len(list(queues))}

    @app.get("/api/recipes/{recipe}/counts")
    def count_items(queue: Queue) -> dict[str, object]:
        counts = queue.counts()
        return {"recipe": queue.recipe, **asdict(counts), "num_decided": counts.num_decided}

    @app.get("/recipes/{recipe}", response_class=HTMLResponse)
    def show_queue(
        queue: Queue, reviewer: Reviewer, status: Status = "open", kind: Kind = "", page: Page = 1, done: OptionalKey = ""
    ) -> str:
        entries = queue.list_items(status, offset=(page - 1) * PAGE_SIZE, limit=PAGE_SIZE + 1, kind=kind or None)
        return pages.queue(queue, entries, reviewer=reviewer, status=status, kind=kind, page=page, done=done)

    @app.get("/recipes/{recipe}/next")
    def go_to_next(queue: Queue, after: OptionalKey = "", kind: Kind = "") -> Response:
        return _to_next(queue, after, kind)

    @app.get("/recipes/{recipe}/items/{item}", response_class=HTMLResponse)
    def show_item(
        request: Request, queue: Queue, item: ItemKey, reviewer: Reviewer, kind: Kind = "", done: OptionalKey = ""
    ) -> Response:
        if not reviewer:
            path = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
            return RedirectResponse(f"/reviewer?{urlencode({'back': path})}", 303)
        return HTMLResponse(pages.item(queue, queue.get_item(item), reviewer=reviewer, kind=kind, done=done))


def _add_deciding(app: FastAPI, pages: Pages) -> None:
    @app.get("/reviewer", response_class=HTMLResponse)
    def ask_name(reviewer: Reviewer, back: str = "/") -> str:
        return pages.reviewer(reviewer, read_return_path(back))

    @app.post("/reviewer")
    def keep_name(form: Form) -> Response:
        back, name = read_return_path(form.get("back", "/")), read_name(form.get("name", ""))
        if not name:
            return HTMLResponse(
                pages.reviewer(form.get("name", ""), back, problem="Please give a name of 1 to 80 characters."), 422
            )
        response = RedirectResponse(back, 303)
        response.set_cookie(COOKIE, pack_name(name), max_age=COOKIE_SECONDS, httponly=True, samesite="strict")
        return response

    @app.post("/recipes/{recipe}/items/{item}/verdict")
    def decide(queue: Queue, item: ItemKey, form: Form, reviewer: Reviewer) -> Response:
        kind = form.get("kind", "") if form.get("kind") in ("example", "pair") else ""
        try:
            queue.record([read_vote(form, item, reviewer)])
        except (VerdictConflictError, VerdictRefusedError) as error:
            code = 409 if isinstance(error, VerdictConflictError) else 422
            entry = queue.get_item(item)
            page = pages.item(queue, entry, reviewer=reviewer, kind=kind, problem=str(error), form=form)
            return HTMLResponse(page, code)
        return _to_next(queue, item, kind, done=item)


def _to_next(queue: ReviewQueue, after: str, kind: str, *, done: OptionalKey = "") -> Response:
    entry = queue.next_item(after or None, kind=kind or None)
    query = urlencode({name: value for name, value in (("kind", kind), ("done", done)) if value})
    path = f"/recipes/{quote(queue.recipe, safe='')}" + (f"/items/{entry.item.key}" if entry else "")
    return RedirectResponse(f"{path}?{query}" if query else path, 303)
