"""Rules about the tokenizer and its chat template, without a row: end, padding, markers, what is saved beside the model.

find_tokenizer_faults(subject)      [Hit("pad_is_end", detail="...")]
"""

import re
from collections.abc import Iterator
from typing import Any

from curation.chat_turns import as_turn, wants_content_parts
from curation.records import Message
from training.preflight.findings import Hit
from training.preflight.subject import Subject

RULES = (
    "template_missing", "template_not_saved", "generation_markers_missing", "turn_end_is_no_token", "turn_end_does_not_stop",
    "end_token_missing", "pad_token_missing", "pad_is_end", "bos_written_twice_at_serving", "embedding_missing",
    "template_drops_system",
)  # fmt: skip
"""What is looked for here."""
_MARKERS = re.compile(r"\{%[-+]?\s*generation\b")
_QUESTION, _ANSWER, _SYSTEM = "Zebra crossing 417", "Quiet harbour 253", "Amber lantern 986"


def find_tokenizer_faults(subject: Subject) -> Iterator[Hit]:
    """Yield what is wrong with the tokenizer, its template and its folder."""
    tokenizer = subject.tokenizer
    if not subject.end_ids:
        yield Hit("end_token_missing")
    yield from _padding(subject)
    highest = max(tokenizer.get_vocab().values(), default=-1)
    if subject.vocabulary and highest >= subject.vocabulary:
        yield Hit("embedding_missing", detail=f"The highest token is {highest}, the model has {subject.vocabulary} embeddings.")
    if subject.saved_template is not None and subject.saved_template.strip() != _template(tokenizer).strip():
        what = "differs" if subject.saved_template else "is missing"
        yield Hit("template_not_saved", detail=f"The saved one {what}.")
    if subject.kind == "text":
        return
    if not _template(tokenizer):
        yield Hit("template_missing")
        return
    if subject.is_marked_by_template and not _MARKERS.search(_template(tokenizer)):
        yield Hit("generation_markers_missing")
    yield from _ends(subject)


def _template(tokenizer: Any) -> str:
    found = tokenizer.chat_template
    return str(found.get("default", "")) if isinstance(found, dict) else found or ""


def _padding(subject: Subject) -> Iterator[Hit]:
    pad = subject.tokenizer.pad_token_id
    if pad is None:
        yield Hit("pad_token_missing")
    elif pad in subject.end_ids:
        yield Hit("pad_is_end", detail=f"It is {subject.tokenizer.pad_token!r}.")


def _ends(subject: Subject) -> Iterator[Hit]:
    """Render a small conversation and look at what it begins and ends with."""
    tokenizer = subject.tokenizer
    question, answer = Message(role="user", content=_QUESTION), Message(role="assistant", content=_ANSWER)
    system = _render(tokenizer, Message(role="system", content=_SYSTEM), question)
    if system is not None and _SYSTEM not in system:
        yield Hit("template_drops_system")
    whole = _render(tokenizer, question, answer)
    if whole is None or _ANSWER not in whole:
        return  # the rows will show what the template refuses or leaves out
    start = tokenizer.bos_token_id
    if start is not None and start not in subject.end_ids and list(tokenizer(whole)["input_ids"])[:2] == [start, start]:
        yield Hit("bos_written_twice_at_serving")
    closing = whole.rpartition(_ANSWER)[2].strip()
    ids = list(tokenizer(closing, add_special_tokens=False)["input_ids"])
    if closing and not subject.end_ids.intersection(ids):
        is_token = any(number in subject.special_ids for number in ids)
        yield Hit(
            "turn_end_does_not_stop" if is_token else "turn_end_is_no_token", detail=f"It closes a turn with {closing!r}."
        )


def _render(tokenizer: Any, *messages: Message) -> str | None:
    in_parts = wants_content_parts(tokenizer)
    turns = [as_turn(message, parsed=True, in_parts=in_parts) for message in messages]
    try:
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=False))
    except Exception:  # templates are code of strangers and raise what they like
        return None
