"""The slots of an item: who reviews it. An item that `overlap` people have to see has that many, and can have no more.

A slot is free, leased (holder, generation, time of expiry by the database's clock) or done (sequence of the verdict).
Every new lease raises the generation, so a lease that ran out can never be used again: it is fenced. A person holds one
slot of an item at most, which makes the reviewers of an item distinct.

A row `{"slot": 0, "holder": "Ada", "generation": 3, "expires_at": 1795959020.5, "done_sequence": 0, ...}` is a lease.
"""

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from curation.errors import LeaseLostError, TunewrightError, VerdictConflictError, VerdictRefusedError
from curation.review.queue.resolution import Resolution
from curation.review.queue.statements import MAX_LEASE_SECONDS, NOW, is_sqlite
from curation.review.queue.vote import Vote

Conflict = Callable[[int], VerdictConflictError]
Slot = dict[str, Any]


def database_now(connection: sa.Connection) -> float:
    """Return the time by the database's clock, in seconds since 1970."""
    return float(NOW[is_sqlite(connection)].run(connection, {}).scalar_one())


def is_live(slot: Slot, now: float) -> bool:
    """Tell whether somebody's lease on a slot still runs."""
    return bool(slot["holder"]) and not slot["done_sequence"] and now < slot["expires_at"] <= now + MAX_LEASE_SECONDS


def take_slot(slots: list[Slot], vote: Vote, number: int, now: float, outcome: Resolution, conflict: Conflict) -> int:
    """Mark the slot of a person's vote as done by verdict `number`, and return the sequence that it replaces (0: none).

    Raises:
        LeaseLostError: if the vote names a lease that is not the voter's any more.
        VerdictConflictError: if no slot is left.
        VerdictRefusedError: if the person may not vote in this role, or there is nothing to undo.
    """
    if vote.decision == "undo":
        return _free_slot(slots, vote)
    own = next((slot for slot in slots if slot["holder"] == vote.reviewer and slot["role"] == vote.role), None)
    if vote.role == "review" and outcome.adjudication is not None:
        raise conflict(outcome.adjudication.sequence)
    if vote.generation is not None and not _holds(own, vote.generation, now):
        raise LeaseLostError(item=vote.item_key)
    if vote.role == "adjudication":
        return _take_adjudication(slots, vote, number, now, outcome)
    if own is None:
        own = next((slot for slot in slots if slot["role"] == "review" and _is_free(slot, now)), None)
    if own is None:
        raise _no_slot(slots, vote, outcome, conflict)
    return _finish(own, vote, number)


def _holds(slot: Slot | None, generation: int, now: float) -> bool:
    return slot is not None and slot["generation"] == generation and is_live(slot, now)


def _is_free(slot: Slot, now: float) -> bool:
    return not slot["done_sequence"] and not is_live(slot, now)


def _no_slot(slots: list[Slot], vote: Vote, outcome: Resolution, conflict: Conflict) -> TunewrightError:
    if outcome.votes:
        return conflict(outcome.votes[-1].sequence)
    return LeaseLostError(item=vote.item_key)


def _finish(slot: Slot, vote: Vote, number: int) -> int:
    replaced: int = slot["done_sequence"]
    slot |= {"holder": vote.reviewer, "done_sequence": number, "expires_at": 0.0, "is_changed": True}
    return replaced


def _take_adjudication(slots: list[Slot], vote: Vote, number: int, now: float, outcome: Resolution) -> int:
    voters = {other.reviewer for other in outcome.votes}
    voters |= {slot["holder"] for slot in slots if slot["role"] == "review" and slot["done_sequence"]}  # those too many, too
    if vote.reviewer in voters:
        raise VerdictRefusedError(problem="nobody adjudicates an item that they voted on; another adjudicator has to.")
    if outcome.state in ("open", "partial"):
        raise VerdictRefusedError(problem="there is nothing to adjudicate yet: not all of its reviewers have voted.")
    slot = next((slot for slot in slots if slot["role"] in ("adjudication", "closed")), None)
    if slot is None:
        slot = _new_slot(slots[0], slot=max(other["slot"] for other in slots) + 1, role="adjudication")
        slots.append(slot)
    elif is_live(slot, now) and slot["holder"] != vote.reviewer:
        raise LeaseLostError(item=vote.item_key)
    slot["role"] = "adjudication"
    return _finish(slot, vote, number)


def _free_slot(slots: list[Slot], vote: Vote) -> int:
    slot = next((slot for slot in slots if slot["done_sequence"] == vote.supersedes and vote.supersedes), None)
    if slot is None:
        raise VerdictRefusedError(problem="there is nothing to undo: that verdict was changed or undone since.")
    if slot["role"] == "review" and any(other["role"] == "adjudication" and other["done_sequence"] for other in slots):
        raise VerdictRefusedError(problem="the item was adjudicated since; the adjudication has to be undone first.")
    slot |= {"holder": None, "done_sequence": 0, "expires_at": 0.0, "generation": slot["generation"] + 1, "is_changed": True}
    return vote.supersedes


def fit_review_slots(slots: list[Slot], item: Slot, overlap: int) -> None:
    """Give an item `overlap` slots for reviewers: free ones are added or go; those that are done stay."""
    reviewing = [slot for slot in slots if slot["role"] == "review"]
    num_done = sum(bool(slot["done_sequence"]) for slot in reviewing)
    free = [slot for slot in reviewing if not slot["done_sequence"]]
    for slot in free[max(0, overlap - num_done) :]:
        slot["is_gone"] = True
    first = max((slot["slot"] for slot in slots), default=-1) + 1
    for number in range(max(0, overlap - num_done - len(free))):
        slots.append(_new_slot(item, slot=first + number, role="review"))


def free_slot(like: Mapping[str, Any], *, slot: int, role: str) -> Slot:
    """Return a slot that nobody has yet, of an item (or of the item that another slot is of), as a row of `review_slots`."""
    shown = {name: like[name] for name in ("recipe", "item_key", "kind", "is_listed", "priority", "arrival", "random_rank")}
    fresh = {"holder": None, "generation": 0, "origin": "", "claimed_at": 0.0, "expires_at": 0.0, "done_sequence": 0}
    return shown | fresh | {"slot": slot, "role": role}


def _new_slot(like: Slot, *, slot: int, role: str) -> Slot:
    return free_slot(like, slot=slot, role=role) | {"is_new": True}


def fit_slots(slots: list[Slot], item: Slot, outcome: Resolution, overlap: int) -> None:
    """Make the slots fit the outcome: a disputed item has one for an adjudicator, an open one has none."""
    waiting = [slot for slot in slots if slot["role"] == "adjudication" and not slot["done_sequence"]]
    if outcome.state != "disputed":
        for slot in waiting:
            _move(slot, "closed")
    elif not waiting:
        closed = next((slot for slot in slots if slot["role"] == "closed"), None)
        if closed is not None:
            _move(closed, "adjudication")
        else:
            like = item | {"priority": slots[0]["priority"]}  # a lot that holds the item back holds its dispute back
            slots.append(_new_slot(like, slot=max(overlap, *(slot["slot"] + 1 for slot in slots)), role="adjudication"))


def _move(slot: Slot, role: str) -> None:
    """Open or close a slot for an adjudicator. It stays, so that its generation never starts again: old holds stay void."""
    slot |= {"role": role, "holder": None, "expires_at": 0.0, "generation": slot["generation"] + 1, "is_changed": True}
