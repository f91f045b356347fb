"""What every page is given: the queues, who is asking, and how templates are filled.

def add_routes(app: FastAPI, site: Site) -> None:
@app.get("/recipes/{recipe}/pace", response_class=HTMLResponse)
def show_pace(request: Request, recipe: str) -> Response:
person = site.require(request, "lead")
return site.render("pace.html", request, recipe=recipe, person=person)
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

import jinja2
from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse

from curation.errors import TunewrightError
from curation.review.accounts.person import Person, Role
from curation.review.items import shown_record_key
from curation.review.payload import encodable
from curation.review.queue import ReviewQueue
from curation.review.reviewers.findings import Findings
from curation.review.web import labels, markdown, masks, show
from curation.review.web.preferences import Preferences, read_preferences
from curation.review.web.sections import find_links, has_route
from curation.synthesis.ledger.call_costs import CostOfCalls

TEMPLATES = Path(__file__).parent / "templates"
_FIRST_TEMPLATES = ("layout.html", "macros.html", "queue.html", "item.html", "item_form.html", "item_context.html")


class LoginNeededError(TunewrightError):
    """Log in first."""


class ForbiddenError(TunewrightError):
    """This page is for a {role}, and {name} is a {own}. Ask a lead if you need it."""


class Identity(Protocol):
    """Tells who sends a request."""

    def identify(self, request: Request) -> Person | None:
        """Return the person, or None if nobody is logged in."""
        ...


class CostSource(Protocol):
    """Tells what calls to models cost."""

    def read(self, request_ids: Sequence[str]) -> CostOfCalls | None:
        """Return what calls cost, or None if that cannot be read."""
        ...


class OnePerson:
    """Takes everybody who can reach the app for one person: for a machine that only they use, and for tests."""

    def __init__(self, person: Person) -> None:
        self._person = person

    def identify(self, request: Request) -> Person | None:
        """Return the person."""
        return self._person


class Site:
    """The queues, the people and the templates of one review app. Thread-safe."""

    def __init__(
        self,
        queues: Mapping[str, ReviewQueue],
        identity: Identity,
        *,
        dagster_url: str = "",
        costs: CostSource | None = None,
    ) -> None:
        self.queues = queues
        self.identity = identity
        self.costs = costs
        self.findings = Findings()
        self._environment = _environment(dagster_url)

    def queue(self, recipe: str) -> ReviewQueue:
        """Return the queue of a recipe. Raises HTTPException 404."""
        if recipe not in self.queues:
            raise HTTPException(404, f"There is no review queue of a recipe '{recipe}'.")
        return self.queues[recipe]

    def visitor(self, request: Request) -> Person | None:
        """Return who is asking, or None if nobody is logged in."""
        if not hasattr(request.state, "person"):
            request.state.person = self.identity.identify(request)
        person: Person | None = request.state.person
        return person

    def person(self, request: Request) -> Person:
        """Return who is asking.

        Raises:
            LoginNeededError: answered with the login page, or 401 under /api.
        """
        person = self.visitor(request)
        if person is None:
            raise LoginNeededError
        return person

    def require(self, request: Request, role: Role) -> Person:
        """Return who is asking, who has at least this role.

        Raises:
            LoginNeededError, ForbiddenError: answered with the login page or 403.
        """
        person = self.person(request)
        if not person.may(role):
            raise ForbiddenError(role=role, name=person.name, own=person.role)
        return person

    def fill(self, template: str, **values: Any) -> str:
        """Fill a template; everything printed is escaped, and a name that is missing is an error."""
        return self._environment.get_template(template).render(**values)

    def load_templates(self) -> None:
        """Compile what every reviewer waits for first: were it left to their requests, each of those would do it at once."""
        for name in _FIRST_TEMPLATES:
            self._environment.get_template(name)

    def render(self, template: str, request: Request, *, status_code: int = 200, **values: Any) -> HTMLResponse:
        """Answer a request with a page."""
        person = values["person"] if "person" in values else self.visitor(request)
        path, recipe = request.url.path, values.get("recipe", "")
        given = {
            "person": person,
            "path": path,
            "preferences": read_preferences(request),
            "sections": find_links(request.app, recipe, person, path) if recipe else [],
            "served": [name for name in _ASKED_FOR if has_route(request.app, name)],
        } | values
        return HTMLResponse(self.fill(template, **given), status_code)


@functools.lru_cache(maxsize=8)
def _environment(dagster_url: str) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=encodable,
        auto_reload=False,
        cache_size=-1,
    )
    safe_url = dagster_url if urlsplit(dagster_url).scheme in ("http", "https") else ""
    environment.globals.update(_WORDS | {"dagster_url": safe_url})
    environment.filters.update(
        reveal=show.reveal,
        excerpt=show.excerpt,
        pretty_json=show.pretty_json,
        prompt_text=show.prompt_text,
        shorten=show.shorten_for_page,
        markdown=markdown.render,
        masks=masks.mark_masks,
        record_key=shown_record_key,
        reason_words=labels.reason_words,
        as_seen=labels.as_seen,
        query=lambda values: urlencode({name: value for name, value in values.items() if value not in ("", None)}),
        when=lambda moment: f"{moment[:10]} {moment[11:16]} UTC",
        thousands=lambda number: f"{number:,}",
    )
    return environment


_ASKED_FOR = ("/account", "/people", "/recipes/{recipe}/items/{item}/history", "/recipes/{recipe}/items/{item}/cost")
"""Paths that templates link to only where the app has them."""
_WORDS: dict[str, Any] = {
    "decisions": labels.DECISIONS,
    "kinds": labels.KINDS,
    "kinds_plural": labels.KINDS_PLURAL,
    "roles": labels.ROLES,
    "reasons": labels.REASONS,
    "person": None,
    "path": "",
    "preferences": Preferences(),
    "sections": [],
    "served": [],
}
"""What every template may name; a page without a request has nobody and no navigation."""
