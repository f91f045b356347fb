"""The audit trail: who decided what, when and why, whether the chain is intact, and the trail as a file.

GET /recipes/demo/audit?reviewer=Ada&decision=reject&since=2026-11-01
GET /recipes/demo/audit.csv

Where several people vote on an item, a reviewer sees their own verdicts only: those of others would sway them.
"""

import datetime
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import FastAPI, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from starlette.responses import Response

from curation.review.accounts.person import Person
from curation.review.queue import ReviewQueue
from curation.review.trail import BUDGET, ChainWatch, Wanted, as_csv, as_jsonl, each_entry, read_trail
from curation.review.web.labels import DECISIONS
from curation.review.web.site import Site

ItemKey = Annotated[str, PathParameter(pattern="^[0-9a-f]{32}$")]
Name = Annotated[str, Query(max_length=200)]
Day = Annotated[str, Query(max_length=10)]
Number = Annotated[int, Query(ge=0, le=2_000_000_000)]


def add_routes(app: FastAPI, site: Site) -> None:
    """Add the pages of this module."""
    watch = ChainWatch()
    _add_trail(app, site, watch)
    _add_downloads(app, site)
    _add_history(app, site)

    @app.post("/recipes/{recipe}/audit/verify")
    def verify(request: Request, recipe: str) -> Response:
        person = site.require(request, "adjudicator")
        watch.start(site.queue(recipe), person.name)
        return RedirectResponse(f"/recipes/{quote(recipe, safe='')}/audit", 303)


def _add_trail(app: FastAPI, site: Site, watch: ChainWatch) -> None:
    @app.get("/recipes/{recipe}/audit", response_class=HTMLResponse)
    def show_trail(
        request: Request,
        recipe: str,
        reviewer: Name = "",
        decision: Name = "",
        since: Day = "",
        until: Day = "",
        before: Number = 0,
    ) -> Response:
        person, queue = site.person(request), site.queue(recipe)
        is_blind = _is_blind(queue, person)
        wanted = _read_wanted(person.name if is_blind else reviewer, decision, since, until)
        return site.render(
            "audit.html",
            request,
            recipe=recipe,
            wanted=wanted,
            filters={"reviewer": wanted.reviewer, "decision": wanted.decision, "since": wanted.since, "until": wanted.until},
            page=read_trail(queue, wanted, before=before),
            before=before,
            budget=BUDGET,
            is_blind=is_blind,
            chain=watch.state(recipe),
        )


def _add_downloads(app: FastAPI, site: Site) -> None:
    @app.get("/recipes/{recipe}/audit.{form}")
    def download(
        request: Request,
        recipe: str,
        form: Literal["csv", "jsonl"],
        reviewer: Name = "",
        decision: Name = "",
        since: Day = "",
        until: Day = "",
    ) -> Response:
        person, queue = site.person(request), site.queue(recipe)
        wanted = _read_wanted(person.name if _is_blind(queue, person) else reviewer, decision, since, until)
        entries = each_entry(queue, wanted)
        lines: Iterator[bytes] = as_csv(entries) if form == "csv" else as_jsonl(entries)
        kind = "text/csv; charset=utf-8" if form == "csv" else "application/x-ndjson"
        name = f"attachment; filename=\"audit.{form}\"; filename*=UTF-8''{quote(recipe, safe='')}-audit.{form}"
        return StreamingResponse(lines, media_type=kind, headers={"content-disposition": name})


def _add_history(app: FastAPI, site: Site) -> None:
    @app.get("/recipes/{recipe}/items/{item}/history", response_class=HTMLResponse)
    def show_history(request: Request, recipe: str, item: ItemKey) -> Response:
        person, queue = site.person(request), site.queue(recipe)
        entry = queue.get_item(item)
        wanted = Wanted(item_key=item)
        has_voted = any(verdict.reviewer == person.name and verdict.decision != "undo" for verdict in queue.history(item))
        if _is_blind(queue, person) and entry.state in ("open", "partial") and not has_voted:
            wanted = replace(wanted, reviewer=person.name)
        page = read_trail(queue, wanted)
        return site.render(
            "audit_item.html",
            request,
            recipe=recipe,
            item=entry.item,
            entry=entry,
            page=page,
            is_blind=bool(wanted.reviewer),
        )


def _is_blind(queue: ReviewQueue, person: Person) -> bool:
    return queue.settings().overlap > 1 and not person.may("adjudicator")


def _read_wanted(reviewer: str, decision: str, since: str, until: str) -> Wanted:
    usable = "\0" not in reviewer and not any("\ud800" <= each <= "\udfff" for each in reviewer)
    return Wanted(
        reviewer=reviewer if usable else "",
        decision=decision if decision in DECISIONS else "",
        since=_read_day(since),
        until=_read_day(until),
    )


def _read_day(text: str) -> str:
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        return ""
