"""Light or dark: what a person chose is kept in the cookie `theme`, and without it the system decides.

POST /look  theme=dark&return=/recipes/demo     303 to /recipes/demo, with theme=dark
"""

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from curation.review.web.forms import read_form, read_return_path
from curation.review.web.preferences import THEMES
from curation.review.web.site import Site

MAX_AGE_SECONDS = 365 * 24 * 3600


def add_routes(app: FastAPI, site: Site) -> None:
    """Add the pages of this module."""

    @app.post("/look")
    async def choose_look(request: Request) -> Response:
        form = read_form(await request.body(), request.headers.get("content-type", ""))
        response = RedirectResponse(read_return_path(form.get("return", "/")), 303)
        theme, is_secure = form.get("theme", ""), request.url.scheme == "https"
        if theme and theme in THEMES:
            response.set_cookie("theme", theme, max_age=MAX_AGE_SECONDS, httponly=True, samesite="lax", secure=is_secure)
        else:
            response.delete_cookie("theme")
        return response
