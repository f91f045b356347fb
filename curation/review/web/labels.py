"""What the pages call things: DECISIONS["prefer_a"] == "Order kept", reason_words("wrong: no such part") in plain words."""

from curation.records import Decision, Verdict
from curation.review.queue.vote import VoteDetails

DECISIONS: dict[Decision, str] = {
    "approve": "Approved",
    "edit": "Edited",
    "reject": "Rejected",
    "prefer_a": "Order kept",
    "prefer_b": "Order swapped",
    "tie": "Tie",
    "both_bad": "Both bad",
    "undo": "Undone",
}
"""Decision -> how the pages call it."""

KINDS: dict[str, str] = {"example": "Example", "pair": "Pair", "task": "Task", "document": "Document"}
"""Kind of item -> how the pages call it."""

KINDS_PLURAL: dict[str, str] = {"example": "Examples", "pair": "Pairs", "task": "Tasks", "document": "Documents"}

ANSWERS: dict[str, str] = {"example": "Answer", "pair": "Answer", "task": "Reference", "document": "Text"}
"""Kind of item -> what is judged."""

ROLES: dict[str, str] = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}
"""Role of a message -> how the pages call it."""

STRENGTHS: dict[int, str] = {1: "slightly", 2: "clearly", 3: "by far"}
"""How much better the preferred answer of a pair is."""

REASONS: dict[str, str] = {
    "wrong": "The answer is wrong",
    "ungrounded": "The source does not support it",
    "format": "The format is not what was asked for",
    "unclear": "The question is unclear or makes no sense",
    "private": "It holds private or harmful content",
    "terms": "Its licence or terms do not allow this use",
    "other": "Something else (say what)",
}
"""Reason code -> what the page says. Codes are stored; their words may change."""

_OTHER_WORDS: dict[str, dict[str, str]] = {
    "task": {"wrong": "The reference is wrong", "format": "The grader cannot check it"},
    "document": {
        "wrong": "It is wrong, or of no use here",
        "format": "It is badly extracted, or cut off",
        "private": "Private data or a secret is still in it",
    },
}
_LEFT_OUT: dict[str, tuple[str, ...]] = {"document": ("ungrounded", "unclear")}


def reasons_for(kind: str) -> dict[str, str]:
    """Return the reason codes that make sense for a kind of item, each with what the page says."""
    words = REASONS | _OTHER_WORDS.get(kind, {})
    return {code: label for code, label in words.items() if code not in _LEFT_OUT.get(kind, ())}


def reason_words(reason: str) -> str:
    """Return a stored reason (`code[,code]: comment`) in words; text of another form as it is."""
    codes, _, comment = reason.partition(": ")
    known = codes.split(",")
    if not all(code in REASONS for code in known):
        return reason
    said = ", ".join(REASONS[code].removesuffix(" (say what)") for code in known)
    return f"{said}: {comment}" if comment else said


def as_seen(verdict: Verdict) -> str:
    """Return a decision in the words of the page on which it was made: of a pair, which of the answers as they stood there."""
    position = VoteDetails.from_json(verdict.details).position
    if verdict.decision not in ("prefer_a", "prefer_b") or not position:
        return DECISIONS[verdict.decision]
    return f"Answer {1 if (position == 'ab') == (verdict.decision == 'prefer_a') else 2} preferred"
