"""The JSON API: everything that a page can do, for programs. Its description is at /api/openapi.json, for people at /api.

    POST /api/recipes/sdk_assistant/claim      {}                           {"lease": {...}, "item": {...}}
    POST /api/recipes/sdk_assistant/verdicts   {"verdicts": [{...}]}        {"results": [{"token": "...", "verdict": {...}}]}

Whoever asks is known by a session or by `Authorization: Bearer TOKEN`. Others' votes, and what judges and rules think, stay
hidden from a person until they have voted, as on the pages.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi import Path as PathParameter
from starlette.responses import Response, StreamingResponse

from curation.errors import ItemWithdrawnError, LeaseLostError, TunewrightError, VerdictConflictError, VerdictRefusedError
from curation.record_rows import as_row
from curation.records import Verdict
from curation.review.accounts.person import Person
from curation.review.errors import ScopeMissingError
from curation.review.exchange.reviewed import iter_reviewed
from curation.review.exchange.shapes import SHAPES, ShapeName
from curation.review.items import shown_record_key
from curation.review.payload import json_line
from curation.review.queue import ReviewQueue
from curation.review.queue.claims import Lease
from curation.review.queue.vote import Vote, VoteDetails
from curation.review.web import api_models as models
from curation.review.web.api_docs import add_docs
from curation.review.web.site import ForbiddenError, Site

State = Annotated[str, Query(pattern="^(open|partial|disputed|decided|)$")]
Recipe = Annotated[str, PathParameter(max_length=200)]
ItemKey = Annotated[str, PathParameter(pattern="^[0-9a-f]{32}$")]
_CODES = {
    VerdictRefusedError: "refused",
    VerdictConflictError: "conflict",
    LeaseLostError: "lease_lost",
    ItemWithdrawnError: "withdrawn",
    ForbiddenError: "forbidden",
}
_REFUSALS = tuple(_CODES)


_CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": models.ErrorOut, "description": "Somebody else was quicker, or the lease has run out."},
    422: {"model": models.InvalidOut},
}
"""What `api_description` does not say of every route."""


def add_routes(app: FastAPI, site: Site) -> None:
    """Add the routes of this module."""
    _add_leases(app, site)
    _add_verdicts(app, site)
    _add_reading(app, site)
    _add_streams(app, site)
    add_docs(app, site)


def as_json(value: Any, status_code: int = 200) -> Response:
    """Answer in ASCII, which carries any text, half surrogates too."""
    return Response(json.dumps(value), status_code, media_type="application/json")


def enter(site: Site, request: Request, recipe: str, scope: str, *, role: Any = "reviewer") -> tuple[Person, ReviewQueue]:
    """Return who is asking and the queue, for somebody who may do that there. Raises HTTPException, or as `Site.require`."""
    person = site.require(request, role)
    if scope not in person.scopes:
        raise HTTPException(403, str(ScopeMissingError(scope=scope)))
    return person, site.queue(recipe)


def _add_leases(app: FastAPI, site: Site) -> None:
    @app.post(
        "/api/recipes/{recipe}/claim", operation_id="claim", response_model=models.ClaimOut, responses=_CONFLICT, tags=["work"]
    )
    def claim(request: Request, recipe: Recipe, body: models.ClaimIn) -> Response:
        """Lease the next item, or one by its key; null if there is nothing left for this person to decide."""
        role = "adjudicator" if body.role == "adjudication" else "reviewer"
        person, queue = enter(site, request, recipe, "vote", role=role)
        lease = queue.claim(person.name, role=body.role, kind=body.kind, after=body.after, item_key=body.item_key)
        item = _show_item(queue, lease.item_key, person) if lease else None
        return as_json({"lease": asdict(lease) if lease else None, "item": item})

    @app.post(
        "/api/recipes/{recipe}/leases/extend",
        operation_id="extend_lease",
        response_model=models.LeaseOut,
        responses=_CONFLICT,
        tags=["work"],
    )
    def extend(request: Request, recipe: Recipe, body: models.LeaseIn) -> Response:
        """Make a lease last for another full term."""
        person, queue = enter(site, request, recipe, "vote")
        return as_json(asdict(queue.extend(_lease(body, person))))

    @app.post(
        "/api/recipes/{recipe}/leases/release", operation_id="release_lease", response_model=models.ReleasedOut, tags=["work"]
    )
    def release(request: Request, recipe: Recipe, body: models.ReleaseIn) -> Response:
        """Give an item back undecided; with `skip`, this person gets it after all others."""
        person, queue = enter(site, request, recipe, "vote")
        if body.skip:
            queue.get_item(body.item_key)  # nothing is put off that is not there
        return as_json({"released": queue.release(_lease(body, person), skip=body.skip)})


def _lease(body: models.LeaseIn, person: Person) -> Lease:
    return Lease(
        item_key=body.item_key,
        slot=body.slot,
        reviewer=person.name,
        role=body.role,
        generation=body.generation,
        origin="",
        expires_at=0.0,
        seconds_left=0.0,
    )


def _add_verdicts(app: FastAPI, site: Site) -> None:
    @app.post(
        "/api/recipes/{recipe}/verdicts", operation_id="record_verdicts", response_model=models.OutcomesOut, tags=["work"]
    )
    def decide(request: Request, recipe: Recipe, body: models.VerdictsIn) -> Response:
        """Record up to 100 verdicts; each is recorded or refused on its own. What was recorded is on disk."""
        person, queue = enter(site, request, recipe, "vote")
        held = {(lease.item_key, lease.role): lease for lease in queue.leases(person.name)}
        return as_json({"results": [_record(site, request, queue, person, verdict, held) for verdict in body.verdicts]})

    @app.post(
        "/api/recipes/{recipe}/undo",
        operation_id="undo_verdict",
        response_model=models.VerdictOut,
        responses=_CONFLICT,
        tags=["work"],
    )
    def undo(request: Request, recipe: Recipe, body: models.UndoIn) -> Response:
        """Take a verdict of one's own back; the item is open again."""
        person, queue = enter(site, request, recipe, "vote")
        found = queue.verdicts_after(body.sequence - 1, limit=1)
        if not found or found[0].sequence != body.sequence or found[0].reviewer != person.name or found[0].decision == "undo":
            raise HTTPException(404, "You have given no verdict with this number.")
        try:
            return as_json(as_row(queue.undo(found[0], person.name, body.reason, token=body.token)))
        except VerdictRefusedError as error:  # what was asked for makes sense, and comes too late
            raise HTTPException(409, str(error)) from error


def _record(
    site: Site,
    request: Request,
    queue: ReviewQueue,
    person: Person,
    said: models.VerdictIn,
    held: dict[tuple[str, models.WorkRole], Lease],
) -> dict[str, Any]:
    lease = held.get((said.item_key, said.role))
    details = VoteDetails(
        origin=lease.origin if lease else "chosen",
        position=said.details.position,
        strength=said.details.strength,
        unsupported=tuple(said.details.unsupported),
        not_in_source=said.details.not_in_source,
        seconds=said.details.seconds,
    )
    vote = Vote(
        item_key=said.item_key,
        decision=said.decision,
        reviewer=person.name,
        reason=said.reason,
        edited_answer=said.edited_answer,
        token=said.token,
        expected=said.expected,
        generation=said.generation,
        role=said.role,
        details=details,
    )
    try:
        if said.role == "adjudication":
            site.require(request, "adjudicator")
        return {"token": said.token, "verdict": as_row(queue.record([vote])[0]), "problem": None}
    except _REFUSALS as error:
        return {"token": said.token, "verdict": None, "problem": {"error": str(error), "code": _code(error)}}


def _code(error: TunewrightError) -> str:
    return next(code for cls, code in _CODES.items() if isinstance(error, cls))


def _add_reading(app: FastAPI, site: Site) -> None:
    @app.get("/api/recipes/{recipe}/counts", operation_id="read_counts", response_model=models.CountsOut, tags=["read"])
    def count(request: Request, recipe: Recipe) -> Response:
        """How many items there are, and how they were decided."""
        _, queue = enter(site, request, recipe, "read")
        counts = queue.counts()
        return as_json({"recipe": queue.recipe, **asdict(counts), "num_decided": counts.num_decided})

    @app.get("/api/recipes/{recipe}/items/{key}", operation_id="show_item", response_model=models.ItemOut, tags=["read"])
    def show(request: Request, recipe: Recipe, key: ItemKey) -> Response:
        """One item. Its verdicts are null until this person has voted on it."""
        person, queue = enter(site, request, recipe, "read")
        return as_json(_show_item(queue, key, person))


def _show_item(queue: ReviewQueue, key: str, person: Person) -> dict[str, Any]:
    entry, history = queue.get_item(key), queue.history(key)
    may_know = person.may("lead") or _has_voted(history, person)
    may_know = may_know or (person.may("adjudicator") and entry.state == "disputed")
    item = as_row(entry.item) | {"record_key": shown_record_key(entry.item.record_key)}
    if not may_know:
        item["provenance"]["votes"] = []
    return {
        "item": item,
        "state": entry.state,
        "is_listed": entry.is_listed,
        "opened_at": entry.opened_at,
        "num_votes": entry.num_votes,
        "verdicts": [as_row(verdict) for verdict in history] if may_know else None,
    }


def _has_voted(history: list[Verdict], person: Person) -> bool:
    undone = {verdict.supersedes for verdict in history if verdict.decision == "undo"}
    own = (verdict for verdict in history if verdict.reviewer == person.name and verdict.decision != "undo")
    return any(verdict.sequence not in undone for verdict in own)


def _add_streams(app: FastAPI, site: Site) -> None:
    @app.get("/api/recipes/{recipe}/verdicts", operation_id="list_verdicts", response_model=models.PageOut, tags=["leads"])
    def list_verdicts(
        request: Request,
        recipe: Recipe,
        after: Annotated[int, Query(ge=0, le=models.MAX_NUMBER)] = 0,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> Response:
        """Every verdict with a higher number, oldest first. Numbers have no gaps and never appear late. For leads."""
        _, queue = enter(site, request, recipe, "read", role="lead")
        found = queue.verdicts_after(after, limit=limit)
        return as_json({"verdicts": [as_row(verdict) for verdict in found], "last": found[-1].sequence if found else after})

    @app.get(
        "/api/recipes/{recipe}/export",
        operation_id="export_items",
        response_class=StreamingResponse,
        responses={200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}},
        tags=["leads"],
    )
    def export(request: Request, recipe: Recipe, shape: ShapeName = "tunewright", state: State = "") -> Response:
        """All listed items with their verdicts, one JSON object a line, in the shape asked for. For leads."""
        _, queue = enter(site, request, recipe, "read", role="lead")
        lines = _lines(queue, shape, state)
        return StreamingResponse(lines, media_type="application/x-ndjson")


def _lines(queue: ReviewQueue, shape: ShapeName, state: str) -> Iterator[bytes]:
    write = SHAPES[shape].write
    for reviewed in iter_reviewed(queue.database, queue.recipe, state=state):
        yield json_line(write(reviewed))
