"""The progress page: its chart, its words, and an empty queue."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from curation.records import Example
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.progress import Day, Pace, Progress
from curation.review.queue import ReviewQueue
from curation.review.web import progress_routes
from curation.review.web.progress_routes import HEIGHT, WIDTH, draw_bars, say_left
from tests.curation.review.web.area_app import ORIGIN, area_app

pytestmark = pytest.mark.slow

AREAS = {"/recipes/{recipe}/progress": progress_routes}


def test_the_page_shows_days_and_parts(
    queue: ReviewQueue, make_example: Callable[..., Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curation.review.progress.QUICK_SECONDS", 600.0)  # what took longer would be kept for a minute
    client = TestClient(area_app(queue, AREAS), base_url=ORIGIN)
    assert "Nobody has given a verdict" in client.get("/recipes/demo/progress").text
    items = build_items([make_example(number, method="two words") for number in range(4)], [], lambda _: "", ReviewConfig())
    queue.sync_items(items, ReviewConfig())
    queue.submit(items[0].key, "approve", "Ada")
    page = client.get("/recipes/demo/progress").text
    assert page.count('<rect class="bar"') == 1
    assert "the most on one day were 1" in page
    assert "Too few verdicts yet" in page
    assert "q=task%3A%22two+words%22" in page
    assert f"/recipes/demo/items/{items[1].key}" in page
    assert " style=" not in page


def test_bars_stay_in_the_chart() -> None:
    bars = draw_bars([Day(day=f"2026-11-{number:02}", num=number) for number in range(1, 31)])
    assert all(bar.x >= 0 and bar.x + bar.width <= WIDTH and bar.y >= 0 and bar.y + bar.height <= HEIGHT for bar in bars)
    assert bars[-1].height == max(bar.height for bar in bars)
    assert draw_bars([]) == []


@pytest.mark.parametrize(
    ("votes", "per_hour", "per_day", "says"),
    [
        (0, 60.0, 10.0, ""),
        (30, 60.0, 100.0, "about 30 minutes of work for one person; less than a day"),
        (60, 60.0, 60.0, "about 1 hour of work for one person; less than a day"),
        (1_000, 74.0, 100.0, "about 14 hours of work for one person; about 10 days"),
        (1_000_000, 100.0, 500.0, "about 10,000 hours of work for one person; about 2,000 days"),
    ],
)
def test_what_is_left_is_said_no_more_exactly_than_it_is_known(votes: int, per_hour: float, per_day: float, says: str) -> None:
    pace = Pace(per_hour=per_hour, num_verdicts=100, num_people=2, per_active_day=per_day)
    progress = Progress(
        days=[], pace=pace, votes_left=votes, num_disputed=0, num_leased=0, kinds=[], tasks=[], oldest_open=None
    )
    assert say_left(progress).startswith(says)
    assert bool(say_left(progress)) == bool(says)
