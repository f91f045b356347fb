"""Light or dark: what a person chose is kept in the cookie `theme`, and without it the system decides.

POST /look  theme=dark&return=/recipes/demo     303 to /recipes/demo, with theme=dark
"""

from typing import Literal

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from curation.review.web.forms import read_form, read_return_path
from curation.review.web.site import Site

Theme = Literal["", "light", "dark"]
MAX_AGE_SECONDS = 365 * 24 * 3600


def add_routes(app: FastAPI, site: Site) -> None:
    """Add the pages of this module."""

    @app.post("/look")
    async def choose_look(request: Request) -> Response:
        form = read_form(await request.body(), request.headers.get("content-type", ""))
        response = RedirectResponse(read_return_path(form.get("return", "/")), 303)
        is_secure = request.url.scheme == "https"
        if form.get("theme") in ("light", "dark"):
            cookie = {"max_age": MAX_AGE_SECONDS, "secure": is_secure}
            response.set_cookie("theme", form["theme"], httponly=True, samesite="lax", **cookie)  # type: ignore[arg-type]
        else:
            response.delete_cookie("theme")
        return response
