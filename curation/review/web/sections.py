"""The pages of a recipe that every page links to, as far as this app has them.

find_links(app, "demo", person, "/recipes/demo")     [Link(label="Work", href="/recipes/demo", key="g w", is_current=True), ...]
"""

from typing import NamedTuple
from urllib.parse import quote

from fastapi import FastAPI

from curation.review.accounts.person import Person, Role


class Section(NamedTuple):
    """A kind of page."""

    label: str
    path: str
    key: str
    role: Role = "reviewer"


SECTIONS = (
    Section("Work", "/recipes/{recipe}", "g w"),
    Section("Search", "/recipes/{recipe}/search", "/"),
    Section("Progress", "/recipes/{recipe}/progress", "g p"),
    Section("Lots", "/recipes/{recipe}/lots", "g l"),
    Section("Agreement", "/recipes/{recipe}/agreement", "g m"),
    Section("Guidelines", "/recipes/{recipe}/guidelines", "g h"),
    Section("Reviewers", "/recipes/{recipe}/reviewers", "g r", "lead"),
    Section("Known items", "/recipes/{recipe}/gold", "g k", "lead"),
    Section("Audit", "/recipes/{recipe}/audit", "g a"),
    Section("Settings", "/recipes/{recipe}/settings", "g s"),
)
"""In the order of the navigation. One whose path is no route of the app is left out."""


class Link(NamedTuple):
    """A section as one person sees it on one page."""

    label: str
    href: str
    key: str
    is_current: bool


def find_links(app: FastAPI, recipe: str, person: Person | None, path: str) -> list[Link]:
    """Return the links of a recipe that a person may follow; the longest that fits the page is the current one."""
    served = {getattr(route, "path", "") for route in app.routes}
    name = quote(recipe, safe="")
    mine = [section for section in SECTIONS if section.path in served and person is not None and person.may(section.role)]
    hrefs = [section.path.replace("{recipe}", name) for section in mine]
    page = quote(path, safe="/")
    current = max((href for href in hrefs if page == href or page.startswith(f"{href}/")), key=len, default="")
    return [Link(section.label, href, section.key, href == current) for section, href in zip(mine, hrefs, strict=True)]


def has_route(app: FastAPI, path: str) -> bool:
    """Tell whether the app serves a path such as `/account`."""
    return any(getattr(route, "path", "") == path for route in app.routes)
