"""Rendering the pages of the review app: what each template is given.

Pages(dagster_url="").recipes({"sdk_assistant": Counts(num_items=500, num_open=88)}, reviewer="Ada")
"""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import jinja2

from curation.errors import UnknownIdError
from curation.ids import stable_fraction
from curation.records import Decision, ReviewItem
from curation.review import show
from curation.review.forms import REASONS
from curation.review.queue import Counts, QueueEntry, ReviewQueue

PAGE_SIZE = 50

DECISIONS: dict[Decision, str] = {
    "approve": "Approved",
    "edit": "Edited",
    "reject": "Rejected",
    "prefer_a": "Order kept",
    "prefer_b": "Order swapped",
    "tie": "Tie",
    "both_bad": "Both bad",
}
"""Decision -> how the pages call it."""


class Choice(NamedTuple):
    """One of the two answers of a pair, as shown."""

    number: int
    text: str
    decision: Decision


def choices(item: ReviewItem) -> tuple[Choice, Choice]:
    """Return the answers of a pair in an order that is fixed by the item's key, so that 'first' says nothing."""
    both: list[tuple[str, Decision]] = [(item.answer, "prefer_a"), (item.alternative, "prefer_b")]
    if stable_fraction(item.key, "position") < 0.5:
        both.reverse()
    return Choice(1, *both[0]), Choice(2, *both[1])


class Pages:
    """Fills the templates. Everything printed is escaped; a name that is missing is an error."""

    def __init__(self, dagster_url: str = "") -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=show.encodable,
        )
        safe_url = dagster_url if urlsplit(dagster_url).scheme in ("http", "https") else ""
        self._environment.globals.update(dagster_url=safe_url, decisions=DECISIONS, reasons=REASONS, reviewer="")
        self._environment.filters.update(
            reveal=show.reveal,
            excerpt=show.excerpt,
            pretty_json=show.pretty_json,
            prompt_text=show.prompt_text,
            when=lambda moment: f"{moment[:10]} {moment[11:16]} UTC",
        )

    def _render(self, template: str, **values: Any) -> str:
        return self._environment.get_template(template).render(**values)

    def recipes(self, counts: Mapping[str, Counts], reviewer: str) -> str:
        """Render the list of recipes."""
        return self._render("recipes.html", counts=counts, reviewer=reviewer)

    def queue(self, queue: ReviewQueue, entries: list[QueueEntry], *, page: int, done: str, **values: Any) -> str:
        """Render a page of items; one entry more than PAGE_SIZE means that there is a next page."""
        return self._render(
            "queue.html",
            recipe=queue.recipe,
            counts=queue.counts(),
            settings=queue.settings(),
            entries=entries[:PAGE_SIZE],
            page=page,
            has_next=len(entries) > PAGE_SIZE,
            done=_find(queue, done),
            **values,
        )

    def item(
        self,
        queue: ReviewQueue,
        entry: QueueEntry,
        *,
        reviewer: str,
        kind: str = "",
        done: str = "",
        problem: str = "",
        form: Mapping[str, str] | None = None,
    ) -> str:
        """Render one item; after a refused form, with the message and what was typed."""
        previous = queue.previous_item(entry.item)
        return self._render(
            "item.html",
            recipe=queue.recipe,
            counts=queue.counts(),
            settings=queue.settings(),
            entry=entry,
            item=entry.item,
            choices=choices(entry.item) if entry.item.kind == "pair" else (),
            passages=[show.highlight(passage, entry.item.answer) for passage in entry.item.evidence],
            previous=previous,
            changes=_changes(previous.item, entry.item) if previous else [],
            token=secrets.token_hex(16),
            reviewer=reviewer,
            kind=kind,
            done=_find(queue, done),
            problem=problem,
            form=form or {},
        )

    def reviewer(self, reviewer: str, back: str, *, problem: str = "") -> str:
        """Render the question for the reviewer's name."""
        return self._render("reviewer.html", name=reviewer, back=back, problem=problem)

    def problem(self, code: int, message: str) -> str:
        """Render an error."""
        return self._render("problem.html", code=code, message=message)


def _find(queue: ReviewQueue, item_key: str) -> QueueEntry | None:
    """Return the item decided just now, so that the next page can say so and offer to change it."""
    try:
        entry = queue.get_item(item_key) if item_key else None
    except UnknownIdError:
        return None
    return entry if entry and entry.human else None


def _changes(old: ReviewItem, new: ReviewItem) -> list[tuple[str, list[show.Change]]]:
    texts = (
        ("Prompt", show.prompt_text(old.prompt), show.prompt_text(new.prompt)),
        ("Answer", old.answer, new.answer),
        ("Other answer", old.alternative, new.alternative),
    )
    return [(name, show.diff_words(before, after)) for name, before, after in texts if before != after]
