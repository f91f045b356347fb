"""Our own shape: everything that is known of an item, as one object. JSONL and Parquet hold the same fields.

    {"item": {"key": "9f...", "kind": "example", "prompt": [...], "answer": "...", "provenance": {...}, ...},
     "state": "decided", "decision": "edit", "verdicts": [{"sequence": 7, "decision": "edit", "reviewer": "Ada", ...}], ...}

Coming back, votes that stood stand again under `import:NAME`; numbers, times, undone and automatic verdicts stay behind.
"""

import json
from dataclasses import dataclass, replace
from typing import Any

from curation.record_rows import as_row
from curation.records import ReviewItem, Verdict
from curation.review.exchange.incoming import Incoming, IncomingVote, Reading, content_key, foreign_name
from curation.review.exchange.reviewed import Reviewed
from curation.review.exchange.typed_rows import WrongRowError, read_record
from curation.review.queue.resolution import standing

TOOL = "import"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewedRow:
    """One row of the file."""

    item: ReviewItem
    state: str = "open"
    decision: str = ""
    """What people came to; empty while they have not."""
    answer: str = ""
    """The answer as it stands now: the edit if it was edited, empty if it was rejected or is open."""
    is_listed: bool = True
    opened_at: str = ""
    lot: str = ""
    priority: float = 0.0
    verdicts: tuple[Verdict, ...] = ()


def to_native(reviewed: Reviewed) -> dict[str, Any]:
    """Return an item as one JSON object, the fields of `ReviewedRow`."""
    item, verdict = json.loads(reviewed.payload), reviewed.verdict
    answer = "" if verdict is None else {"edit": verdict.edited_answer, "approve": item["answer"]}.get(verdict.decision, "")
    return {
        "item": item,
        "state": reviewed.state,
        "decision": verdict.decision if verdict else "",
        "answer": answer,
        "is_listed": reviewed.is_listed,
        "opened_at": reviewed.opened_at,
        "lot": reviewed.lot,
        "priority": reviewed.priority,
        "verdicts": as_row(reviewed.verdicts),
    }


def from_native(values: dict[str, Any], reading: Reading) -> Incoming:
    """Read a row that `to_native` made, here or elsewhere. Raises WrongRowError."""
    row = read_record(ReviewedRow, values)
    item = row.item
    if item.kind == "pair" and not item.answer.strip() and not item.alternative.strip():
        raise WrongRowError("missing_value", "item.answer and item.alternative are empty: there is nothing to prefer.")
    if item.kind == "document" and not item.answer.strip():
        raise WrongRowError("missing_value", "item.answer, the text of the document, is empty.")
    if not item.prompt and item.kind != "document":
        raise WrongRowError("missing_value", "item.prompt holds no message.")
    item = replace(item, rubric_version=item.rubric_version or reading.rubric_version)
    votes = tuple(
        IncomingVote(
            decision=vote.decision,
            reviewer=foreign_name(TOOL, vote.reviewer),
            reason=vote.reason,
            edited_answer=vote.edited_answer,
            role=vote.role,
            details=vote.details,
        )
        for vote in standing(sorted(row.verdicts, key=lambda verdict: verdict.sequence))
    )
    return Incoming(item=replace(item, key=content_key(item)), votes=votes, priority=row.priority)
