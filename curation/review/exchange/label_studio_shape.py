"""Label Studio's tasks, with choices for the decision and text areas for what was written.

    {"data": {"prompt": "...", "answer": "...", ...}, "predictions": [],
     "annotations": [{"completed_by": {"email": "ada@example.org"}, "result": [
         {"from_name": "decision", "to_name": "answer", "type": "choices", "value": {"choices": ["approve"]}}]}]}

`data.tunewright` holds what the fields cannot say. Label Studio knows people by address: a name without one gets the domain
`tunewright.invalid`. Not carried: withdrawn votes, numbers, times, and the details of a vote (strength, marked sentences).
"""

from typing import Any
from urllib.parse import quote, unquote

from curation.record_rows import as_row
from curation.records import Verdict
from curation.review.exchange.flat_shape import prompt_text, read_item
from curation.review.exchange.incoming import Incoming, IncomingVote, Reading, foreign_name
from curation.review.exchange.reviewed import Reviewed
from curation.review.exchange.typed_rows import WrongRowError

TOOL = "label_studio"
DOMAIN = "@tunewright.invalid"
_TEXTS = ("reason", "edited_answer")
_LATER = ("kind", "task", "record_key", "record_hash", "rubric_version", "provenance", "evidence", "messages")


def to_label_studio(reviewed: Reviewed) -> dict[str, Any]:
    """Return an item as a task."""
    item = reviewed.item
    rest = {
        "key": item.key,
        "kind": item.kind,
        "task": item.task,
        "state": reviewed.state,
        "record_key": item.record_key,
        "record_hash": item.record_hash,
        "rubric_version": item.rubric_version,
        "provenance": as_row(item.provenance),
        "evidence": list(item.evidence),
        "messages": as_row(item.prompt),
        "priority": reviewed.priority,
    }
    data = {
        "prompt": prompt_text(item.prompt),
        "answer": item.answer,
        **({"alternative": item.alternative} if item.alternative or item.kind == "pair" else {}),
        **({"evidence": "\n\n".join(item.evidence)} if item.evidence else {}),
        "tunewright": rest,
    }
    automatic = [verdict for verdict in reviewed.verdicts if verdict.reviewer_kind == "automatic"]
    return {
        "data": data,
        "annotations": [_annotation(vote) for vote in reviewed.votes],
        "predictions": [{"model_version": verdict.reviewer, "result": _result(verdict)} for verdict in automatic[-1:]],
    }


def _annotation(vote: Verdict) -> dict[str, Any]:
    name = vote.reviewer.removeprefix(f"{TOOL}:")
    completed_by: Any = int(name) if name.isascii() and name.isdecimal() and len(name) < 16 and str(int(name)) == name else None
    if completed_by is None:
        completed_by = {"email": name if "@" in name and not name.endswith(DOMAIN) else quote(name, safe="") + DOMAIN}
    return {
        "completed_by": completed_by,
        "result": _result(vote),
        "was_cancelled": False,
        "ground_truth": vote.role == "adjudication",
    }


def _result(vote: Verdict) -> list[dict[str, Any]]:
    decision = {"from_name": "decision", "to_name": "answer", "type": "choices", "value": {"choices": [vote.decision]}}
    texts = [
        {"from_name": name, "to_name": "answer", "type": "textarea", "value": {"text": [getattr(vote, name)]}}
        for name in _TEXTS
        if getattr(vote, name)
    ]
    return [decision, *texts]


def from_label_studio(values: dict[str, Any], reading: Reading) -> Incoming:
    """Read a task with its annotations. Raises WrongRowError."""
    data = values.get("data")
    if not isinstance(data, dict):
        raise WrongRowError("wrong_value", "data is no object.")
    found = data.get("tunewright")
    rest = found if isinstance(found, dict) else {}
    named = {"record_key": values.get("id"), **data, **{name: rest[name] for name in _LATER if name in rest}}
    named |= {ours: data[theirs] for ours, theirs in reading.columns.items() if theirs in data}
    annotations = values.get("annotations") or []
    if not isinstance(annotations, list):
        raise WrongRowError("wrong_value", "annotations is no list.")
    votes = [vote for annotation in annotations if (vote := _read_vote(annotation, reading)) is not None]
    priority = rest.get("priority")
    return Incoming(
        item=read_item(named, reading), votes=tuple(votes), priority=priority if isinstance(priority, float) else 0.0
    )


def _read_vote(annotation: Any, reading: Reading) -> IncomingVote | None:
    """Return the vote of an annotation; None if it was cancelled or decides nothing."""
    if not isinstance(annotation, dict) or not isinstance(annotation.get("result") or [], list):
        raise WrongRowError("wrong_vote", "An annotation is no object with a list of results.")
    if annotation.get("was_cancelled") is True:
        return None
    said = _read_results(annotation.get("result") or [])
    if reading.question not in said:
        return None
    return IncomingVote(
        decision=reading.decision(said[reading.question]),
        reviewer=foreign_name(TOOL, _name(annotation.get("completed_by"))),
        reason=said.get("reason", ""),
        edited_answer=said.get("edited_answer", ""),
        role="adjudication" if annotation.get("ground_truth") is True else "review",
    )


def _read_results(results: list[Any]) -> dict[str, str]:
    said = {}
    for result in results:
        value = result.get("value") if isinstance(result, dict) else None
        name = result.get("from_name") if isinstance(result, dict) else None
        answers = (value.get("choices") or value.get("text")) if isinstance(value, dict) else None
        answers = answers if isinstance(answers, list) else [answers]
        if isinstance(name, str) and answers and all(isinstance(answer, str) for answer in answers):
            said[name] = "\n".join(answers)
    return said


def _name(completed_by: Any) -> Any:
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("username") or completed_by.get("id")
    if isinstance(completed_by, str) and completed_by.endswith(DOMAIN):
        return unquote(completed_by.removesuffix(DOMAIN))
    return completed_by
