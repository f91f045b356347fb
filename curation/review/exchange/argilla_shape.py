"""Argilla's records, as `rg.Record.to_dict` of version 2 writes them and `rg.Record.from_dict` reads them.

    {"id": "9f...", "fields": {"prompt": [{"role": "user", "content": "..."}], "answer": "..."},
     "responses": {"decision": [{"value": "approve", "user_id": "5f0c..."}]}, "suggestions": {}, "metadata": {...}, ...}

What the fields cannot say (where the row comes from, tool calls, names of reviewers) stands as JSON text in the metadata
`tunewright`. Not carried: withdrawn votes, numbers, times, and the details of a vote (strength, marked sentences).
"""

import json
import uuid
from typing import Any

from curation.record_rows import as_row
from curation.records import Verdict
from curation.review.exchange.flat_shape import read_item
from curation.review.exchange.incoming import Incoming, IncomingVote, Reading, foreign_name
from curation.review.exchange.reviewed import Reviewed
from curation.review.exchange.typed_rows import WrongRowError

TOOL = "argilla"
_PEOPLE = uuid.UUID("6e7f5c1c-2d1e-5c0f-9a51-0a6d1c2f9b11")
_TEXTS = ("reason", "edited_answer")


def to_argilla(reviewed: Reviewed) -> dict[str, Any]:
    """Return an item as a record."""
    item, votes = reviewed.item, reviewed.votes
    fields: dict[str, Any] = {
        "prompt": [{"role": message.role, "content": message.text} for message in item.prompt],
        "answer": item.answer,
        **({"alternative": item.alternative} if item.alternative or item.kind == "pair" else {}),
        **({"evidence": "\n\n".join(item.evidence)} if item.evidence else {}),
    }
    rest = {
        "record_key": item.record_key,
        "record_hash": item.record_hash,
        "rubric_version": item.rubric_version,
        "provenance": as_row(item.provenance),
        "evidence": list(item.evidence),
        "messages": as_row(item.prompt),
        "priority": reviewed.priority,
        "reviewers": {_user_id(vote): vote.reviewer.removeprefix(f"{TOOL}:") for vote in votes},
        "adjudicators": [_user_id(vote) for vote in votes if vote.role == "adjudication"],
    }
    return {
        "id": item.key,
        "fields": fields,
        "metadata": {
            "kind": item.kind,
            "task": item.task,
            "state": reviewed.state,
            "tunewright": json.dumps(rest, ensure_ascii=False),
        },
        "suggestions": _suggestions(reviewed),
        "responses": _responses(votes),
        "vectors": {},
        "status": "completed" if reviewed.state == "decided" else "pending",
        "_server_id": None,
    }


def _suggestions(reviewed: Reviewed) -> dict[str, Any]:
    automatic = [verdict for verdict in reviewed.verdicts if verdict.reviewer_kind == "automatic"]
    if not automatic:
        return {}
    return {"decision": {"value": automatic[-1].decision, "score": None, "agent": automatic[-1].reviewer}}


def _responses(votes: list[Verdict]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for name in ("decision", *_TEXTS):
        said = [{"value": getattr(vote, name), "user_id": _user_id(vote)} for vote in votes if getattr(vote, name)]
        if said:
            responses[name] = said
    return responses


def _user_id(vote: Verdict) -> str:
    """Argilla knows people by UUID: that which it gave them, or one made of the name."""
    name = vote.reviewer.removeprefix(f"{TOOL}:")
    try:
        return str(uuid.UUID(name))
    except ValueError:
        return str(uuid.uuid5(_PEOPLE, name))


def from_argilla(values: dict[str, Any], reading: Reading) -> Incoming:
    """Read a record. Raises WrongRowError."""
    fields, metadata = _object(values, "fields"), _object(values, "metadata")
    rest = _read_rest(metadata.get("tunewright"))
    shown = {name: rest[name] for name in _LATER if name in rest}
    named = {"record_key": values.get("id"), **metadata, **fields, **shown}
    named |= {ours: fields[theirs] for ours, theirs in reading.columns.items() if theirs in fields}
    priority = rest.get("priority")
    return Incoming(
        item=read_item(named, reading),
        votes=tuple(_read_votes(_object(values, "responses"), rest, reading)),
        priority=float(priority) if isinstance(priority, float) else 0.0,
    )


_LATER = ("record_key", "record_hash", "rubric_version", "provenance", "evidence", "messages")


def _read_votes(responses: dict[str, Any], rest: dict[str, Any], reading: Reading) -> list[IncomingVote]:
    names, adjudicators = rest.get("reviewers"), rest.get("adjudicators")
    names = names if isinstance(names, dict) else {}
    texts = {name: _by_user(responses.get(name)) for name in _TEXTS}
    votes = []
    for user, value in _by_user(responses.get(reading.question)).items():
        is_adjudicator = isinstance(adjudicators, list) and user in adjudicators
        votes.append(
            IncomingVote(
                decision=reading.decision(value),
                reviewer=foreign_name(TOOL, names.get(user, user)),
                reason=texts["reason"].get(user, ""),
                edited_answer=texts["edited_answer"].get(user, ""),
                role="adjudication" if is_adjudicator else "review",
            )
        )
    return votes


def _by_user(answers: Any) -> dict[str, str]:
    if answers is None:
        return {}
    if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
        raise WrongRowError("wrong_vote", "A question of `responses` holds no list of answers.")
    return {
        str(answer.get("user_id") or ""): answer["value"]
        for answer in answers
        if isinstance(answer.get("value"), str) and answer.get("status") not in ("draft", "discarded")
    }


def _object(values: dict[str, Any], name: str) -> dict[str, Any]:
    found = values.get(name)
    if found is not None and not isinstance(found, dict):
        raise WrongRowError("wrong_value", f"{name} is no object.")
    return found or {}


def _read_rest(text: Any) -> dict[str, Any]:
    try:
        rest = json.loads(text) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        rest = {}
    return rest if isinstance(rest, dict) else {}
