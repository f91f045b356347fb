"""The shapes in which rows leave: OpenAI's chat lines, TRL's preference and unpaired rows, and one Arrow schema for each.

    line_of(example)     {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}
    line_of(pair)        {"prompt": [...], "chosen": [{"role": "assistant", "content": "..."}], "rejected": [...]}
    line_of(unpaired)    {"prompt": [...], "completion": [...], "label": true}

Parquet rows hold the same columns and, beside them, where the row comes from. Columns for tools are there only if a row of
the file uses tools.
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from curation.records import Example, Message, PreferencePair, UnpairedPreference, source_of

Row = Example | PreferencePair | UnpairedPreference
KINDS: dict[type, str] = {Example: "examples", PreferencePair: "preference", UnpairedPreference: "unpaired"}


class Column(NamedTuple):
    """One column of an exported table."""

    name: str
    type: str
    """`string`, `bool` or `messages` (a list of messages)."""
    description: str


_ORIGIN = (
    Column("key", "string", "Stable name of the row; its first part is the source."),
    Column("task", "string", "What the row teaches."),
    Column("group", "string", "Split group: no group is in two splits."),
    Column("source", "string", "Source of the row."),
    Column("origin", "string", "human or synthetic."),
    Column("method", "string", "How the row was made."),
    Column("teacher", "string", "Model that wrote it; empty for none."),
    Column("license", "string", "Licence of the text that the row was made from."),
    Column("terms_verdict", "string", "Verdict on the terms for the declared use."),
)
_BODY = {
    "examples": (Column("messages", "messages", "The conversation; the last message is what is learned."),),
    "preference": (
        Column("prompt", "messages", "The messages that both answers follow."),
        Column("chosen", "messages", "The preferred answer."),
        Column("rejected", "messages", "The other answer."),
    ),
    "unpaired": (
        Column("prompt", "messages", "The messages that the answer follows."),
        Column("completion", "messages", "The answer."),
        Column("label", "bool", "Whether the answer is desirable."),
    ),
}
_TOOLS = Column("tools", "string", "Definitions of the tools as JSON; empty for none.")


def columns_of(kind: str, *, has_tools: bool) -> tuple[Column, ...]:
    """Return the columns of a kind of rows, in order."""
    tools = (_TOOLS,) if has_tools and kind != "unpaired" else ()
    return (*_BODY[kind], *tools, *_ORIGIN)


def uses_tools(rows: Sequence[Row]) -> bool:
    """Tell whether any row defines, calls or answers a tool."""
    return any(getattr(row, "tools", "") or any(_is_about_tools(item) for item in _messages(row)) for row in rows)


def _messages(row: Row) -> tuple[Message, ...]:
    return row.messages if isinstance(row, Example) else row.prompt


def _is_about_tools(message: Message) -> bool:
    return bool(message.tool_calls or message.tool_call_id or message.name)


def line_of(row: Row) -> dict[str, Any]:
    """Return a row as one JSON line for a trainer or a hosted fine-tuning service."""
    body = {name: value for name, value in _body(row, _chat_message).items()}
    tools = getattr(row, "tools", "")
    return {**body, "tools": json.loads(tools)} if tools else body


def table_of(rows: Sequence[Row], kind: str, *, has_tools: bool) -> pa.Table:
    """Return rows of one kind as an Arrow table."""
    schema = pa.schema([(column.name, arrow_type(column, has_tools)) for column in columns_of(kind, has_tools=has_tools)])
    shape = _full_message if has_tools else _plain_message
    return pa.Table.from_pylist([_table_row(row, shape, has_tools) for row in rows], schema=schema)


def arrow_type(column: Column, has_tools: bool) -> pa.DataType:
    """Return the Arrow type of a column."""
    if column.type == "bool":
        return pa.bool_()
    return pa.list_(_message_type(has_tools)) if column.type == "messages" else pa.string()


def _message_type(has_tools: bool) -> pa.DataType:
    fields = [("role", pa.string()), ("content", pa.string())]
    if has_tools:
        function = pa.struct([("name", pa.string()), ("arguments", pa.string())])
        calls = pa.list_(pa.struct([("id", pa.string()), ("type", pa.string()), ("function", function)]))
        fields += [("tool_calls", calls), ("tool_call_id", pa.string()), ("name", pa.string())]
    return pa.struct(fields)


def _table_row(row: Row, shape: Any, has_tools: bool) -> dict[str, Any]:
    origin = row.provenance
    tools = {"tools": getattr(row, "tools", "")} if has_tools else {}
    return {
        **_body(row, shape),
        **tools,
        "key": row.key,
        "task": row.task,
        "group": row.group,
        "source": source_of(row.key),
        "origin": origin.origin,
        "method": origin.method,
        "teacher": origin.teacher,
        "license": origin.license,
        "terms_verdict": origin.terms_verdict,
    }


def _body(row: Row, shape: Any) -> dict[str, Any]:
    if isinstance(row, Example):
        return {"messages": [shape(message) for message in row.messages]}
    prompt = [shape(message) for message in row.prompt]
    if isinstance(row, PreferencePair):
        return {"prompt": prompt, "chosen": [shape(_answer(row.chosen))], "rejected": [shape(_answer(row.rejected))]}
    return {"prompt": prompt, "completion": [shape(_answer(row.answer))], "label": row.is_desirable}


def _answer(text: str) -> Message:
    return Message(role="assistant", content=text)


def _plain_message(message: Message) -> dict[str, Any]:
    return {"role": message.role, "content": message.content}


def _chat_message(message: Message) -> dict[str, Any]:
    """Return a message with only the fields that it has, as chat services want it."""
    shaped: dict[str, Any] = {"role": message.role, "content": message.content or (None if message.tool_calls else "")}
    if message.tool_calls:
        shaped["tool_calls"] = _calls(message)
    if message.tool_call_id:
        shaped["tool_call_id"] = message.tool_call_id
    return {**shaped, "name": message.name} if message.name else shaped


def _full_message(message: Message) -> dict[str, Any]:
    return {
        **_plain_message(message),
        "tool_calls": _calls(message),
        "tool_call_id": message.tool_call_id,
        "name": message.name,
    }


def _calls(message: Message) -> list[dict[str, Any]]:
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in message.tool_calls
    ]
