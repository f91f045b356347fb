"""What a row of a foreign file comes to: an item, and what people said about it elsewhere.

    Incoming(item=ReviewItem(...), votes=(IncomingVote(decision="approve", reviewer="argilla:ada"),))

Keys are never taken from a file: an item is named by the hash of what a reviewer is shown, here as everywhere.
Reviewers always get the name of the tool in front, so that no file can vote in the name of somebody who has an account here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from curation.ids import content_hash
from curation.records import ReviewItem
from curation.review.exchange.typed_rows import WrongRowError
from curation.review.queue.vote import MAX_REVIEWER_CHARS, Vote, VoteDetails

TOOLS = ("import", "argilla", "label_studio")
"""What the names of reviewers from elsewhere begin with, before a colon."""

DECISIONS = {
    "approve": "approve", "approved": "approve", "accept": "approve", "accepted": "approve", "good": "approve",
    "yes": "approve", "ok": "approve",
    "edit": "edit", "edited": "edit", "corrected": "edit",
    "reject": "reject", "rejected": "reject", "bad": "reject", "no": "reject", "discard": "reject",
    "prefer_a": "prefer_a", "a": "prefer_a", "left": "prefer_a", "prefer_b": "prefer_b", "b": "prefer_b", "right": "prefer_b",
    "tie": "tie", "equal": "tie", "both_bad": "both_bad", "neither": "both_bad",
}  # fmt: skip
"""What other tools' labels mean here, in lower case."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IncomingVote:
    """What somebody said in another tool."""

    decision: str
    reviewer: str
    """With the name of the tool in front: `argilla:ada`."""
    reason: str = ""
    edited_answer: str = ""
    role: str = "review"
    details: str = ""

    def as_vote(self, item_key: str) -> Vote:
        """Return the vote; its token is a hash of all that it says, so the same one is recorded once.

        Raises:
            WrongRowError: if what it says is no vote.
        """
        if self.role not in ("review", "adjudication"):
            raise WrongRowError("wrong_vote", f"A vote has the role '{self.role[:40]}'.")
        said = [item_key, self.reviewer, self.decision, self.reason, self.edited_answer, self.role]
        return Vote(
            item_key=item_key,
            decision=self.decision,  # type: ignore[arg-type]  # the queue checks it against the kind of the item
            reviewer=self.reviewer,
            reason=self.reason,
            edited_answer=self.edited_answer,
            role=self.role,  # type: ignore[arg-type]  # checked above
            token=f"import-{content_hash(said)}",
            details=_details(self.details),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
    """An item of a foreign file."""

    item: ReviewItem
    votes: tuple[IncomingVote, ...] = ()
    priority: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How the rows of a file are read."""

    rubric_version: str
    """Of the queue; rows that were exported from here say their own."""
    question: str = "decision"
    """Argilla, Label Studio: the question that holds the decision."""
    meanings: Mapping[str, str] = field(default_factory=dict)
    """Labels of that question -> decisions, besides `DECISIONS`."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Our name of a column (`prompt`, `answer`, ...) -> its name in the file."""

    def decision(self, label: str) -> str:
        """Return what a label means. Raises WrongRowError if that is not known."""
        found = self.meanings.get(label) or DECISIONS.get(label.strip().lower())
        if found is None:
            raise WrongRowError(
                "unknown_label", f"The label '{label[:60]}' means nothing here; say what it means with --label."
            )
        return found


def content_key(item: ReviewItem) -> str:
    """Return the key of an item that shows this, as `items.item_key` does for a row, and `document_item_key` for a document."""
    messages = [[message.role, message.text] for message in item.prompt]
    terms = [item.provenance.license, item.provenance.output_terms]
    other = terms if item.kind == "document" else item.alternative
    return content_hash([item.kind, messages, item.answer, other, item.rubric_version])


def foreign_name(tool: str, name: Any) -> str:
    """Return the name under which somebody's votes from another tool are recorded. Raises WrongRowError."""
    assert tool in TOOLS
    text = " ".join(str(name).split()) if isinstance(name, (str, int)) and not isinstance(name, bool) else ""
    text = text.removeprefix(f"{tool}:")
    full = f"{tool}:{text}"
    if not text or not text.isprintable() or len(full) > MAX_REVIEWER_CHARS:
        raise WrongRowError(
            "wrong_reviewer", f"A vote names no usable reviewer (1 to {MAX_REVIEWER_CHARS} printable characters)."
        )
    return full


def _details(text: str) -> VoteDetails:
    if not text:
        return VoteDetails()
    try:
        details = VoteDetails.from_json(text)
        sound = isinstance(details.strength, int) and all(isinstance(number, int) for number in details.unsupported)
        sound = sound and details.position in ("", "ab", "ba") and details.origin in ("", "random", "priority", "chosen")
        sound = sound and isinstance(details.not_in_source, bool) and isinstance(details.seconds, (int, float))
    except (ValueError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound or len(text) > 4_000:
        raise WrongRowError("wrong_vote", "The details of a vote are not those of a vote.")
    return details
