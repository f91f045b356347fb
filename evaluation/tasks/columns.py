"""Which columns of a row of a file are question, reference, choices and sources: by their names, as common data sets have them.

read_columns({"question": "2 + 2?", "answer": "#### 4", "topic": "sums"}, task)
    Columns(prompt=(Message(role="user", content="2 + 2?"),), reference="#### 4", choices=(), sources=(), key="", group="")
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast, get_args

from curation.ids import canonical_json
from curation.records import Message, Role
from evaluation.tasks.config import TaskConfig
from evaluation.tasks.measures import LETTERS

QUESTIONS = ("question", "prompt", "instruction", "problem", "query", "input", "source", "text", "document", "sentence")
REFERENCES = (
    "reference", "answer", "target", "label", "category", "correct", "solution", "response", "output", "completion", "summary",
    "translation", "canonical_solution", "ground_truth", "expected", "pattern",
)  # fmt: skip
CHOICES = ("choices", "options", "candidates")
SOURCES = ("sources", "documents", "contexts", "context", "passages")
KEYS = ("id", "key", "task_id", "question_id", "qid", "uid")
GROUPS = ("group", "customer", "thread")
TESTS = ("tests", "test", "test_list", "test_code")
_LETTERED = re.compile(r"^\s*\(?([A-Z])[).:]\s*(?=\S)")


class Columns(NamedTuple):
    """One row, read as an item."""

    prompt: tuple[Message, ...]
    reference: str
    choices: tuple[str, ...]
    sources: tuple[str, ...]
    key: str
    """Its id in the file; empty if it has none."""
    group: str
    tools: str = ""
    """Definitions of the tools that may be called, as JSON; empty for none."""


def read_columns(row: Mapping[str, Any], task: TaskConfig) -> Columns:
    """Read a row.

    Raises:
        ValueError: a column that the task names is not there, none holds a question, or one is of no use; the text says so.
    """
    cells = {str(name).strip(): value for name, value in row.items()}
    choices = _texts(_first(cells, CHOICES))
    choices = tuple(_LETTERED.sub("", choice) for choice in choices) if _are_lettered(choices) else choices
    if task.kind == "perplexity":
        text = _text(_named(cells, task.reference) if task.reference else _first(cells, ("text", "reference", "document")))
        return Columns((), text, (), (), _key(cells), _text(_first(cells, GROUPS)))
    prompt = _prompt(cells, task)
    if choices and task.scoring == "generation":
        prompt = (*prompt[:-1], _with_choices(prompt[-1], choices))
    reference = _reference(cells, task)
    sources, group = _texts(_first(cells, SOURCES)), _text(_first(cells, GROUPS))
    return Columns(prompt, reference, choices, sources, _key(cells), group, _tools(cells) if task.kind == "tool_call" else "")


def _prompt(cells: Mapping[str, Any], task: TaskConfig) -> tuple[Message, ...]:
    if task.prompt:
        missing = [name for name in re.findall(r"\{([^{}]+)\}", task.prompt) if name not in cells]
        if missing:
            raise ValueError(f"there is no column '{missing[0]}'")
        return (Message(role="user", content=task.prompt.format_map({name: _text(value) for name, value in cells.items()})),)
    if isinstance(cells.get("messages"), (list, tuple)):
        return _messages(cells["messages"])
    question = _text(_first(cells, QUESTIONS))
    if not question.strip():
        raise ValueError("no column holds a question")
    more = _text(cells.get("input")) if "instruction" in cells and "question" not in cells and "prompt" not in cells else ""
    system = _text(cells.get("system"))
    head = (Message(role="system", content=system),) if system else ()
    return (*head, Message(role="user", content="\n\n".join(part for part in (question, more) if part.strip())))


def _messages(turns: Sequence[Any]) -> tuple[Message, ...]:
    found = []
    for turn in turns:
        is_turn = isinstance(turn, Mapping) and turn.get("role") in get_args(Role) and isinstance(turn.get("content"), str)
        if not is_turn:
            raise ValueError("`messages` holds a turn without role and content")
        found.append(Message(role=cast(Role, turn["role"]), content=turn["content"]))
    if not found:
        raise ValueError("`messages` is empty")
    return tuple(found)


def _with_choices(message: Message, choices: Sequence[str]) -> Message:
    if len(choices) > len(LETTERS):
        raise ValueError(f"there are {len(choices)} choices and {len(LETTERS)} letters: use `scoring: likelihood`")
    listed = "\n".join(f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=False))
    return Message(role=message.role, content=f"{message.content}\n\n{listed}\n\nAnswer with the letter of the right choice.")


def _reference(cells: Mapping[str, Any], task: TaskConfig) -> str:
    if task.reference:
        return _text(_named(cells, task.reference))
    if task.kind == "code" and (tests := _first(cells, TESTS)) is not None:
        setup = _text(cells.get("test_setup_code"))
        code = "\n".join(part for part in (setup, *_texts(tests)) if part)
        prompt = _text(cells.get("prompt")) if "entry_point" in cells else ""
        return canonical_json({"tests": code, "entry_point": _text(cells.get("entry_point")), "prompt": prompt})
    if task.kind == "constraints" and isinstance(cells.get("instruction_id_list"), (list, tuple)):
        names, given = cells["instruction_id_list"], cells.get("kwargs") or [{}] * len(cells["instruction_id_list"])
        if not isinstance(given, (list, tuple)) or len(given) != len(names):
            raise ValueError("`kwargs` is no list with one entry for each of `instruction_id_list`")
        pairs = zip(names, given, strict=True)
        return json.dumps([{"id": name, "kwargs": _without_nulls(kwargs)} for name, kwargs in pairs])
    return _text(_first(cells, REFERENCES))


def _tools(cells: Mapping[str, Any]) -> str:
    """Return the column `tools`, a list of definitions or its JSON, as canonical JSON; empty if there is none."""
    value = _first(cells, ("tools",))
    if isinstance(value, str):
        value = json.loads(value) if value.strip() else None
    if value is not None and not (isinstance(value, list) and all(isinstance(tool, Mapping) for tool in value)):
        raise ValueError("`tools` is no list of definitions")
    return canonical_json(value) if value else ""


def _without_nulls(kwargs: Any) -> dict[str, Any]:
    return {name: value for name, value in kwargs.items() if value is not None} if isinstance(kwargs, Mapping) else {}


def _named(cells: Mapping[str, Any], name: str) -> Any:
    if name not in cells:
        raise ValueError(f"there is no column '{name}'")
    return cells[name]


def _first(cells: Mapping[str, Any], names: Sequence[str]) -> Any:
    """Return the first of some columns that is there and not null, whatever the case of its name."""
    by_name = {name.lower(): value for name, value in cells.items() if value is not None}
    return next((by_name[name] for name in names if name in by_name), None)


def _key(cells: Mapping[str, Any]) -> str:
    return _text(_first(cells, KEYS)).strip()[:200]


def _are_lettered(choices: Sequence[str]) -> bool:
    """Tell whether choices carry their letters, A to the last in order, such as `A)21`."""
    found = [match[1] for choice in choices if (match := _LETTERED.match(choice))]
    return bool(choices) and found == list(LETTERS[: len(choices)])


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, Mapping) and isinstance(value.get("text"), (list, tuple)):
        value = value["text"]  # {"text": [...], "label": [...]}, as ARC has them
    return tuple(_text(item) for item in value) if isinstance(value, (list, tuple)) else (_text(value),)


def _text(value: Any) -> str:
    """Return a cell as text: a text as it is, a number as it is written, anything else as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and isinstance(value.get("value"), str):
        return str(value["value"])
    return json.dumps(value, ensure_ascii=False, default=str)
