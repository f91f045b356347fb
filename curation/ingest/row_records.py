"""One row of a table -> one document or one demonstration, or the reason why not.

read_demonstration(source, "faq/faq.csv#1", Row(number=1, values={"question": "Why?", "answer": "Because."}))
    Example(key="faq/faq.csv#1", task="demonstration", messages=(user, assistant), group="5c...", ...)
"""

import json
import re
from typing import Any, NamedTuple, cast, get_args

from curation.ids import hash_text
from curation.ingest.config import SourceConfig
from curation.ingest.rows import Row
from curation.ingest.text import normalise_text
from curation.records import Document, Example, Message, Provenance, Role, Section

DEFAULT_TEXT_COLUMNS = ("text", "content", "body")
TITLE_COLUMNS = ("title", "name")
MAX_KEY_CHARS = 200
ROLES = get_args(Role)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")


class Unusable(NamedTuple):
    """Why a readable row is no record: short reason and one sentence."""

    reason: str
    detail: str


def row_key(source: SourceConfig, row: Row) -> str:
    """Return what the key column says, or nothing."""
    return _cell_name(row.values.get(source.key_column))


def row_hash(row: Row) -> str:
    """Return a hash over the values of a row, whatever their types and the order of the columns."""
    return hash_text(json.dumps(row.values, sort_keys=True, default=str))


def _cell_name(value: Any) -> str:
    if value is None or isinstance(value, (dict, list, bool)):
        return ""
    name = _CONTROL.sub(" ", str(value)).strip()
    return name if len(name) <= MAX_KEY_CHARS else hash_text(name)


def _group(source: SourceConfig, row: Row) -> str:
    column = source.group_column or source.key_column
    return _cell_name(row.values.get(column)) or row_hash(row)


def read_document(source: SourceConfig, key: str, row: Row) -> Document | Unusable:
    """Return the document that a row holds: its text columns, one section each."""
    cells = _text_cells(source, row)
    if isinstance(cells, Unusable):
        return cells
    title = next((normalise_text(value) for name in TITLE_COLUMNS if isinstance(value := row.values.get(name), str)), "") or key
    text, sections = "", []
    for name, value in cells:
        text += ("\n\n" if text else "") + (f"{name}: " if len(cells) > 1 else "")
        sections.append(Section(heading_path=(title, name), kind="body", start=len(text), end=len(text) + len(value)))
        text += value
    return Document(
        key=key,
        source=source.name,
        title=title,
        kind="row",
        text=text,
        sections=tuple(sections),
        group=_group(source, row),
        license=source.license,
        output_terms=source.output_terms,
    )


def _text_cells(source: SourceConfig, row: Row) -> list[tuple[str, str]] | Unusable:
    """Return the columns with text in them, normalised, in order."""
    absent = [name for name in source.text_columns if name not in row.values]
    if absent:
        return Unusable("missing_column", f"There is no column '{absent[0]}', only {_names(row)}.")
    columns = source.text_columns or [name for name in DEFAULT_TEXT_COLUMNS if isinstance(row.values.get(name), str)][:1]
    columns = columns or [name for name, value in row.values.items() if isinstance(value, str) and name != source.key_column]
    cells = [(normalise_text(name), normalise_text(str(row.values[name]))) for name in columns if row.values[name] is not None]
    cells = [(name, value) for name, value in cells if value.strip()]
    return cells or Unusable("empty_text", f"No text in {', '.join(columns) or _names(row)}.")


def _names(row: Row) -> str:
    return ", ".join(map(str, row.values))[:300]


def read_demonstration(source: SourceConfig, key: str, row: Row) -> Example | Unusable:
    """Return the conversation that a row holds: its messages, or a question and its answer."""
    messages = _read_messages(source, row)
    if isinstance(messages, Unusable):
        return messages
    provenance = Provenance(origin="human", method="demonstration", license=source.license, output_terms=source.output_terms)
    return Example(key=key, task=source.task, messages=messages, group=_group(source, row), provenance=provenance)


def _read_messages(source: SourceConfig, row: Row) -> tuple[Message, ...] | Unusable:
    found = row.values.get(source.messages_column)
    if found not in (None, ""):
        return _parse_messages(found)
    cells = [row.values.get(source.question_column), row.values.get(source.answer_column)]
    if any(cell is None for cell in cells):
        wanted = f"'{source.messages_column}', or '{source.question_column}' and '{source.answer_column}'"
        return Unusable("missing_column", f"The row needs {wanted}; it has {_names(row)}.")
    return _check_messages([Message(role="user", content=str(cells[0])), Message(role="assistant", content=str(cells[1]))])


def _parse_messages(found: Any) -> tuple[Message, ...] | Unusable:
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except (ValueError, RecursionError) as error:
            return Unusable("invalid_messages", f"The messages are no JSON list: {error}.")
    if not isinstance(found, list):
        return Unusable("invalid_messages", "The messages are not a list.")
    messages = []
    for number, item in enumerate(found, start=1):
        role, content = (str(item.get("role")), item.get("content")) if isinstance(item, dict) else ("", None)
        if role not in ROLES or not isinstance(content, str):
            return Unusable(
                "invalid_messages", f"Message {number} needs a role out of {', '.join(ROLES)} and a text as content."
            )
        messages.append(Message(role=cast(Role, role), content=content))
    return _check_messages(messages)


def _check_messages(messages: list[Message]) -> tuple[Message, ...] | Unusable:
    cleaned = tuple(Message(role=message.role, content=normalise_text(message.content)) for message in messages)
    if not cleaned or cleaned[-1].role != "assistant" or all(message.role != "user" for message in cleaned[:-1]):
        return Unusable("invalid_messages", "A conversation needs a user message and ends with the assistant's.")
    if not cleaned[-1].content.strip() or not any(m.content.strip() for m in cleaned if m.role == "user"):
        return Unusable("empty_text", "The question or the answer is empty.")
    return cleaned
