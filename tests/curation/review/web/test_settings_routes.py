"""The settings page: what the recipe says, and choices that stay in this browser."""

import pytest
from starlette.testclient import TestClient

from curation.review.config import ReviewConfig
from curation.review.queue import ReviewQueue
from curation.review.web import settings_routes
from tests.curation.review.web.area_app import ORIGIN, SAME, area_app

pytestmark = pytest.mark.slow

AREAS = {"/recipes/{recipe}/settings": settings_routes}


@pytest.fixture
def client(queue: ReviewQueue) -> TestClient:
    queue.sync_items([], ReviewConfig(overlap=3, rubric="Be <b>fair</b>.", lease_minutes=7.5))
    return TestClient(area_app(queue, AREAS, name="Ada", role="reviewer"), base_url=ORIGIN, follow_redirects=False)


def test_what_the_recipe_says_is_shown_to_all(client: TestClient) -> None:
    page = client.get("/recipes/demo/settings").text
    assert "3 people decide each item" in page
    assert "7.5 minutes" in page
    assert "Be &lt;b&gt;fair&lt;/b&gt;." in page
    assert "recipes/demo.yaml" in page
    assert "SQLite" in page


def test_choices_are_kept_in_cookies(client: TestClient) -> None:
    form = {"theme": "dark", "density": "compact", "shortcuts": "off"}
    kept = client.post("/recipes/demo/settings", data=form, headers=SAME)
    assert (kept.status_code, kept.headers["location"]) == (303, "/recipes/demo/settings")
    assert dict(client.cookies) == form
    assert all("HttpOnly" in cookie and "SameSite=lax" in cookie for cookie in kept.headers.get_list("set-cookie"))
    page = client.get("/recipes/demo/settings").text
    assert page.count(" checked>") == 3
    assert 'name="theme" value="dark" checked' in page
    client.post("/recipes/demo/settings", data={"theme": "pink", "density": ""}, headers=SAME)
    assert dict(client.cookies) == {}
