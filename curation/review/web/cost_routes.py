"""What an item cost: read from the ledger of calls when somebody asks, and never before.

GET /recipes/sdk_assistant/items/9f.../cost       a small page; the item page puts its answer into the panel behind `i`
"""

from decimal import Decimal

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from curation.records import ReviewItem
from curation.review.web.item_routes import ItemKey
from curation.review.web.site import CostSource, Site

LEAST_SHOWN = Decimal("0.0001")


def add_routes(app: FastAPI, site: Site) -> None:
    """Add the page of this module."""

    @app.get("/recipes/{recipe}/items/{item}/cost", response_class=HTMLResponse)
    def show_cost(request: Request, recipe: str, item: ItemKey) -> Response:
        site.person(request)
        shown = site.queue(recipe).get_item(item).item
        return site.render("item_cost.html", request, recipe=recipe, item=shown, cost=tell_cost(shown, site.costs))


def tell_cost(item: ReviewItem, costs: CostSource | None) -> str:
    """Return in words what the calls cost that an item came of; what is not known is said to be unknown."""
    ids = item.provenance.request_ids
    if not ids:
        return "nothing: no call to a model was paid for it"
    found = costs.read(ids) if costs is not None else None
    if found is None:
        return "unknown: the ledger of calls cannot be read from here"
    calls = f"{found.num_calls:,} call{'s' if found.num_calls != 1 else ''}"
    if not found.num_known:
        return f"unknown: the ledger does not hold the {calls} that it came of"
    told = f"{as_usd(found.cost_usd)} in {calls}, {found.num_tokens:,} tokens"
    if found.num_known < found.num_calls:
        told = f"at least {told}; {found.num_calls - found.num_known:,} not in the ledger"
    return f"{told}. A call may have given other rows, too."


def as_usd(amount: Decimal) -> str:
    """Return a sum of money; of less than a dollar, four places."""
    if 0 < amount < LEAST_SHOWN:
        return f"less than ${LEAST_SHOWN}"
    return f"${amount:,.4f}" if amount < 1 else f"${amount:,.2f}"
