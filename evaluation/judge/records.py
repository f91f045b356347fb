"""What is stored of judging: one row a judge and pair of answers, one row a judge and pair that people have decided as well.

JudgedPair(key="gpt-6-sol@2026-08-01/base/api/polars.Expr.str.head#qa/0", opponent="base", status="judged", winner="candidate",
           replies=(JudgeReply(order="ab", position="first", ...), JudgeReply(order="ba", position="second", ...)), ...)
JudgedLabel(key="gpt-6-sol@2026-08-01/9f...", winner="a", person="Ada", label="a", ...)

Everything that is reported is computed from these rows, so that a release computes it again and believes no summary.
"""

from dataclasses import dataclass
from typing import Literal

from curation.judging.judgements import Order, Position, Status


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeReply:
    """One reply to one order of two answers."""

    order: Order
    """`ab`: the candidate's answer stood first (for a reviewed pair, answer A)."""
    sample_index: int
    position: Position
    """The place that the judge named."""
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedPair:
    """What one judge says of the answers of candidate and opponent to one item."""

    key: str
    """`JUDGE/OPPONENT/ITEM_KEY`, with the task before the item where there is one."""
    judge: str
    opponent: str
    task: str
    item_key: str
    group: str
    candidate_hash: str
    """Hash of the candidate's answer as it stands in the table of answers."""
    opponent_hash: str
    length_difference: int
    """Characters of the candidate's answer less those of the opponent's."""
    status: Status
    winner: Literal["candidate", "opponent", "tie", "none"]
    """`none` unless judged."""
    replies: tuple[JudgeReply, ...]
    num_rounds: int
    num_flips: int
    detail: str
    """Why there is no winner."""
    request_ids: tuple[str, ...]
    """The calls, in the request ledger."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedLabel:
    """What one judge and one person say of a pair from the review."""

    key: str
    """`JUDGE/PAIR/PERSON`."""
    judge: str
    pair: str
    """Review item key; with the person after it where the person's own edit is one of the answers."""
    person: str
    label: Literal["a", "b", "tie"]
    """What the person decided."""
    status: Status
    winner: Literal["a", "b", "tie", "none"]
    """What the judge says in both orders; `none` unless judged."""
    replies: tuple[JudgeReply, ...]
    detail: str
    request_ids: tuple[str, ...]
