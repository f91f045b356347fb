"""Every page of the review app under axe-core, in light and dark, on a desk and on a phone; none scrolls sideways at 320 px."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import argon2
import pytest

from curation.database import Database
from curation.review.accounts.accounts import Accounts
from curation.review.accounts.identity import AccountsIdentity
from curation.review.accounts.tables import MIGRATIONS
from curation.review.config import ReviewConfig
from curation.review.queue import ReviewQueue
from curation.review.web import (
    accounts_routes,
    api_routes,
    audit_routes,
    bulk_routes,
    gold_routes,
    lots_routes,
    progress_routes,
    reviewers_routes,
    search_routes,
    settings_routes,
)
from curation.review.web.app import create_app
from tests.browser.conftest import REFUSED
from tests.browser.review_rows import fill, make_rows

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PASSWORD = "correct horse battery"
AREAS = {
    "/recipes/{recipe}/audit": audit_routes,
    "/recipes/{recipe}/bulk": bulk_routes,
    "/recipes/{recipe}/gold": gold_routes,
    "/recipes/{recipe}/lots": lots_routes,
    "/recipes/{recipe}/progress": progress_routes,
    "/recipes/{recipe}/agreement": reviewers_routes,
    "/recipes/{recipe}/search": search_routes,
    "/recipes/{recipe}/settings": settings_routes,
    "/api/recipes/{recipe}/verdicts": api_routes,
}
NOT_LOGGED_IN = ("/login", "/welcome/nonsense")
KEYS = {"/recipes/demo/next?kind=example": ("e", "r", "o", "x"), "/recipes/demo/next?kind=pair": ("o", "?")}
"""What is opened on a page, and looked at too."""
WORST = ("serious", "critical")
LOOKS: dict[str, dict[str, Any]] = {
    "desk, light": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "desk, dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "phone, light": {"viewport": {"width": 320, "height": 640}, "color_scheme": "light"},
    "phone, dark": {"viewport": {"width": 320, "height": 640}, "color_scheme": "dark"},
    "desk at 200 %": {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},
}


def served(app: Any) -> set[str]:
    return {getattr(route, "path", "") for route in app.routes}


@pytest.fixture
def accounts(tmp_path: Path) -> Any:
    database = Database.open(tmp_path / "accounts.db", concern="accounts", migrations=MIGRATIONS)
    opened = Accounts(database, hasher=argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    opened.accept(opened.first_link() or "", "Ada", PASSWORD)
    opened.accept(opened.invite("reviewer", by="Ada"), "Bob", PASSWORD)
    yield opened
    database.close()


@pytest.fixture
def app(queue: ReviewQueue, accounts: Accounts) -> Any:
    """The app with every area of pages, also those that `create_app` leaves to others."""
    built = create_app({"demo": queue}, AccountsIdentity(accounts))
    for path, area in AREAS.items():
        if path not in served(built):
            area.add_routes(built, built.state.site)
    if "/login" not in served(built):
        accounts_routes.add_routes(built, built.state.site, accounts)
    return built


@pytest.fixture
def paths(queue: ReviewQueue) -> list[str]:
    """Pages with something on them: decided, disputed and open items of every kind."""
    items = fill(queue, make_rows(3), ReviewConfig(overlap=2))
    examples = [item for item in items if item.kind == "example"]
    queue.submit(examples[0].key, "approve", "Bob")
    queue.submit(examples[0].key, "reject", "Eve", reason="wrong,format: no such rule")
    for name in ("Bob", "Ada"):
        queue.submit(examples[1].key, "edit", name, edited_answer="Returns are free for 30 days.")
    kinds = [f"/recipes/demo/next?kind={kind}" for kind in ("example", "pair", "task", "document")]
    seen = [f"/recipes/demo/items/{examples[1].key}", f"/recipes/demo/items/{examples[1].key}/history"]
    sections = ("search", "search?q=returns", "progress", "lots", "agreement", "guidelines", "reviewers", "gold", "audit")
    plain = [f"/recipes/demo/{name}" for name in (*sections, "settings", "bulk")]
    return [
        "/",
        "/recipes/demo?status=all",
        *kinds,
        "/recipes/demo/next?role=adjudication",
        *seen,
        *plain,
        "/account",
        "/people",
    ]


def log_in(page: Any) -> None:
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/")


def violations(page: Any) -> list[str]:
    """Return what axe-core finds of WCAG 2.2 AA, serious and worse."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{each['id']}: {node['html'][:160]}" for each in found if each["impact"] in WORST for node in each["nodes"]]


def is_wide(page: Any) -> bool:
    """Tell whether the page scrolls sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@pytest.mark.parametrize("look", LOOKS)
def test_no_page_has_a_serious_problem_or_scrolls_sideways(
    open_page: Callable[..., Any], paths: list[str], allowed: list[str], look: str
) -> None:
    allowed.append(REFUSED)  # a welcome link that is not there is a 404
    options = LOOKS[look] | {"bypass_csp": True}  # axe-core is put into the page; the pages themselves run under the policy
    options |= {"reduced_motion": "reduce"}  # else it may meet a colour on its way to another
    problems: list[str] = []
    page = open_page("/login", **options)
    for path in NOT_LOGGED_IN:
        page.goto(path)
        problems += [f"{path}: {problem}" for problem in violations(page)]
    page.goto("/login")
    log_in(page)
    for path in paths:
        page.goto(path)
        problems += [f"{path}: {problem}" for problem in violations(page)]
        problems += [f"{path} scrolls sideways"] if is_wide(page) else []
        for key in KEYS.get(path, ()):
            page.keyboard.press(key)
            problems += [f"{path} after {key}: {problem}" for problem in violations(page)]
            problems += [f"{path} after {key} scrolls sideways"] if is_wide(page) else []
            page.keyboard.press("Escape")
    assert not problems, "\n".join(problems)
