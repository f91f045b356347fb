"""What the item page is given: who may see which votes, which answer stands first, what changed since last time.

choices(item, "Ada")      (Choice(1, "text of B", "prefer_b"), Choice(2, "text of A", "prefer_a"))
"""

from typing import Any, NamedTuple

from curation.errors import UnknownIdError
from curation.ids import stable_fraction
from curation.records import Decision, ReviewItem, Verdict
from curation.review.accounts.person import Person
from curation.review.queue import QueueEntry, ReviewQueue
from curation.review.queue.claims import Lease
from curation.review.queue.resolution import standing
from curation.review.web import show

PAGE_SIZE = 50


class Choice(NamedTuple):
    """One of the two answers of a pair, as shown."""

    number: int
    text: str
    decision: Decision


def choices(item: ReviewItem, name: str) -> tuple[Choice, Choice]:
    """Return the answers of a pair in an order drawn for this item and person, so that 'first' says nothing."""
    both: list[tuple[str, Decision]] = [(item.answer, "prefer_a"), (item.alternative, "prefer_b")]
    if stable_fraction(f"{item.key}/{name}", "position") < 0.5:
        both.reverse()
    return Choice(1, *both[0]), Choice(2, *both[1])


def position(item: ReviewItem, name: str) -> str:
    """Return the order as it is recorded: `ab` if answer A stood first."""
    return "ab" if choices(item, name)[0].decision == "prefer_a" else "ba"


class Seen(NamedTuple):
    """What a person may see of the votes on an item."""

    own: Verdict | None
    others: list[Verdict]
    """Empty until the person has voted, or the item is decided, or they adjudicate it."""


def visible_votes(entry: QueueEntry, history: list[Verdict], person: Person, lease: Lease | None) -> Seen:
    """Return the votes that a person may see: nobody sees what others said before they have said it themselves."""
    said = standing(history)
    own = next((vote for vote in reversed(said) if vote.reviewer == person.name), None)
    adjudicates = lease is not None and lease.role == "adjudication"
    may_see = own is not None or entry.state == "decided" or adjudicates
    return Seen(own, [vote for vote in said if vote.reviewer != person.name] if may_see else [])


def item_values(queue: ReviewQueue, entry: QueueEntry, person: Person, lease: Lease | None) -> dict[str, Any]:
    """Return what the template of the item page needs."""
    item = entry.item
    history = queue.history(item.key)
    seen = visible_votes(entry, history, person, lease)
    previous = queue.previous_item(item)
    return {
        "recipe": queue.recipe,
        "counts": queue.counts(),
        "settings": queue.settings(),
        "entry": entry,
        "item": item,
        "lease": lease,
        "own": seen.own,
        "others": seen.others,
        "expected": entry.last_sequence,
        "choices": choices(item, person.name) if item.kind == "pair" else (),
        "position": position(item, person.name) if item.kind == "pair" else "",
        "passages": [show.highlight(passage, item.answer) for passage in item.evidence],
        "previous": previous,
        "changes": _changes(previous.item, item) if previous else [],
        "can_decide": entry.is_listed and (lease is not None or _may_change(entry, seen.own)),
    }


def _may_change(entry: QueueEntry, own: Verdict | None) -> bool:
    """A person may change their own vote until somebody has adjudicated."""
    adjudicated = entry.human is not None and entry.human.role == "adjudication"
    return own is not None and (not adjudicated or own.role == "adjudication")


class Done(NamedTuple):
    """The item that somebody decided just now, and what they said."""

    item: ReviewItem
    verdict: Verdict
    entry: QueueEntry


def find_done(queue: ReviewQueue, item_key: str, person: Person) -> Done | None:
    """Return the item decided just now, so that the next page can say so and offer to change it."""
    if not item_key:
        return None
    try:
        entry = queue.get_item(item_key)
    except UnknownIdError:
        return None
    own = next((vote for vote in reversed(standing(queue.history(item_key))) if vote.reviewer == person.name), None)
    return Done(entry.item, own, entry) if own else None


def _changes(old: ReviewItem, new: ReviewItem) -> list[tuple[str, list[show.Change]]]:
    texts = (
        ("Prompt", show.prompt_text(old.prompt), show.prompt_text(new.prompt)),
        ("Answer", old.answer, new.answer),
        ("Other answer", old.alternative, new.alternative),
    )
    return [(name, show.diff_words(before, after)) for name, before, after in texts if before != after]
