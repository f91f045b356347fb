"""Pages about reviewers: how far they agree (for all), what each of them does (for leads), and what all of them are told.

GET  /recipes/demo/agreement           GET /api/recipes/demo/agreement
GET  /recipes/demo/reviewers           leads
GET  /recipes/demo/guidelines          POST: leads; POST /recipes/demo/guidelines/cases: adjudicators and leads
"""

from typing import Annotated
from urllib.parse import quote

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from curation.errors import UnknownIdError
from curation.judging.interval import Estimate
from curation.review.accounts.person import Person
from curation.review.errors import GuidelineRefusedError
from curation.review.reviewers.agreement import AgreementReport, PairAgreement
from curation.review.reviewers.findings import Findings
from curation.review.reviewers.guidelines import add_version, link_case, list_cases, list_versions
from curation.review.reviewers.settings import read_settings
from curation.review.web.forms import read_form
from curation.review.web.reviewers_plots import day_bars, interval_line
from curation.review.web.site import Site

OptionalKey = Annotated[str, Query(pattern="^([0-9a-f]{32})?$")]
Version = Annotated[int, Query(ge=0, le=1_000_000)]


class EstimateModel(BaseModel):
    """A statistic with its 95 % interval; null where it is undefined, with the reason."""

    value: float | None
    low: float | None
    high: float | None
    num_items: int
    reason: str


class GroupModel(BaseModel):
    """How far reviewers agree on some items."""

    dimension: str
    name: str
    kind: str
    num_items: int
    num_rated_twice: int
    num_disputed: int
    percent: EstimateModel
    fleiss: EstimateModel
    alpha: EstimateModel
    ac1: EstimateModel


class PairModel(BaseModel):
    """How far two reviewers agree on the items of a kind that both voted on."""

    one: str
    two: str
    kind: str
    percent: EstimateModel
    kappa: EstimateModel
    ac1: EstimateModel


class AgreementModel(BaseModel):
    """How far the reviewers of a recipe agree."""

    recipe: str
    num_items: int
    num_disputed: int
    num_settled: int
    groups: list[GroupModel]
    pairs: list[PairModel]
    """Each two reviewers, for a lead; only those that one is part of, for others."""


def add_routes(app: FastAPI, site: Site) -> None:
    """Add the pages of this module."""
    _add_agreement(app, site, site.findings)
    _add_reviewers(app, site, site.findings)
    _add_guidelines(app, site)


def _add_agreement(app: FastAPI, site: Site, findings: Findings) -> None:
    @app.get("/recipes/{recipe}/agreement", response_class=HTMLResponse)
    def show_agreement(request: Request, recipe: str) -> Response:
        person, queue = site.person(request), site.queue(recipe)
        report = findings.agreement(queue)
        return site.render(
            "reviewers_agreement.html",
            request,
            recipe=recipe,
            report=report,
            pairs=visible_pairs(report, person),
            judges=findings.judges(queue),
            ruling=findings.ruling(queue),
            settings=queue.settings(),
            line=interval_line,
        )

    @app.get("/api/recipes/{recipe}/agreement", operation_id="read_agreement", tags=["read"])
    def read_agreement(request: Request, recipe: str) -> AgreementModel:
        """How far reviewers agree: all of them, for each kind, task and week, and each two of them."""
        person = site.person(request)
        return _as_model(recipe, findings.agreement(site.queue(recipe)), person)


def visible_pairs(report: AgreementReport, person: Person) -> list[PairAgreement]:
    """Return how far two people agree as far as a person may see it: leads all of it, others what concerns them."""
    return [pair for pair in report.pairs if person.may("lead") or person.name in (pair.one, pair.two)]


def _as_model(recipe: str, report: AgreementReport, person: Person) -> AgreementModel:
    groups = [
        GroupModel(
            dimension=group.dimension,
            name=group.name,
            kind=group.kind,
            num_items=group.num_items,
            num_rated_twice=group.num_rated_twice,
            num_disputed=group.num_disputed,
            percent=_estimate(group.percent),
            fleiss=_estimate(group.fleiss),
            alpha=_estimate(group.alpha),
            ac1=_estimate(group.ac1),
        )
        for group in report.groups
    ]
    pairs = [
        PairModel(
            one=pair.one,
            two=pair.two,
            kind=pair.kind,
            percent=_estimate(pair.percent),
            kappa=_estimate(pair.kappa),
            ac1=_estimate(pair.ac1),
        )
        for pair in visible_pairs(report, person)
    ]
    numbers = {name: getattr(report, name) for name in ("num_items", "num_disputed", "num_settled")}
    return AgreementModel(recipe=recipe, groups=groups, pairs=pairs, **numbers)


def _estimate(found: Estimate) -> EstimateModel:
    names = EstimateModel.model_fields
    return EstimateModel(**{name: getattr(found, name) for name in names})


def _add_reviewers(app: FastAPI, site: Site, findings: Findings) -> None:
    @app.get("/recipes/{recipe}/reviewers", response_class=HTMLResponse)
    def show_reviewers(request: Request, recipe: str) -> Response:
        site.require(request, "lead")
        queue = site.queue(recipe)
        found = findings.statistics(queue)
        return site.render(
            "reviewers_people.html",
            request,
            recipe=recipe,
            found=sorted(found.values(), key=lambda each: (-len(each.warnings), each.reviewer)),
            floor=read_settings(queue).gold_floor,
            bars=day_bars,
        )


def _add_guidelines(app: FastAPI, site: Site) -> None:
    @app.get("/recipes/{recipe}/guidelines", response_class=HTMLResponse)
    def show_guidelines(request: Request, recipe: str, version: Version = 0, item: OptionalKey = "") -> Response:
        return _guidelines(site, request, recipe, version=version, form={"item": item})

    @app.post("/recipes/{recipe}/guidelines")
    async def write_guidelines(request: Request, recipe: str) -> Response:
        body = await request.body()
        return await run_in_threadpool(_write, site, request, recipe, body)

    @app.post("/recipes/{recipe}/guidelines/cases")
    async def add_case(request: Request, recipe: str) -> Response:
        body = await request.body()
        return await run_in_threadpool(_link, site, request, recipe, body)


def _guidelines(
    site: Site,
    request: Request,
    recipe: str,
    *,
    version: int = 0,
    form: dict[str, str],
    problem: str = "",
    status_code: int = 200,
) -> Response:
    site.person(request)
    queue = site.queue(recipe)
    versions = list_versions(queue)
    shown = next((each for each in versions if each.version == version), versions[0] if versions else None)
    return site.render(
        "reviewers_guidelines.html",
        request,
        status_code=status_code,
        recipe=recipe,
        versions=versions,
        shown=shown,
        cases=list_cases(queue),
        rubric=queue.settings().rubric,
        form=form,
        problem=problem,
    )


def _write(site: Site, request: Request, recipe: str, body: bytes) -> Response:
    person, queue = site.require(request, "lead"), site.queue(recipe)
    form = read_form(body, request.headers.get("content-type", ""))
    based_on = form.get("based_on", "")
    try:
        if not (based_on.isascii() and based_on.isdecimal() and len(based_on) < 8):
            raise GuidelineRefusedError(problem="the form is not complete. Load the page again.")
        add_version(queue, form.get("text", ""), by=person.name, note=form.get("note", ""), based_on=int(based_on))
    except GuidelineRefusedError as error:
        return _guidelines(site, request, recipe, form=form, problem=str(error), status_code=422)
    return RedirectResponse(f"/recipes/{quote(recipe, safe='')}/guidelines", 303)


def _link(site: Site, request: Request, recipe: str, body: bytes) -> Response:
    person, queue = site.require(request, "adjudicator"), site.queue(recipe)
    form = read_form(body, request.headers.get("content-type", ""))
    try:
        link_case(queue, form.get("item", "").strip(), form.get("case_note", ""), by=person.name)
    except (GuidelineRefusedError, UnknownIdError) as error:
        return _guidelines(site, request, recipe, form=form, problem=str(error), status_code=422)
    return RedirectResponse(f"/recipes/{quote(recipe, safe='')}/guidelines#cases", 303)
