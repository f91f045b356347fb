"""The page of one item, and what is done there: decide, put off, keep the hold on it, undo.

A person who opens an open item holds it from then on (a lease), and the page renews the hold while it is open. Every
submission names the lease; one that was lost is refused with 409, and the page that answers still has what was typed.
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import FastAPI, Request
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from curation.errors import ItemWithdrawnError, LeaseLostError, VerdictConflictError, VerdictRefusedError
from curation.review.accounts.person import Person
from curation.review.queue import QueueEntry, ReviewQueue
from curation.review.queue.claims import Lease
from curation.review.queue.vote import Role
from curation.review.web.forms import read_form, read_kind, read_lease, read_vote
from curation.review.web.pages import find_done, item_values
from curation.review.web.queue_routes import Kind, OptionalKey, WorkRole, to_next
from curation.review.web.site import Site

ItemKey = Annotated[str, PathParameter(pattern="^[0-9a-f]{32}$")]


def add_routes(app: FastAPI, site: Site) -> None:
    """Add the pages of this module."""
    _add_item(app, site)
    _add_verdict(app, site)
    _add_holding(app, site)


def _add_item(app: FastAPI, site: Site) -> None:
    @app.get("/recipes/{recipe}/items/{item}", response_class=HTMLResponse)
    def show_item(
        request: Request,
        recipe: str,
        item: ItemKey,
        kind: Kind = "",
        role: WorkRole = "review",
        done: OptionalKey = "",
    ) -> Response:
        person = site.require(request, "adjudicator" if role == "adjudication" else "reviewer")
        queue = site.queue(recipe)
        entry = queue.get_item(item)
        lease = _take(queue, entry, person) if request.method == "GET" else None
        return _render(site, request, queue, entry, lease, kind=kind, done=done)


def _take(queue: ReviewQueue, entry: QueueEntry, person: Person) -> Lease | None:
    """Lease an item to whoever looks at it and may decide, if it needs them and nobody else has it."""
    if not entry.is_listed or entry.state == "decided" or not person.scopes & {"vote", "manage"}:
        return None
    role: Role = "adjudication" if entry.state == "disputed" and person.may("adjudicator") else "review"
    return queue.claim(person.name, item_key=entry.item.key, role=role)


def _render(
    site: Site,
    request: Request,
    queue: ReviewQueue,
    entry: QueueEntry,
    lease: Lease | None,
    *,
    kind: str = "",
    done: str = "",
    problem: str = "",
    form: Mapping[str, str] | None = None,
    status_code: int = 200,
) -> Response:
    person = site.person(request)
    values = item_values(queue, entry, person, lease, site.findings)
    return site.render(
        "item.html",
        request,
        status_code=status_code,
        **values,
        token=secrets.token_hex(16),
        kind=kind,
        done=find_done(queue, done, person, site.findings),
        problem=problem,
        form=form or {},
        wants_edit=request.query_params.get("edit") == "yes" or (form or {}).get("decision") == "edit",
    )


def _add_verdict(app: FastAPI, site: Site) -> None:
    @app.post("/recipes/{recipe}/items/{item}/verdict")
    async def decide(request: Request, recipe: str, item: ItemKey) -> Response:
        body = await request.body()
        return await _in_thread(_decide, site, request, recipe, item, body)

    @app.post("/recipes/{recipe}/items/{item}/undo")
    async def undo(request: Request, recipe: str, item: ItemKey) -> Response:
        body = await request.body()
        return await _in_thread(_undo, site, request, recipe, item, body)


async def _in_thread(work: Callable[..., Response], *arguments: object) -> Response:
    return await run_in_threadpool(work, *arguments)


def _decide(site: Site, request: Request, recipe: str, item: str, body: bytes) -> Response:
    person, queue = site.require(request, "reviewer"), site.queue(recipe)
    form = read_form(body, request.headers.get("content-type", ""))
    kind = read_kind(form)
    try:
        vote = read_vote(form, item, person.name)
        if vote.role == "adjudication":
            site.require(request, "adjudicator")
        queue.record([vote])
    except (VerdictConflictError, VerdictRefusedError, LeaseLostError, ItemWithdrawnError) as error:
        entry = queue.get_item(item)
        lease = _take(queue, entry, person)
        code = 422 if isinstance(error, VerdictRefusedError) else 409
        return _render(site, request, queue, entry, lease, kind=kind, problem=str(error), form=form, status_code=code)
    if form.get("then") == "stay":
        return _stay(recipe)
    return to_next(queue, person.name, after=item, kind=kind, role=vote.role, done=item)


def _stay(recipe: str) -> Response:
    """Answer a script that sends something late, from another page: it needs no next item, and must not take one."""
    return RedirectResponse(f"/recipes/{quote(recipe, safe='')}", 303)


def _undo(site: Site, request: Request, recipe: str, item: str, body: bytes) -> Response:
    person, queue = site.require(request, "reviewer"), site.queue(recipe)
    form = read_form(body, request.headers.get("content-type", ""))
    own = next(
        (vote for vote in reversed(queue.history(item)) if vote.reviewer == person.name and vote.decision != "undo"), None
    )
    if own is None or str(own.sequence) != form.get("sequence"):
        raise VerdictRefusedError(problem="there is nothing of yours to undo here: it was changed or undone since.")
    queue.undo(own, person.name, form.get("why", "")[:4_000], token=form.get("token", "")[:64])
    given = {"kind": read_kind(form), "role": "adjudication" if own.role == "adjudication" else ""}
    query = urlencode({name: value for name, value in given.items() if value})
    path = f"/recipes/{quote(recipe, safe='')}/items/{item}"
    return RedirectResponse(f"{path}?{query}" if query else path, 303)


def _add_holding(app: FastAPI, site: Site) -> None:
    @app.post("/recipes/{recipe}/items/{item}/hold")
    async def hold(request: Request, recipe: str, item: ItemKey) -> Response:
        body = await request.body()
        return await _in_thread(_hold, site, request, recipe, item, body)

    @app.post("/recipes/{recipe}/items/{item}/skip")
    async def skip(request: Request, recipe: str, item: ItemKey) -> Response:
        body = await request.body()
        return await _in_thread(_skip, site, request, recipe, item, body)


def _hold(site: Site, request: Request, recipe: str, item: str, body: bytes) -> Response:
    """Renew the hold on an item; the page calls this while it is open. 409 says who has it now."""
    person, queue = site.require(request, "reviewer"), site.queue(recipe)
    generation = read_lease(read_form(body, request.headers.get("content-type", "")))
    held = next((lease for lease in queue.leases(person.name) if lease.item_key == item), None)
    if held is not None and held.generation != generation:
        message = "You have opened this item on another page since. That page is the one that counts."
        return JSONResponse({"error": message, "reason": "other_page"}, 409)
    try:
        if held is None:
            raise LeaseLostError(item=item)
        renewed = queue.extend(held)
    except LeaseLostError as error:
        return JSONResponse({"error": str(error), "reason": "lost"}, 409)
    return JSONResponse({"seconds_left": renewed.seconds_left})


def _skip(site: Site, request: Request, recipe: str, item: str, body: bytes) -> Response:
    """Put an item off: whoever comes next may have it, and this person gets it after all others."""
    person, queue = site.require(request, "reviewer"), site.queue(recipe)
    form = read_form(body, request.headers.get("content-type", ""))
    kind = read_kind(form)
    held = next((lease for lease in queue.leases(person.name) if lease.item_key == item), None)
    if held is not None and form.get("generation", "") in ("", str(held.generation)):  # not what a newer page holds
        queue.release(held, skip=True)
    if form.get("then") == "stay":
        return _stay(recipe)
    return to_next(queue, person.name, after=item, kind=kind, role=held.role if held else "review")
