"""Decisions about many items: the preview, its confirmation, what became of it, and the way back. For leads.

POST /recipes/demo/bulk  scope=query&q=date+state:open&decision=reject&reason=format     303 to /recipes/demo/bulk/51...
"""

from typing import Annotated, NamedTuple
from urllib.parse import parse_qsl, quote

from fastapi import Depends, FastAPI, Request
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from curation.review.bulk import MAX_ITEMS, WHY_LEFT_OUT, Bulk, Plan
from curation.review.errors import BulkRefusedError
from curation.review.queue import ReviewQueue
from curation.review.search.find import find_all
from curation.review.search.query import parse_query
from curation.review.web.forms import read_form
from curation.review.web.labels import REASONS
from curation.review.web.site import Site

BulkId = Annotated[str, PathParameter(pattern="^[0-9a-f]{32}$")]


class Sent(NamedTuple):
    """A form, and the items that were ticked in it."""

    form: dict[str, str]
    ticked: list[str]


async def _sent(request: Request) -> Sent:
    body = await request.body()
    form = read_form(body, request.headers.get("content-type", ""))
    return Sent(form, [value for name, value in parse_qsl(body.decode("utf-8", "replace")) if name == "item"])


Form = Annotated[Sent, Depends(_sent)]


def add_routes(app: FastAPI, site: Site) -> None:
    """Add the pages of this module."""
    _add_reading(app, site)
    _add_acting(app, site)


def _add_reading(app: FastAPI, site: Site) -> None:
    @app.get("/recipes/{recipe}/bulk", response_class=HTMLResponse)
    def list_actions(request: Request, recipe: str) -> Response:
        site.require(request, "lead")
        actions = Bulk(site.queue(recipe)).list_done()
        return site.render("bulk_list.html", request, recipe=recipe, actions=actions, max_items=MAX_ITEMS)

    @app.get("/recipes/{recipe}/bulk/{bulk_id}", response_class=HTMLResponse)
    def show_action(request: Request, recipe: str, bulk_id: BulkId) -> Response:
        site.require(request, "lead")
        queue = site.queue(recipe)
        bulk = Bulk(queue)
        sample = [entry.item for entry in queue.get_items(bulk.sample(bulk_id))]
        return site.render(
            "bulk.html", request, recipe=recipe, action=bulk.get(bulk_id), sample=sample, why_left_out=WHY_LEFT_OUT
        )


def _add_acting(app: FastAPI, site: Site) -> None:
    @app.post("/recipes/{recipe}/bulk")
    def preview(request: Request, recipe: str, sent: Form) -> Response:
        person, queue = site.require(request, "lead"), site.queue(recipe)
        is_query = sent.form.get("scope") == "query"
        try:
            plan = Plan(
                person=person.name,
                decision=sent.form.get("decision", ""),  # type: ignore[arg-type]  # checked by `Bulk.preview`
                reason=_read_reason(sent.form),
                query=sent.form.get("q", "") if is_query else "",
            )
            action = Bulk(queue).preview(_find_keys(queue, plan.query) if is_query else sent.ticked, plan)
        except BulkRefusedError as error:
            return _refuse(request, error)
        return RedirectResponse(_place(recipe, action.id), 303)

    @app.post("/recipes/{recipe}/bulk/{bulk_id}/run")
    def confirm(request: Request, recipe: str, bulk_id: BulkId, sent: Form) -> Response:
        person, queue = site.require(request, "lead"), site.queue(recipe)
        try:
            Bulk(queue).run(bulk_id, sent.form.get("token", ""), person.name)
        except BulkRefusedError as error:
            return _refuse(request, error)
        return RedirectResponse(_place(recipe, bulk_id), 303)

    @app.post("/recipes/{recipe}/bulk/{bulk_id}/undo")
    def undo(request: Request, recipe: str, bulk_id: BulkId, sent: Form) -> Response:
        person, queue = site.require(request, "lead"), site.queue(recipe)
        try:
            Bulk(queue).undo(bulk_id, person.name)
        except BulkRefusedError as error:
            return _refuse(request, error)
        return RedirectResponse(_place(recipe, bulk_id), 303)

    def _refuse(request: Request, error: BulkRefusedError) -> Response:
        return site.render("problem.html", request, status_code=422, code=422, message=str(error))


def _find_keys(queue: ReviewQueue, text: str) -> list[str]:
    query = parse_query(text)
    if query.problems:
        raise BulkRefusedError(problem=" ".join(query.problems))
    with queue.database.read() as connection:
        return find_all(connection, queue.recipe, query, limit=MAX_ITEMS + 1)


def _read_reason(form: dict[str, str]) -> str:
    code, comment = form.get("reason", ""), form.get("comment", "").strip()
    if code and code not in REASONS:
        raise BulkRefusedError(problem="choose one of the reasons.")
    if code == "other" and not comment:
        raise BulkRefusedError(problem="say in a few words what is wrong.")
    return f"{code}: {comment}" if code and comment else code or comment


def _place(recipe: str, bulk_id: str) -> str:
    return f"/recipes/{quote(recipe, safe='')}/bulk/{bulk_id}"
