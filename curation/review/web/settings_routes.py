"""What the recipe says about its queue, where that is changed, and what this browser shall look like.

POST /recipes/demo/settings  theme=dark&density=compact&shortcuts=off     303 back, with three cookies
"""

import importlib.metadata
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from curation.review.web.forms import read_form
from curation.review.web.preferences import CHOICES, read_preferences
from curation.review.web.site import Site

COOKIE_SECONDS = 365 * 24 * 3600


async def _form(request: Request) -> dict[str, str]:
    return read_form(await request.body(), request.headers.get("content-type", ""))


Form = Annotated[dict[str, str], Depends(_form)]


def add_routes(app: FastAPI, site: Site) -> None:
    """Add the pages of this module."""

    @app.get("/recipes/{recipe}/settings", response_class=HTMLResponse)
    def show_settings(request: Request, recipe: str) -> Response:
        site.person(request)
        queue = site.queue(recipe)
        return site.render(
            "settings.html",
            request,
            recipe=recipe,
            settings=queue.settings(),
            counts=queue.counts(),
            database="SQLite" if queue.database.is_sqlite else "PostgreSQL",
            version=_version(),
            choices=CHOICES,
            preferences=read_preferences(request),
        )

    @app.post("/recipes/{recipe}/settings")
    def keep_preferences(request: Request, recipe: str, form: Form) -> Response:
        site.person(request)
        site.queue(recipe)
        response = RedirectResponse(request.url.path, 303)
        for name, values in CHOICES.items():
            value = form.get(name, "")
            if value and value in values:
                is_secure = request.url.scheme == "https"
                response.set_cookie(name, value, max_age=COOKIE_SECONDS, httponly=True, samesite="lax", secure=is_secure)
            else:
                response.delete_cookie(name)
        return response


def _version() -> str:
    try:
        return importlib.metadata.version("tunewright")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
