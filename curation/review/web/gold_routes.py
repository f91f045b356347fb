"""The page about items with a known decision, for leads: set them, plant errors, who missed what, verdicts given again.

GET  /recipes/demo/gold?reviewer=Bob&since=1810      with a preview of what a requeue would undo
POST /recipes/demo/gold/set                          item, right_approve=on, ..., detail
POST /recipes/demo/gold/plant                        num, seed, kind_number=on, ...
POST /recipes/demo/gold/withdraw                     item
POST /recipes/demo/gold/requeue                      reviewer, since, num (as previewed), why
"""

import secrets
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from curation.errors import ItemWithdrawnError, UnknownIdError, VerdictRefusedError
from curation.review.accounts.person import Person
from curation.review.errors import GoldRefusedError
from curation.review.queue import ReviewQueue
from curation.review.queue.vote import ANSWER_DECISIONS, PAIR_DECISIONS
from curation.review.reviewers.damage import DAMAGE_KINDS
from curation.review.reviewers.detection import detect, gold_results
from curation.review.reviewers.gold import list_gold, set_gold, withdraw_gold
from curation.review.reviewers.planting import num_missing, plant_errors
from curation.review.reviewers.requeue import preview_requeue, requeue_recent
from curation.review.reviewers.settings import read_settings
from curation.review.web.forms import read_form
from curation.review.web.reviewers_plots import interval_line
from curation.review.web.site import Site

MAX_PLANTED = 500
"""Errors that one form plants at most."""

MAX_SHOWN = 200

_EXPECTED = (*ANSWER_DECISIONS, *PAIR_DECISIONS)
_REFUSALS = (GoldRefusedError, UnknownIdError, VerdictRefusedError, ItemWithdrawnError)
Action = Callable[[ReviewQueue, Person, dict[str, str]], str]

OptionalKey = Annotated[str, Query(pattern="^([0-9a-f]{32})?$")]
Name = Annotated[str, Query(max_length=80)]
Sequence = Annotated[int | None, Query(ge=0, le=10**9)]


def add_routes(app: FastAPI, site: Site) -> None:
    """Add the pages of this module."""

    @app.get("/recipes/{recipe}/gold", response_class=HTMLResponse)
    def show_gold(
        request: Request, recipe: str, reviewer: Name = "", since: Sequence = None, item: OptionalKey = "", done: Name = ""
    ) -> Response:
        return _page(site, request, recipe, reviewer=reviewer, since=since, form={"item": item}, done=done)

    for name, action in (("set", _set), ("plant", _plant), ("withdraw", _withdraw), ("requeue", _requeue)):
        _add_action(app, site, name, action)


def _add_action(app: FastAPI, site: Site, name: str, action: Action) -> None:
    async def act(request: Request, recipe: str) -> Response:
        body = await request.body()
        return await run_in_threadpool(_act, site, request, recipe, action, body)

    app.post(f"/recipes/{{recipe}}/gold/{name}", name=f"gold_{name}")(act)


def _act(site: Site, request: Request, recipe: str, action: Action, body: bytes) -> Response:
    person, queue = site.require(request, "lead"), site.queue(recipe)
    form = read_form(body, request.headers.get("content-type", ""))
    try:
        done = action(queue, person, form)
    except _REFUSALS as error:
        return _page(site, request, recipe, reviewer=form.get("reviewer", ""), form=form, problem=str(error), status_code=422)
    return RedirectResponse(f"/recipes/{quote(recipe, safe='')}/gold?{urlencode({'done': done})}", 303)


def _page(
    site: Site,
    request: Request,
    recipe: str,
    *,
    reviewer: str = "",
    since: int | None = None,
    form: dict[str, str],
    done: str = "",
    problem: str = "",
    status_code: int = 200,
) -> Response:
    site.require(request, "lead")
    queue = site.queue(recipe)
    settings, golds = read_settings(queue), list_gold(queue)
    results = gold_results(queue)
    return site.render(
        "reviewers_gold.html",
        request,
        status_code=status_code,
        recipe=recipe,
        settings=settings,
        golds=golds[:MAX_SHOWN],
        num_golds=len(golds),
        num_waiting=sum(gold.is_listed and not gold.num_votes for gold in golds),
        num_missing=num_missing(queue, settings.gold_share),
        missed=_missed(results),
        found=list(detect(results, floor=settings.gold_floor).values()),
        preview=preview_requeue(queue, reviewer, since) if reviewer else None,
        expected=_EXPECTED,
        damage_kinds=DAMAGE_KINDS,
        seed=secrets.randbelow(10**6),
        max_planted=MAX_PLANTED,
        form=form,
        done=done,
        problem=problem,
        line=interval_line,
    )


def _missed(results: Any) -> dict[str, list[str]]:
    """Return item key -> who got it wrong."""
    missed: dict[str, list[str]] = {}
    for result in results:
        if not result.is_right:
            missed.setdefault(result.item_key, []).append(result.reviewer)
    return missed


def _set(queue: ReviewQueue, person: Person, form: dict[str, str]) -> str:
    expected = [decision for decision in _EXPECTED if form.get(f"right_{decision}")]
    set_gold(queue, form.get("item", "").strip(), expected, by=person.name, detail=form.get("detail", "")[:4_000])
    return "A copy of the item is in the queue, with a known decision."


def _plant(queue: ReviewQueue, person: Person, form: dict[str, str]) -> str:
    num, seed = _number(form, "num", MAX_PLANTED), _number(form, "seed", 10**9)
    kinds = [kind for kind in DAMAGE_KINDS if form.get(f"kind_{kind}")]
    if not kinds or not num:
        raise GoldRefusedError(problem="choose how many errors to plant, and of which kinds.")
    made = plant_errors(queue, num, by=person.name, seed=seed, kinds=kinds)
    if not made:
        raise GoldRefusedError(problem="no accepted example is left that can be damaged in this way.")
    return f"{len(made)} damaged copies are in the queue."


def _withdraw(queue: ReviewQueue, person: Person, form: dict[str, str]) -> str:
    withdraw_gold(queue, form.get("item", ""))
    return "The item is served no more."


def _requeue(queue: ReviewQueue, person: Person, form: dict[str, str]) -> str:
    reviewer, since, num = form.get("reviewer", ""), _number(form, "since", 10**9), _number(form, "num", 10**9)
    if preview_requeue(queue, reviewer, since).num != num:
        raise VerdictRefusedError(problem="other verdicts have been given since you looked. Look at the preview again.")
    done = requeue_recent(queue, reviewer, since, by=person.name, reason=form.get("why", "").strip()[:2_000])
    return f"{done.num} verdicts are undone; the items are open again."


def _number(form: dict[str, str], name: str, most: int) -> int:
    text = form.get(name, "").strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 11) or int(text) > most:
        raise GoldRefusedError(problem=f"{name} must be a whole number from 0 to {most:,}.")
    return int(text)
