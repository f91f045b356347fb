"""Pages about lots: which were accepted, which failed, which wait; and one lot with its plan, curve and open items.

GET /recipes/sdk_assistant/lots                                 all lots
GET /recipes/sdk_assistant/lots/report?lot=example/routing      one lot
GET /api/recipes/sdk_assistant/lots                             the figures as JSON
"""

from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel
from starlette.responses import Response

from curation.review.lots.curves import draw_curve
from curation.review.lots.inspection import LotFigures
from curation.review.lots.plan import LotDecision
from curation.review.lots.report import list_lots, read_report
from curation.review.web.site import Site

LotName = Annotated[str, Query(min_length=1, max_length=500)]


class LotSummary(BaseModel):
    """One lot."""

    lot: str
    decision: LotDecision
    decided_at: str
    """ISO 8601 in UTC; empty while the lot is undecided."""
    n: int
    c: int
    quality_level: float
    size: int
    sample: int
    inspected: int
    bad: int
    share_bad_low: float
    """Ends of the 95 % interval of the share of bad items, from the sample."""
    share_bad_high: float


class LotList(BaseModel):
    """All lots of a recipe."""

    recipe: str
    lots: list[LotSummary]


def add_routes(app: FastAPI, site: Site) -> None:
    """Add the pages about lots."""

    @app.get("/recipes/{recipe}/lots", response_class=HTMLResponse)
    def show_lots(request: Request, recipe: str) -> Response:
        site.person(request)
        lots = list_lots(site.queue(recipe))
        num = {decision: sum(lot.decision == decision for lot in lots) for decision in ("accept", "reject", "undecided")}
        return site.render("lots_list.html", request, recipe=recipe, lots=lots, num=num)

    @app.get("/recipes/{recipe}/lots/report", response_class=HTMLResponse)
    def show_lot(request: Request, recipe: str, lot: LotName) -> Response:
        site.person(request)
        details = read_report(site.queue(recipe), lot)
        curve = draw_curve(details.figures)
        return site.render("lots_report.html", request, recipe=recipe, details=details, curve=curve)

    @app.get("/api/recipes/{recipe}/lots", operation_id="list_lots", tags=["read"])
    def list_all_lots(request: Request, recipe: str) -> LotList:
        site.person(request)
        return LotList(recipe=recipe, lots=[_summary(lot) for lot in list_lots(site.queue(recipe))])


def _summary(lot: LotFigures) -> LotSummary:
    return LotSummary(
        lot=lot.lot,
        decision=lot.decision,
        decided_at=lot.decided_at,
        n=lot.plan.n,
        c=lot.plan.c,
        quality_level=lot.quality_level,
        size=lot.size,
        sample=lot.num_sample,
        inspected=lot.num_inspected,
        bad=lot.num_bad,
        share_bad_low=lot.interval.low,
        share_bad_high=lot.interval.high,
    )
