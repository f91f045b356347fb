"""Rows of plain columns, as CSV files and most data sets have them, in both directions.

    prompt,answer,context                                         an example to approve, edit or reject
    prompt,chosen,rejected                                        a pair to prefer

Leaving, a row also has `messages`, `provenance` and `votes` as JSON text, which bring it back as it was, and what people came
to (`decision`, `reviewer`, `reason`, `edited_answer`), which is for people and not read again.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args, get_type_hints

from curation.ids import content_hash
from curation.record_rows import as_row
from curation.records import Message, Provenance, ReviewItem
from curation.review.exchange.incoming import Incoming, IncomingVote, Reading, content_key, foreign_name
from curation.review.exchange.reviewed import Reviewed
from curation.review.exchange.typed_rows import WrongRowError, read_record

TOOL = "import"
COLUMNS = (
    "id", "kind", "task", "prompt", "answer", "alternative", "evidence", "state", "decision", "reviewer", "reason",
    "edited_answer", "record_key", "record_hash", "rubric_version", "lot", "priority", "messages", "provenance", "votes",
)  # fmt: skip
_OTHER_NAMES = {
    "prompt": ("question", "instruction", "input", "query", "text"),
    "answer": ("response", "completion", "output", "generation", "chosen", "answer_a", "response_a"),
    "alternative": ("rejected", "answer_b", "response_b"),
    "evidence": ("context", "source", "passage", "document"),
    "record_key": ("id", "key", "uuid"),
}
MAX_MESSAGES = 1_000
MAX_NAME_CHARS = 1_000


def to_flat(reviewed: Reviewed) -> dict[str, Any]:
    """Return an item as columns of text (and one number)."""
    item, verdict = reviewed.item, reviewed.verdict
    return {
        "id": item.key,
        "kind": item.kind,
        "task": item.task,
        "prompt": prompt_text(item.prompt),
        "answer": item.answer,
        "alternative": item.alternative,
        "evidence": json.dumps(list(item.evidence), ensure_ascii=False),
        "state": reviewed.state,
        "decision": verdict.decision if verdict else "",
        "reviewer": verdict.reviewer if verdict else "",
        "reason": verdict.reason if verdict else "",
        "edited_answer": verdict.edited_answer if verdict else "",
        "record_key": item.record_key,
        "record_hash": item.record_hash,
        "rubric_version": item.rubric_version,
        "lot": reviewed.lot,
        "priority": reviewed.priority,
        "messages": json.dumps(as_row(item.prompt), ensure_ascii=False),
        "provenance": json.dumps(as_row(item.provenance), ensure_ascii=False),
        "votes": json.dumps([vote_row(vote) for vote in reviewed.votes], ensure_ascii=False),
    }


def prompt_text(prompt: tuple[Message, ...]) -> str:
    """Return messages as one text: the words alone where there is one message, with roles where there are more."""
    if len(prompt) == 1:
        return prompt[0].text
    return "\n\n".join(f"{message.role}: {message.text}" for message in prompt)


def vote_row(vote: Any) -> dict[str, str]:
    """Return what a vote says."""
    names = ("decision", "reviewer", "reason", "edited_answer", "role", "details")
    return {name: getattr(vote, name) for name in names if getattr(vote, name)}


def from_flat(values: Mapping[str, Any], reading: Reading) -> Incoming:
    """Read a row of plain columns. Raises WrongRowError."""
    named = dict(values) | {ours: values[theirs] for ours, theirs in reading.columns.items() if theirs in values}
    votes = _json(named.get("votes")) or []
    if not isinstance(votes, list):
        raise WrongRowError("wrong_value", "votes is no list.")
    return Incoming(
        item=read_item(named, reading),
        votes=tuple(_read_vote(vote, reading) for vote in votes),
        priority=_number(named.get("priority")),
    )


def read_item(values: Mapping[str, Any], reading: Reading) -> ReviewItem:
    """Read an item from named values, under our names or those that data sets use. Raises WrongRowError."""
    answer, alternative = _text(values, "answer"), _text(values, "alternative")
    kind = _choose_kind(values, alternative)
    prompt, answer = _read_prompt(values, answer) if kind != "document" else ((), _needed(values, "answer", answer))
    version = values.get("rubric_version")
    version = version if isinstance(version, str) and version else reading.rubric_version
    evidence = _read_evidence(values)
    provenance = _json(values.get("provenance"))
    record_hash = values.get("record_hash")
    item = ReviewItem(
        key="",
        kind=kind,
        prompt=prompt,
        answer=answer,
        alternative=alternative,
        rubric_version=version,
        record_key=_text(values, "record_key")[:MAX_NAME_CHARS],
        record_hash=record_hash if isinstance(record_hash, str) else "",
        evidence=evidence,
        task=_text(values, "task")[:MAX_NAME_CHARS] or "import",
        provenance=read_record(Provenance, provenance, "provenance") if isinstance(provenance, dict) else _UNKNOWN,
    )
    key = content_key(item)
    return replace(
        item, key=key, record_key=item.record_key or f"import/{key}", record_hash=item.record_hash or content_hash(key)
    )


_KINDS = get_args(get_type_hints(ReviewItem)["kind"])
_UNKNOWN = Provenance(origin="synthetic", method="import")
"""Nobody said where it comes from; it is not taken for a person's work."""


def _choose_kind(values: Mapping[str, Any], alternative: str) -> Any:
    kind = values.get("kind") or ("pair" if alternative else "example")
    is_empty = kind == "pair" and _is_empty(values, "alternative")  # a model may have said nothing: that is an answer, too
    if kind not in _KINDS or (kind == "pair") != (bool(alternative) or is_empty):
        raise WrongRowError("wrong_value", "A pair has two answers (chosen and rejected), everything else has one.")
    return kind


def _read_prompt(values: Mapping[str, Any], answer: str) -> tuple[tuple[Message, ...], str]:
    """Return the prompt and the answer; a chat whose last message is an assistant's may hold both."""
    turns = _json(values.get("messages"))
    if turns is None or turns == "":
        turns = values.get("prompt") if isinstance(values.get("prompt"), list) else None
    if turns is None:
        return (Message(role="user", content=_needed(values, "prompt", answer)),), _needed(values, "answer", answer)
    if not isinstance(turns, list) or not 1 <= len(turns) <= MAX_MESSAGES:
        raise WrongRowError("wrong_value", f"messages is no list of 1 to {MAX_MESSAGES:,} messages.")
    messages = tuple(read_record(Message, turn, "messages") for turn in turns)
    if not answer and not _says_nothing(values) and len(messages) > 1 and messages[-1].role == "assistant":
        return messages[:-1], messages[-1].text
    return messages, _needed(values, "answer", answer)


def _needed(values: Mapping[str, Any], name: str, answer: str) -> str:
    text = answer if name == "answer" else _text(values, name)
    if not text.strip() and not (name == "answer" and _says_nothing(values)):
        raise WrongRowError("missing_value", f"There is no {name} (nor {', '.join(_OTHER_NAMES[name][:3])}, ...).")
    return text


def _says_nothing(values: Mapping[str, Any]) -> bool:
    """Tell whether answer A of a pair is an empty one."""
    return _is_empty(values, "answer") and bool(_text(values, "alternative").strip())


def _is_empty(values: Mapping[str, Any], name: str) -> bool:
    """Tell whether a text is there and says nothing, as against one that is not there."""
    return any(isinstance(values.get(key), str) for key in (name, *_OTHER_NAMES[name])) and not _text(values, name).strip()


def _read_evidence(values: Mapping[str, Any]) -> tuple[str, ...]:
    found = next((values[name] for name in ("evidence", *_OTHER_NAMES["evidence"]) if values.get(name)), None)
    if isinstance(found, str) and found.lstrip().startswith("["):
        parsed = _json(found, strict=False)
        found = parsed if isinstance(parsed, list) and all(isinstance(text, str) for text in parsed) else found
    if found is None:
        return ()
    texts = tuple(found) if isinstance(found, (list, tuple)) else (found,)
    if not all(isinstance(text, str) for text in texts):
        raise WrongRowError("wrong_value", "evidence is neither a text nor a list of texts.")
    return texts


def _text(values: Mapping[str, Any], name: str) -> str:
    for key in (name, *_OTHER_NAMES.get(name, ())):
        value = values.get(key)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, list) and name in ("answer", "alternative") and len(value) == 1 and isinstance(value[0], dict):
            content = value[0].get("content")  # TRL's shape: [{"role": "assistant", "content": "..."}]
            if isinstance(content, str):
                return content
    return ""


def _json(value: Any, *, strict: bool = True) -> Any:
    """Return the value that a cell holds as JSON text; other values as they are."""
    if not isinstance(value, str) or not value:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        if not strict:
            return None
        raise WrongRowError(
            "wrong_value", "A column that holds JSON text (messages, provenance, votes) cannot be read."
        ) from error


def _number(value: Any) -> float:
    try:
        number = float(value or 0)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return number if abs(number) < 1e300 else 0.0


def _read_vote(values: Any, reading: Reading) -> IncomingVote:
    if not isinstance(values, dict):
        raise WrongRowError("wrong_vote", "A vote is no object.")
    plain = read_record(IncomingVote, {**values, "reviewer": foreign_name(TOOL, values.get("reviewer"))})
    return IncomingVote(
        decision=reading.decision(plain.decision),
        reviewer=plain.reviewer,
        reason=plain.reason,
        edited_answer=plain.edited_answer,
        role=plain.role,
        details=plain.details,
    )
