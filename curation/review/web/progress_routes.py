"""How far a queue is and when it will be done.

GET /recipes/demo/progress
"""

from collections.abc import Sequence
from typing import NamedTuple

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from curation.review.progress import Day, Progress, ProgressReader
from curation.review.web.site import Site

WIDTH, HEIGHT = 720, 160
_TOP, _BOTTOM = 18, 22


class Bar(NamedTuple):
    """A bar of the chart, in its coordinates."""

    day: str
    num: int
    x: float
    y: float
    width: float
    height: float


def add_routes(app: FastAPI, site: Site) -> None:
    """Add the pages of this module."""
    reader = ProgressReader()

    @app.get("/recipes/{recipe}/progress", response_class=HTMLResponse)
    def show_progress(request: Request, recipe: str) -> Response:
        site.person(request)
        queue = site.queue(recipe)
        progress = reader.read(queue)
        return site.render(
            "progress.html",
            request,
            recipe=recipe,
            counts=queue.counts(),
            progress=progress,
            bars=draw_bars(progress.days),
            most=max(day.num for day in progress.days),
            size=(WIDTH, HEIGHT),
            left=say_left(progress),
        )


def draw_bars(days: Sequence[Day]) -> list[Bar]:
    """Return one bar a day; the highest fills the chart."""
    most, step = max([day.num for day in days] or [0]) or 1, WIDTH / max(len(days), 1)
    room = HEIGHT - _TOP - _BOTTOM
    bars = []
    for number, day in enumerate(days):
        height = round(day.num / most * room, 1)
        bars.append(
            Bar(day.day, day.num, round(number * step + step * 0.1, 1), _TOP + room - height, round(step * 0.8, 1), height)
        )
    return bars


def say_left(progress: Progress) -> str:
    """Return how long it will take, no more exactly than the pace so far can tell; empty if nothing is left."""
    if not progress.votes_left:
        return ""
    if progress.pace is None or progress.hours_left is None:
        return "Too few verdicts yet to say how long the rest will take."
    work = f"about {_hours(progress.hours_left)} of work for one person"
    if progress.days_left is None:
        return work
    return f"{work}; {_days(progress.days_left)} if people go on as on the last days on which they reviewed"


def _hours(hours: float) -> str:
    if hours < 0.75:
        return f"{max(5, round(hours * 60 / 5) * 5)} minutes"
    rounded = round(hours, 1) if hours < 3 else round(hours) if hours < 40 else round(hours, -1)
    return "1 hour" if rounded == 1 else f"{rounded:,g} hours"


def _days(days: float) -> str:
    if days <= 1:
        return "less than a day"
    rounded = round(days) if days < 40 else round(days, -1)
    return "about 1 day" if rounded == 1 else f"about {rounded:,g} days"
