"""The list of a queue's items: search, filters, order, and the boxes for a decision about many.

GET /recipes/demo/search?q=trim+state:open&sort=newest&after=812
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from curation.review.payload import unpack_item
from curation.review.progress import read_parts
from curation.review.queue import ReviewQueue
from curation.review.search.find import BUDGET, Hit, Sort, find_items
from curation.review.search.query import EXAMPLES, parse_query, set_filter
from curation.review.search.query import Query as Wanted
from curation.review.search.snippet import Piece, snippet
from curation.review.search.words import fields_of
from curation.review.web import api_search
from curation.review.web.labels import DECISIONS, KINDS, REASONS
from curation.review.web.site import Site

STATES = {"open": "Open", "partial": "Partly voted", "disputed": "Disputed", "decided": "Decided", "withdrawn": "Withdrawn"}
ORDERS: dict[Sort, str] = {
    "newest": "Newest first",
    "oldest": "Oldest first",
    "priority": "Judges disagree most",
    "relevance": "Best match",
}
BULK = ("approve", "reject", "prefer_a", "prefer_b", "tie", "both_bad")

Text = Annotated[str, Query(max_length=4_000)]
Cursor = Annotated[str, Query(max_length=64)]
Order = Annotated[Sort, Query()]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A hit as the list shows it."""

    hit: Hit
    question: list[Piece]
    answer: list[Piece]


@dataclass(frozen=True, kw_only=True, slots=True)
class Facet:
    """One value that a field of the search may be set to."""

    label: str
    query: str
    """The search with it set (or, where it is set, taken out)."""
    is_set: bool
    num: int | None = None
    """Items of the queue that have it, whatever else is asked for; None where that is not counted."""


def add_routes(app: FastAPI, site: Site) -> None:
    """Add the pages of this module, and the same over the API."""
    api_search.add_routes(app, site)

    @app.get("/recipes/{recipe}/items", response_class=HTMLResponse)
    @app.get("/recipes/{recipe}/search", response_class=HTMLResponse)
    def show_items(request: Request, recipe: str, q: Text = "", sort: Order = "newest", after: Cursor = "") -> Response:
        site.person(request)
        queue, wanted = site.queue(recipe), parse_query(q)
        with queue.database.read() as connection:
            page = find_items(connection, recipe, wanted, sort=sort, after=after)
        return site.render(
            "search.html",
            request,
            recipe=recipe,
            settings=queue.settings(),
            query=wanted,
            q=q,
            sort=sort,
            after=after,
            page=page,
            rows=[_row(hit, wanted) for hit in page.hits],
            facets=_facets(queue, wanted),
            orders=ORDERS,
            states=STATES,
            examples=EXAMPLES,
            budget=BUDGET,
            bulk_decisions={name: DECISIONS[name] for name in DECISIONS if name in BULK},
            all_reasons=REASONS,
        )


def _row(hit: Hit, wanted: Wanted) -> Row:
    item = unpack_item(hit.payload)
    prompt = "\n".join(message.text for message in item.prompt[-1:])
    return Row(hit=hit, question=snippet([prompt], wanted.wanted), answer=snippet(_best_first(fields_of(item)), wanted.wanted))


def _best_first(texts: Sequence[str]) -> list[str]:
    return [text for text in texts if text.strip()]


def _facets(queue: ReviewQueue, wanted: Wanted) -> dict[str, list[Facet]]:
    """Return what the search can be narrowed by, with the numbers that the queue keeps anyway."""
    kinds, states, decisions = read_parts(queue)
    found = {
        "state": [
            _facet(wanted, "state", name, label, states.get(name, 0)) for name, label in STATES.items() if name in states
        ],
        "kind": [_facet(wanted, "kind", part.name, KINDS[part.name], part.num_items) for part in kinds if part.name in KINDS],
        "decision": [
            _facet(wanted, "decision", name, DECISIONS[name], decisions[name]) for name in DECISIONS if name in decisions
        ],
        "reason": [
            _facet(wanted, "reason", name, label.removesuffix(" (say what)"), None)
            for name, label in REASONS.items()
            if "reject" in wanted.values("decision") or wanted.values("reason")
        ],
    }
    return {field: facets for field, facets in found.items() if len(facets) > 1 or any(facet.is_set for facet in facets)}


def _facet(wanted: Wanted, field: str, value: str, label: str, num: int | None) -> Facet:
    is_set = wanted.values(field) == (value,)
    return Facet(label=label, query=set_filter(wanted.text, field, "" if is_set else value), is_set=is_set, num=num)
