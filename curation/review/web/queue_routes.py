"""The list of queues and the page of one queue: how far it is, and the way to the next item."""

from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from curation.review.queue import ReviewQueue, Status
from curation.review.queue.counts import Counts
from curation.review.queue.vote import Role
from curation.review.web.labels import KINDS
from curation.review.web.pages import PAGE_SIZE, find_done
from curation.review.web.site import Site

MAX_HELD = 3
"""Items that somebody has open which the queue shows."""

OptionalKey = Annotated[str, Query(pattern="^([0-9a-f]{32})?$")]
Kind = Annotated[str, Query(pattern="^(example|pair|task|document|)$")]
WorkRole = Annotated[Role, Query()]
Page = Annotated[int, Query(ge=1, le=1_000_000)]


def add_routes(app: FastAPI, site: Site) -> None:
    """Add the pages of this module."""
    _add_overview(app, site)
    _add_next(app, site)


def _add_overview(app: FastAPI, site: Site) -> None:
    @app.get("/", response_class=HTMLResponse)
    def show_recipes(request: Request) -> Response:
        site.person(request)
        counts = {recipe: site.queues[recipe].counts() for recipe in sorted(site.queues)}
        return site.render("recipes.html", request, counts=counts)

    @app.get("/health")
    def report_health() -> dict[str, object]:
        return {"status": "ok", "recipes": len(list(site.queues))}

    @app.get("/recipes/{recipe}", response_class=HTMLResponse)
    def show_queue(
        request: Request,
        recipe: str,
        status: Status = "open",
        kind: Kind = "",
        page: Page = 1,
        done: OptionalKey = "",
        nothing: str = "",
    ) -> Response:
        person, queue = site.person(request), site.queue(recipe)
        entries = queue.list_items(status, offset=(page - 1) * PAGE_SIZE, limit=PAGE_SIZE + 1, kind=kind or None)
        held = queue.leases(person.name)
        return site.render(
            "queue.html",
            request,
            recipe=recipe,
            counts=queue.counts(),
            by_kind=_by_kind(queue),
            settings=queue.settings(),
            entries=entries[:PAGE_SIZE],
            has_next=len(entries) > PAGE_SIZE,
            status=status,
            kind=kind,
            page=page,
            done=find_done(queue, done, person, site.findings),
            held=[(lease, queue.get_item(lease.item_key).item) for lease in held[:MAX_HELD]],
            num_held=len(held),
            is_empty=nothing == "yes",
        )


def _by_kind(queue: ReviewQueue) -> dict[str, Counts]:
    """Return the counts of each kind of item that the queue has."""
    counts = {kind: queue.counts(kind=kind) for kind in KINDS}
    return {kind: found for kind, found in counts.items() if found.num_items}


def _add_next(app: FastAPI, site: Site) -> None:
    @app.get("/recipes/{recipe}/next")
    def go_to_next(
        request: Request, recipe: str, after: OptionalKey = "", kind: Kind = "", role: WorkRole = "review"
    ) -> Response:
        person = site.require(request, "adjudicator" if role == "adjudication" else "reviewer")
        return to_next(site.queue(recipe), person.name, after=after, kind=kind, role=role)


def to_next(
    queue: ReviewQueue, name: str, *, after: str = "", kind: str = "", role: Role = "review", done: str = ""
) -> Response:
    """Lease the next item to a person and send them there; to the queue if nothing is left."""
    lease = queue.claim(name, role=role, kind=kind, after=after)
    nothing = "" if lease is not None or not _waits(queue, role) else "yes"
    given = {"kind": kind, "done": done, "role": role if lease and role != "review" else "", "nothing": nothing}
    query = urlencode({name: value for name, value in given.items() if value})
    path = f"/recipes/{quote(queue.recipe, safe='')}" + (f"/items/{lease.item_key}" if lease else "")
    return RedirectResponse(f"{path}?{query}" if query else path, 303)


def _waits(queue: ReviewQueue, role: Role) -> bool:
    """Tell whether there is work that is not for this person now, so that the queue can say so."""
    counts = queue.counts()
    return bool(counts.num_disputed if role == "adjudication" else counts.num_open)
