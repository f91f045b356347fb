"""An app with the areas of pages that a test is about, whether or not `create_app` has them already."""

from types import ModuleType

from fastapi import FastAPI

from curation.review.accounts.person import Person, Role
from curation.review.queue import ReviewQueue
from curation.review.web.app import create_app
from curation.review.web.sections import has_route
from curation.review.web.site import OnePerson

ORIGIN = "http://127.0.0.1:3001"
SAME = {"sec-fetch-site": "same-origin"}


def area_app(queue: ReviewQueue, areas: dict[str, ModuleType], *, name: str = "Lea", role: Role = "lead") -> FastAPI:
    """Return the app as one person sees it; `areas` gives a path of each area and its module."""
    app = create_app({queue.recipe: queue}, OnePerson(Person(name=name, role=role)))
    for path, area in areas.items():
        if not has_route(app, path):
            area.add_routes(app, app.state.site)
    return app
