"""What a judge said, and what follows from it: the median of votes, and a winner that holds in both orders.

    winner_at("first", "ba")               "b": the answers stood the other way round
    combine_orders("a", "b")               "tie": the judge went by the place and not by the answer
    majority(["a", "a", "tie"])            "a"

Nothing here is a verdict. A judgement whose texts speak to the judge is `flagged` and has no score and no winner.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from curation.records import JudgeVote, Message

Winner = Literal["a", "b", "tie"]
Order = Literal["ab", "ba"]
Position = Literal["first", "second", "tie"]
Status = Literal["judged", "flagged", "failed"]

ORDERS: tuple[Order, Order] = ("ab", "ba")
MAX_REASON_CHARS = 300
"""Longest reason in a row; the whole reply is in the ledger."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An answer to be scored."""

    key: str
    prompt: tuple[Message, ...]
    answer: str
    sources: tuple[str, ...] = ()
    """Texts that the answer is to rest on."""


@dataclass(frozen=True, kw_only=True)
class CandidatePair:
    """Two answers to be compared."""

    key: str
    prompt: tuple[Message, ...]
    a: str
    b: str
    sources: tuple[str, ...] = ()

    @property
    def length_difference(self) -> int:
        """How many characters longer A is than B."""
        return len(self.a) - len(self.b)


@dataclass(frozen=True, kw_only=True)
class ScoreJudgement:
    """What a judge makes of an answer."""

    key: str
    status: Status
    score: float | None = None
    """Median of the votes; None unless `judged`."""
    votes: tuple[JudgeVote, ...] = ()
    spread: float = 0.0
    """Highest vote less lowest, as a share of the scale: how far the votes disagree."""
    detail: str = ""
    """Why there is no score."""
    request_ids: tuple[str, ...] = ()
    output_terms: str = ""


@dataclass(frozen=True, kw_only=True)
class PairVote:
    """One reply of a judge to one order of two answers."""

    judge: str
    order: Order
    sample_index: int
    position: Position
    """What it said: the place, not the answer."""
    reason: str

    @property
    def winner(self) -> Winner:
        """The answer that stood at that place."""
        return winner_at(self.position, self.order)


@dataclass(frozen=True, kw_only=True)
class PairJudgement:
    """Which of two answers a judge prefers whatever their order."""

    key: str
    status: Status
    winner: Winner | None = None
    """None unless `judged`."""
    votes: tuple[PairVote, ...] = ()
    num_rounds: int = 0
    """Rounds in which both orders were answered."""
    num_flips: int = 0
    """Rounds in which the order changed what was said."""
    length_difference: int = 0
    detail: str = ""
    request_ids: tuple[str, ...] = ()
    output_terms: str = ""

    @property
    def margin(self) -> float:
        """Share of replies for A less share for B, -1 to 1."""
        balance = [(vote.winner == "a") - (vote.winner == "b") for vote in self.votes]
        return sum(balance) / len(balance) if balance else 0.0

    @property
    def is_unanimous(self) -> bool:
        """Whether every reply in every order names the winner."""
        return self.winner in ("a", "b") and all(vote.winner == self.winner for vote in self.votes)


def winner_at(position: Position, order: Order) -> Winner:
    """Return which answer stood at a place, in an order."""
    if position == "tie":
        return "tie"
    return "a" if (position == "first") == (order == "ab") else "b"


def combine_orders(one: Winner, other: Winner) -> Winner:
    """Return what two orders of the same question say together: their winner, or a tie if they disagree."""
    return one if one == other else "tie"


def majority(winners: Sequence[Winner]) -> Winner:
    """Return who won more than half of the rounds, or a tie."""
    for winner in ("a", "b"):
        if 2 * sum(found == winner for found in winners) > len(winners):
            return "a" if winner == "a" else "b"
    return "tie"


def judge_rounds(votes: Sequence[PairVote]) -> tuple[Winner, int, int]:
    """Return winner, number of rounds and number of flips; a round that was answered in one order only does not count."""
    said = {(vote.sample_index, vote.order): vote.winner for vote in votes}
    rounds = [(said[index, "ab"], said[index, "ba"]) for index, order in said if order == "ab" and (index, "ba") in said]
    winners = [combine_orders(one, other) for one, other in rounds]
    return majority(winners), len(rounds), sum(one != other for one, other in rounds)


def median_score(votes: Sequence[JudgeVote]) -> float:
    """Return the median of the votes' scores."""
    return float(statistics.median(vote.score for vote in votes))
