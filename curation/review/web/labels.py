"""What the pages call things: DECISIONS["prefer_a"] == "Order kept"."""

from curation.records import Decision

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
