"""What is compared: evaluation items on one side, the texts of training rows and documents on the other.

EvalItem(key="gsm8k/12", benchmark="gsm8k", prompt="Janet's ducks lay ...", answer="... #### 18")
texts_of(example)      [RowText("prompt", "How do I ..."), RowText("answer", "Use ...")]
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from curation.records import Document, Example, Message, PreferencePair, UnpairedPreference, VerifiableTask

EVAL_SET = "eval_set"

Field: TypeAlias = Literal["prompt", "answer", "document"]
Row: TypeAlias = Example | PreferencePair | UnpairedPreference | VerifiableTask | Document


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalItem:
    """A question of an evaluation with its reference answer, which may be empty."""

    key: str
    benchmark: str
    """`eval_set`, or the name of a benchmark file."""
    prompt: str
    answer: str = ""


class RowText(NamedTuple):
    """One text of a row, and which of its fields it stands in."""

    field: Field
    text: str


class RowTexts(NamedTuple):
    """All texts of many rows, one after the other."""

    texts: list[str]
    fields: list[Field]
    rows: "np.ndarray[Any, np.dtype[np.int64]]"
    """(num_texts,): the position of the row that holds each text, ascending."""


def items_of(rows: Iterable[Example | VerifiableTask | EvalItem], benchmark: str = EVAL_SET) -> tuple[EvalItem, ...]:
    """Return evaluation rows as items, sorted by benchmark and key.

    A system message that several rows share is an instruction and is left out; one that only one row has belongs to its
    question.
    """
    given = list(rows)
    systems = Counter(text for row in given if not isinstance(row, EvalItem) for text in _system_texts(row.prompt))
    items = [row if isinstance(row, EvalItem) else _item_of(row, systems, benchmark) for row in given]
    return tuple(sorted(items, key=lambda item: (item.benchmark, item.key, item.prompt, item.answer)))


def _item_of(row: Example | VerifiableTask, systems: Counter[str], benchmark: str) -> EvalItem:
    said = [turn for turn in row.prompt if turn.role != "system" or systems[turn.content] == 1]
    return EvalItem(key=row.key, benchmark=benchmark, prompt=_join(said), answer=_answer_of(row))


def _system_texts(messages: Sequence[Message]) -> list[str]:
    return [message.content for message in messages if message.role == "system"]


def _answer_of(row: Example | VerifiableTask) -> str:
    return row.reference if isinstance(row, VerifiableTask) else _said(row.messages[-1])


def texts_of(row: Row) -> list[RowText]:
    """Return the texts of a row: the whole prompt, each user message of a longer one, every answer; or the document."""
    if isinstance(row, Document):
        return [RowText("document", f"{row.title}\n{row.text}")]
    prompt = row.prompt
    if len(prompt) == 1 and prompt[0].role == "user":
        texts = [RowText("prompt", prompt[0].content)]
    else:
        texts = [RowText("prompt", _join([turn for turn in prompt if turn.role != "system"]))]
        texts += [RowText("prompt", text) for text in _system_texts(prompt)]
        turns = [turn.content for turn in prompt if turn.role == "user"]
        texts += [RowText("prompt", turn) for turn in turns if len(turns) > 1]
    texts += [RowText("answer", answer) for answer in answers_of(row)]
    return [text for text in texts if text.text]


def collect_texts(rows: Sequence[Row]) -> RowTexts:
    """Return the texts of all rows, in plain lists: with an object a text, Python's collector would take half of the time."""
    texts: list[str] = []
    fields: list[Field] = []
    counts: list[int] = []
    for row in rows:
        start = len(texts)
        if type(row) is Example and _is_plain(row.messages):
            texts += (row.messages[0].content, row.messages[1].content)
            fields += ("prompt", "answer")
        else:
            for field, text in texts_of(row):
                texts.append(text)
                fields.append(field)
        counts.append(len(texts) - start)
    return RowTexts(texts, fields, np.repeat(np.arange(len(rows)), counts).astype(np.int64))


def _is_plain(messages: tuple[Message, ...]) -> bool:
    """Tell whether there is one question and its answer and nothing else."""
    return len(messages) == 2 and messages[0].role == "user" and not messages[0].tool_calls and not messages[1].tool_calls


def answers_of(row: Row) -> list[str]:
    """Return the answers of a row; a document has none."""
    if isinstance(row, PreferencePair):
        return [row.chosen, row.rejected]
    if isinstance(row, UnpairedPreference):
        return [row.answer]
    return [] if isinstance(row, Document) else [_answer_of(row)]


def _join(messages: Sequence[Message]) -> str:
    return "\n".join(_said(message) for message in messages)


def _said(message: Message) -> str:
    if not message.tool_calls:
        return message.content
    return "\n".join(part for part in (message.content, *(call.arguments for call in message.tool_calls)) if part)
