"""Searching a queue over HTTP, with the words and filters of the search box.

GET /api/recipes/demo/items?q=trim+state:open&sort=relevance      {"items": [{"item_key": "9f...", ...}], "next": "", ...}
"""

from typing import Annotated, Literal

from fastapi import FastAPI, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from curation.review.items import shown_record_key
from curation.review.search.find import PAGE_SIZE, Hit, Sort, find_items
from curation.review.search.query import parse_query
from curation.review.web.api_routes import Recipe, as_json, enter
from curation.review.web.site import Site


class HitOut(BaseModel):
    """An item that was found. What it says, and what was said of it, is asked for by its key."""

    item_key: str
    record_key: str
    kind: str
    task: str
    state: Literal["open", "partial", "disputed", "decided"]
    is_listed: bool
    lot: str
    opened_at: str
    arrival: int


class HitsOut(BaseModel):
    """One page of items."""

    items: list[HitOut]
    next: str
    """`after` of the next page; empty at the end."""
    is_cut: bool
    """There may be more, but this page looked at no further ones; the next goes on."""
    problems: list[str]
    """What makes no sense in `q`; nothing is found then."""


def add_routes(app: FastAPI, site: Site) -> None:
    """Add the routes of this module."""

    @app.get("/api/recipes/{recipe}/items", operation_id="search_items", response_model=HitsOut, tags=["read"])
    def search(
        request: Request,
        recipe: Recipe,
        q: Annotated[str, Query(max_length=4_000, description="Words and filters, as in the search box.")] = "",
        sort: Annotated[
            Sort,
            Query(description="`relevance`: the best matches first, by rare words, of the newest 10,000; else the newest."),
        ] = "newest",
        after: Annotated[str, Query(max_length=64, description="`next` of the page before.")] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = PAGE_SIZE,
    ) -> Response:
        """The items that words and filters find, page by page."""
        _, queue = enter(site, request, recipe, "read")
        wanted = parse_query(q)
        with queue.database.read() as connection:
            page = find_items(connection, recipe, wanted, sort=sort, after=after, limit=limit)
        found = {"items": [_show(hit) for hit in page.hits], "next": page.next, "is_cut": page.is_cut}
        return as_json(found | {"problems": list(wanted.problems)})


def _show(hit: Hit) -> dict[str, object]:
    shown = {name: getattr(hit, name) for name in HitOut.model_fields}
    return shown | {"record_key": shown_record_key(hit.record_key), "is_listed": bool(hit.is_listed)}
