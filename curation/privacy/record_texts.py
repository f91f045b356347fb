"""Which texts of a record are screened, and how a record is written anew with other texts.

texts_of(example)                            {"messages[0].content": "...", "messages[1].content": "...", "tools": "[...]"}
with_texts(example, {"messages[0].content": "Mail [EMAIL]"})

Keys, groups and provenance keys are names, not texts, and stay as they are.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar, assert_never

from curation.records import Document, Example, Message, PreferencePair, Provenance, UnpairedPreference, VerifiableTask

Row = Example | PreferencePair | UnpairedPreference | VerifiableTask
R = TypeVar("R", Document, Example, PreferencePair, UnpairedPreference, VerifiableTask)
Change = Callable[[str, str], str]


def texts_of(record: R) -> dict[str, str]:
    """Return the texts of a record by field name; empty ones are left out."""
    texts: dict[str, str] = {}

    def note(field: str, text: str) -> str:
        if text:
            texts[field] = text
        return text

    _rewrite(record, note)
    return texts


def with_texts(record: R, texts: Mapping[str, str]) -> R:
    """Return the record with some texts replaced. Section spans of a document are the caller's to shift."""
    return _rewrite(record, lambda field, text: texts.get(field, text))


def _rewrite(record: R, change: Change) -> R:
    if isinstance(record, Document):
        return _document(record, change)
    if isinstance(record, Example):
        messages = _messages("messages", record.messages, change)
        return replace(
            record, messages=messages, tools=change("tools", record.tools), provenance=_provenance(record.provenance, change)
        )
    prompt = _messages("prompt", record.prompt, change)
    provenance = _provenance(record.provenance, change)
    if isinstance(record, PreferencePair):
        chosen, rejected = change("chosen", record.chosen), change("rejected", record.rejected)
        tools = change("tools", record.tools)
        return replace(record, prompt=prompt, chosen=chosen, rejected=rejected, tools=tools, provenance=provenance)
    if isinstance(record, UnpairedPreference):
        return replace(record, prompt=prompt, answer=change("answer", record.answer), provenance=provenance)
    if isinstance(record, VerifiableTask):
        return replace(record, prompt=prompt, reference=change("reference", record.reference), provenance=provenance)
    assert_never(record)


def _document(document: Document, change: Change) -> Document:
    sections = tuple(
        replace(
            section,
            heading_path=tuple(
                change(f"sections[{number}].heading_path[{depth}]", heading)
                for depth, heading in enumerate(section.heading_path)
            ),
        )
        for number, section in enumerate(document.sections)
    )
    title, text = change("title", document.title), change("text", document.text)
    return replace(document, title=title, text=text, sections=sections)


def _messages(field: str, messages: tuple[Message, ...], change: Change) -> tuple[Message, ...]:
    return tuple(_message(f"{field}[{number}]", message, change) for number, message in enumerate(messages))


def _message(field: str, message: Message, change: Change) -> Message:
    calls = tuple(
        replace(call, arguments=change(f"{field}.tool_calls[{number}].arguments", call.arguments))
        for number, call in enumerate(message.tool_calls)
    )
    return replace(message, content=change(f"{field}.content", message.content), tool_calls=calls)


def _provenance(provenance: Provenance, change: Change) -> Provenance:
    if not provenance.votes:
        return provenance
    votes = tuple(
        replace(vote, reason=change(f"provenance.votes[{number}].reason", vote.reason))
        for number, vote in enumerate(provenance.votes)
    )
    return replace(provenance, votes=votes)
