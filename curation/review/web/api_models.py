"""What goes in and out of the JSON API, with a limit on everything that a program may send.

ClaimIn(kind="pair")        LeaseOut(item_key="9f...", slot=0, generation=3, seconds_left=600.0, ...)
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from curation.records import Decision, ReviewItem
from curation.review.queue.vote import MAX_REASON_CHARS, MAX_STRENGTH, MAX_TEXT_CHARS

MAX_NUMBER = 2**31 - 1
MAX_VERDICTS = 100

ItemKey = Annotated[str, Field(pattern="^[0-9a-f]{32}$", description="Key of an item.")]
OptionalKey = Annotated[str, Field(pattern="^([0-9a-f]{32})?$")]
Token = Annotated[
    str,
    Field(
        pattern="^[A-Za-z0-9_.:-]{8,64}$", description="Any text of your own; sent again with it, the same verdict counts once."
    ),
]
Number = Annotated[int, Field(ge=0, le=MAX_NUMBER)]
WorkRole = Literal["review", "adjudication"]
_STRICT = ConfigDict(extra="forbid")


class ClaimIn(BaseModel):
    """Which item somebody wants."""

    model_config = _STRICT
    role: WorkRole = "review"
    kind: Literal["", "example", "pair", "task", "document"] = ""
    after: OptionalKey = ""
    item_key: OptionalKey = ""


class LeaseIn(BaseModel):
    """A lease, as `claim` gave it."""

    model_config = _STRICT
    item_key: ItemKey
    slot: Annotated[int, Field(ge=0, le=1_000)]
    generation: Number
    role: WorkRole = "review"


class ReleaseIn(LeaseIn):
    """A lease to give back."""

    skip: bool = False
    """Serve the item to this person after all others."""


class DetailsIn(BaseModel):
    """What may be recorded beside a decision."""

    model_config = _STRICT
    position: Literal["", "ab", "ba"] = ""
    strength: Annotated[int, Field(ge=0, le=MAX_STRENGTH)] = 0
    unsupported: Annotated[list[Annotated[int, Field(ge=0, le=100_000)]], Field(max_length=1_000)] = []
    not_in_source: bool = False
    seconds: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] = 0.0


class VerdictIn(BaseModel):
    """One decision. The person is whoever sends it."""

    model_config = _STRICT
    item_key: ItemKey
    decision: Literal["approve", "edit", "reject", "prefer_a", "prefer_b", "tie", "both_bad"]
    token: Token
    generation: Number | None = None
    """Of the lease; without one, a free slot is taken in the same step."""
    expected: Number | None = None
    reason: Annotated[str, Field(max_length=MAX_REASON_CHARS)] = ""
    edited_answer: Annotated[str, Field(max_length=MAX_TEXT_CHARS)] = ""
    role: WorkRole = "review"
    details: DetailsIn = DetailsIn()


class VerdictsIn(BaseModel):
    """Many decisions; each is recorded or refused on its own, in order."""

    model_config = _STRICT
    verdicts: Annotated[list[VerdictIn], Field(min_length=1, max_length=MAX_VERDICTS)]


class UndoIn(BaseModel):
    """A verdict to take back."""

    model_config = _STRICT
    sequence: Annotated[int, Field(ge=1, le=MAX_NUMBER)]
    token: Token
    reason: Annotated[str, Field(max_length=MAX_REASON_CHARS, pattern=r"^[^\x00]*$")] = ""


class ErrorOut(BaseModel):
    """Why something was refused."""

    error: str


class MisfitOut(BaseModel):
    """One place of a request that does not fit."""

    where: str
    problem: str


class InvalidOut(ErrorOut):
    """Why a request was not understood; `details` say where it does not fit the description."""

    details: list[MisfitOut] = []


class ProblemOut(ErrorOut):
    """Why a verdict was refused, with a word for programs."""

    code: Literal["refused", "conflict", "lease_lost", "withdrawn", "forbidden"]


class VerdictOut(BaseModel):
    """A verdict as recorded."""

    key: str
    sequence: int
    decision: Decision
    reviewer: str
    reviewer_kind: str
    reason: str
    edited_answer: str
    created_at: str
    role: str
    supersedes: int
    details: str


class OutcomeOut(BaseModel):
    """What became of one verdict: recorded, or refused."""

    token: str
    verdict: VerdictOut | None = None
    problem: ProblemOut | None = None


class OutcomesOut(BaseModel):
    """One outcome a verdict, in the order sent."""

    results: list[OutcomeOut]


class LeaseOut(BaseModel):
    """Somebody's hold on an item."""

    item_key: str
    slot: int
    reviewer: str
    role: WorkRole
    generation: int
    origin: str
    expires_at: float
    seconds_left: float


class ItemOut(BaseModel):
    """An item, and what may be known of it: verdicts are there once this person has voted, or for a lead."""

    item: ReviewItem
    state: Literal["open", "partial", "disputed", "decided"]
    is_listed: bool
    opened_at: str
    num_votes: int
    verdicts: list[VerdictOut] | None


class ClaimOut(BaseModel):
    """The lease and its item; both null if there is nothing left to decide."""

    lease: LeaseOut | None
    item: ItemOut | None


class ReleasedOut(BaseModel):
    """Whether the lease was still there to give back."""

    released: bool


class CountsOut(BaseModel):
    """How far a queue is."""

    recipe: str
    num_items: int
    num_open: int
    num_held: int
    num_disputed: int
    num_human: int
    num_automatic: int
    num_decided: int
    decisions: dict[str, int]


class PageOut(BaseModel):
    """Verdicts in order; ask again with `after` set to `last`."""

    verdicts: list[VerdictOut]
    last: int
