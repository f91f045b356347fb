"""What somebody wants to record about an item, and what makes no sense and is refused before it is recorded.

Vote(item_key="9f...", decision="approve", reviewer="Ada", generation=3, token="51...")
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from curation.errors import VerdictRefusedError
from curation.records import Decision, ReviewerKind
from curation.review.payload import unpack_item

ANSWER_DECISIONS: tuple[Decision, ...] = ("approve", "edit", "reject")
PAIR_DECISIONS: tuple[Decision, ...] = ("prefer_a", "prefer_b", "tie", "both_bad")

MAX_TEXT_CHARS = 1_000_000
MAX_REASON_CHARS = 4_000
MAX_REVIEWER_CHARS = 80
MAX_STRENGTH = 3

Role = Literal["review", "adjudication"]
Origin = Literal["", "random", "priority", "chosen"]

KINDS = {"example": "an example", "pair": "a pair", "task": "a task", "document": "a document"}


@dataclass(frozen=True, kw_only=True, slots=True)
class VoteDetails:
    """What is recorded beside a decision."""

    origin: Origin = ""
    """Which order served the item; only those served at random say something about all items without bias."""
    position: Literal["", "ab", "ba"] = ""
    """Which answer of a pair stood first."""
    strength: int = 0
    """How much better the preferred answer is: 1 slightly, 2 clearly, 3 by far; 0 not said."""
    unsupported: tuple[int, ...] = ()
    """Numbers of the sentences that the reviewer marked as not supported by the source, from 0."""
    not_in_source: bool = False
    seconds: float = 0.0
    """How long the item was on the screen, as the page says; 0 if unknown."""

    def to_json(self) -> str:
        """Return the values that were set as one line of JSON; empty if none was."""
        said = {name: value for name, value in asdict(self).items() if value != getattr(_NOTHING, name)}
        return json.dumps(said, sort_keys=True, separators=(",", ":")) if said else ""

    @classmethod
    def from_json(cls, text: str) -> "VoteDetails":
        """Return what `to_json` gave; unknown fields of a later version are left out."""
        said = json.loads(text) if text else {}
        known = {name: value for name, value in said.items() if name in cls.__dataclass_fields__}
        return cls(**known | {"unsupported": tuple(known.get("unsupported", ()))})


_NOTHING = VoteDetails()


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """A verdict that somebody wants to record."""

    item_key: str
    decision: Decision
    reviewer: str
    reviewer_kind: ReviewerKind = "human"
    reason: str = ""
    edited_answer: str = ""
    token: str = ""
    """Idempotency token: the same vote sent again with it is recorded once."""
    expected: int | None = None
    """Sequence of the newest verdict of this reviewer kind that the voter has seen (0: none); None votes blindly."""
    generation: int | None = None
    """Generation of the lease under which the voter looked at the item; None takes a free slot in the same step."""
    role: Role = "review"
    supersedes: int = 0
    """For `undo`: the sequence that is undone."""
    details: VoteDetails = VoteDetails()


def check_vote(item: Mapping[str, Any], vote: Vote) -> None:
    """Check a vote against its item. Raises VerdictRefusedError with what is wrong."""
    allowed = PAIR_DECISIONS if item["kind"] == "pair" else ANSWER_DECISIONS
    if vote.decision not in (*allowed, "undo"):
        raise VerdictRefusedError(
            problem=f"'{vote.decision}' is no decision about {KINDS[item['kind']]}; choose {', '.join(allowed)}."
        )
    check_text("reviewer", vote.reviewer, MAX_REVIEWER_CHARS)
    check_text("reason", vote.reason, MAX_REASON_CHARS)
    check_text("edited answer", vote.edited_answer, MAX_TEXT_CHARS)
    if not vote.reviewer.strip():
        raise VerdictRefusedError(problem="it does not say who decided.")
    if vote.reviewer.startswith("automatic:") != (vote.reviewer_kind == "automatic"):
        raise VerdictRefusedError(
            problem="names that start with 'automatic:' belong to automatic reviewers, and to nobody else."
        )
    if not 0 <= vote.details.strength <= MAX_STRENGTH:
        raise VerdictRefusedError(problem=f"the strength must be 0 to {MAX_STRENGTH}, not {vote.details.strength}.")
    _check_edit(item, vote)


def _check_edit(item: Mapping[str, Any], vote: Vote) -> None:
    if vote.decision != "edit":
        if vote.edited_answer:
            raise VerdictRefusedError(problem=f"'{vote.decision}' takes no edited answer.")
        return
    if not vote.edited_answer.strip():
        raise VerdictRefusedError(problem="the edited answer is empty. Reject the item instead if it has no good answer.")
    if vote.edited_answer == unpack_item(item["payload"]).answer:
        raise VerdictRefusedError(problem="the edit changes nothing. Change the answer, or approve it as it stands.")


def check_text(name: str, text: str, max_chars: int) -> None:
    """Check what somebody typed. Raises VerdictRefusedError if it is too long or cannot be stored as text."""
    if len(text) > max_chars:
        raise VerdictRefusedError(problem=f"the {name} has {len(text):,} characters; at most {max_chars:,} are kept.")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise VerdictRefusedError(problem=f"the {name} holds characters that no text may hold (NUL or half a surrogate pair).")
