"""What the verdicts on one item come to: open, partly voted, disputed or decided, and which verdict counts.

    resolve([approve_by_ada], overlap=2)                    Resolution(state="partial", verdict=None, votes=(...))
    resolve([approve_by_ada, reject_by_bob], overlap=2)     Resolution(state="disputed", ...)

Pure functions over the append-only verdicts, so that the queue, the gate and the reports can never disagree.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from curation.records import Verdict
from curation.review.config import Accept
from curation.review.items import is_gold

State = Literal["open", "partial", "disputed", "decided"]
"""`partial`: some of the reviewers have voted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolution:
    """The outcome for one item."""

    state: State
    verdict: Verdict | None
    """The verdict of people that counts; None while the item is open or disputed."""
    votes: tuple[Verdict, ...]
    """The newest vote of each reviewer that stands, oldest first: at most `overlap`."""
    adjudication: Verdict | None = None

    def as_columns(self) -> dict[str, Any]:
        """Return what `review_items` says of the item."""
        return {
            "state": self.state,
            "num_votes": len(self.votes),
            "human_sequence": self.verdict.sequence if self.verdict else 0,
            "human_decision": self.verdict.decision if self.verdict else "",
        }


def standing(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Return what people said that was neither changed nor undone since, oldest first. Takes verdicts oldest first."""
    newest: dict[tuple[str, str], Verdict] = {}
    for verdict in verdicts:
        if verdict.reviewer_kind != "human":
            continue
        if verdict.decision == "undo":
            newest = {at: other for at, other in newest.items() if other.sequence != verdict.supersedes}
        else:
            newest[verdict.role, verdict.reviewer] = verdict
    return sorted(newest.values(), key=lambda verdict: verdict.sequence)


def resolve(verdicts: Iterable[Verdict], overlap: int) -> Resolution:
    """Return what the verdicts on one item, oldest first, come to when `overlap` reviewers have to agree.

    An adjudication counts over all votes. Where more people voted than `overlap` asks for, the newest votes count.
    """
    said = standing(verdicts)
    votes = tuple(verdict for verdict in said if verdict.role == "review")[-overlap:]
    adjudication = next((verdict for verdict in reversed(said) if verdict.role == "adjudication"), None)
    if adjudication is not None:
        return Resolution(state="decided", verdict=adjudication, votes=votes, adjudication=adjudication)
    if len(votes) < overlap:
        return Resolution(state="partial" if votes else "open", verdict=None, votes=votes)
    if len({(vote.decision, vote.edited_answer) for vote in votes}) > 1:
        return Resolution(state="disputed", verdict=None, votes=votes)
    return Resolution(state="decided", verdict=votes[-1], votes=votes)


def resolve_item(item: Mapping[str, Any], verdicts: Iterable[Verdict], overlap: int) -> Resolution:
    """Resolve an item of the database; one that only tests reviewers is never disputed, since nobody need settle it."""
    outcome = resolve(verdicts, overlap)
    if outcome.state == "disputed" and is_gold(item["record_key"]):
        return replace(outcome, state="decided", verdict=outcome.votes[-1])
    return outcome


def counting_verdicts(verdicts: Iterable[Verdict], accept: Accept, overlap: int = 1) -> dict[str, Verdict]:
    """Return item key -> the verdict that counts: what people came to, else (if accepted) the newest automatic one."""
    by_item: dict[str, list[Verdict]] = {}
    automatic: dict[str, Verdict] = {}
    for verdict in verdicts:
        if verdict.reviewer_kind == "automatic":
            automatic[verdict.key] = verdict
        else:
            by_item.setdefault(verdict.key, []).append(verdict)
    human = {key: counting for key, said in by_item.items() if (counting := resolve(said, overlap).verdict) is not None}
    if accept == "human":
        return human
    return {key: vote for key, vote in automatic.items() if key not in by_item or not standing(by_item[key])} | human
