"""What a rule sees of a row, whatever kind of row it is.

view = view_of(Example(key="faq/1", messages=(user("Is it free?"), assistant("Yes.")), ...))
(view.kind, view.question, view.answer)    ("example", "Is it free?", "Yes.")

Only `answer` is judged as something to learn from. What a preference row calls bad stands in `rejected` and may be as
bad as it likes: only rules about damaged text look at it.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from curation.records import Document, Example, Message, PreferencePair, ToolCall, UnpairedPreference, VerifiableTask

RuleRow = Example | PreferencePair | UnpairedPreference | VerifiableTask
ViewKind = Literal["example", "pair", "unpaired", "task", "document"]

_FENCE_LINE = re.compile(r"^[ \t]{0,8}(`{3,64}|~{3,64})([^\n`]{0,200})$", re.MULTILINE)
_CODE_REQUEST = re.compile(
    r"\b(?:code|coding|function|program|programs|script|scripts|class|method|algorithm|query|regex|snippet|sql|html|css"
    r"|python|javascript|typescript|java|rust|golang|kotlin|swift|ruby|php|bash|shell|perl|scala|matlab|c\+\+|c#|latex|yaml)"
    r"(?![\w+#])",
    re.IGNORECASE,
)
_CODE_LINE = re.compile(
    r"^[ \t]{0,40}(?:def \w|class \w+[(:{ ]|import \w|from \w[\w.]* import|#include\b|public |private |static |return\b|using "
    r"|package \w|func \w|fn \w|let \w|const \w|var \w|function[ (]|SELECT\b|INSERT INTO|CREATE TABLE|<\w+[ >/]|</\w+>|<!|<\?"
    r"|for ?\(|if ?\(|while ?\(|\w[\w.]* ?\(.*\);|\} else|>>> |\$ |[\w.\[\]]{1,60} [-+*/]?= )|[;{}]$",
    re.MULTILINE,
)
_MAX_SCANNED_CHARS = 20_000


@dataclass(frozen=True, kw_only=True)
class TextView:
    """The texts of one row; everything derived is computed once, when a rule first asks for it."""

    kind: ViewKind
    key: str
    task: str = ""
    system: str = ""
    prompt: str = ""
    """Everything before the answer but system messages, joined by blank lines."""
    question: str = ""
    """The last user message."""
    answer: str = ""
    """What is to be learned; the text of a document; empty for an answer that is marked as bad."""
    rejected: str = ""
    """An answer that is marked as bad."""
    prompt_chars: int = 0
    """Characters of all messages before the answer, system messages included."""
    tools: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    has_good_answer: bool = True
    """False if the row only says what not to answer (an undesirable answer without a pair)."""
    is_well_formed: bool = True
    """There is a prompt, and the assistant answers it."""

    @property
    def texts(self) -> tuple[str, str, str, str]:
        """Every text of the row, whoever wrote it."""
        return self.system, self.prompt, self.answer, self.rejected

    @cached_property
    def is_ascii(self) -> bool:
        """No text holds anything but ASCII, so that most damage is impossible."""
        return all(text.isascii() for text in self.texts)

    @cached_property
    def bare_answer(self) -> str:
        """The answer in lower case, without outer white space."""
        return self.answer.strip().lower()

    @cached_property
    def answer_words(self) -> list[str]:
        """The words of the answer as they stand between white space."""
        return self.answer.split()

    @cached_property
    def bare_question(self) -> str:
        """The question in lower case, without outer white space."""
        return self.question.strip().lower()

    @cached_property
    def fences(self) -> tuple[tuple[str, str], ...]:
        """The fenced blocks of the answer as (language in lower case, content); an open last one counts."""
        return tuple(_fenced_blocks(self.answer)[0])

    @cached_property
    def has_open_fence(self) -> bool:
        """The last code fence of the answer is never closed."""
        return _fenced_blocks(self.answer)[1]

    @cached_property
    def is_code(self) -> bool:
        """The answer is code or holds some, or code is what was asked for and what came looks like it."""
        if "```" in self.answer or "~~~" in self.answer:
            return True
        return looks_like_code(self.answer) or (self.asks_for_code and any(mark in self.answer for mark in "(){};=<>"))

    @cached_property
    def asks_for_code(self) -> bool:
        """The question names a programming language or something to be programmed."""
        return _CODE_REQUEST.search(self.question[:_MAX_SCANNED_CHARS]) is not None


def view_of(row: RuleRow) -> TextView:
    """Return the view of a row."""
    if isinstance(row, Example):
        last = row.messages[-1] if row.messages else Message(role="assistant", content="")
        fits = len(row.messages) > 1 and last.role == "assistant"
        return _view("example", row, row.prompt, last.content, tools=row.tools, calls=last.tool_calls, is_well_formed=fits)
    if isinstance(row, PreferencePair):
        return _view("pair", row, row.prompt, row.chosen, rejected=row.rejected, tools=row.tools)
    if isinstance(row, VerifiableTask):
        return _view("task", row, row.prompt, "", has_good_answer=False)  # a reference may be one digit: no answer to judge
    if row.is_desirable:
        return _view("unpaired", row, row.prompt, row.answer)
    return _view("unpaired", row, row.prompt, "", rejected=row.answer, has_good_answer=False)


def document_view(document: Document) -> TextView:
    """Return the view of a document: its text is the answer."""
    return TextView(kind="document", key=document.key, task=document.kind, answer=document.text)


def prose_of(text: str, limit: int = 4_000) -> str:
    """Return the prose of a text's start: without fenced and inline code, table rows, addresses and markup."""
    text = text[:limit]
    if "```" in text or "~~~" in text:
        text = _outside_fences(text)
    if "`" in text:
        text = re.sub(r"`[^`\n]{1,300}`", " ", text)
    if "|" in text:
        text = "\n".join(line for line in text.split("\n") if line.count("|") < 2)
    if "://" in text:
        text = re.sub(r"\w{1,12}://\S{1,2000}", " ", text)
    if "<" in text:
        text = re.sub(r"<[^<>\n]{1,300}>", " ", text)
    return text


def looks_like_code(text: str) -> bool:
    """Tell whether a third of the lines of a text's start read like a programming language."""
    lines = [line for line in text[:4_000].split("\n") if line.strip()]
    hits = sum(1 for line in lines if _CODE_LINE.search(line[:300]))
    return hits >= 1 and 3 * hits >= len(lines)


def _view(
    kind: ViewKind,
    row: RuleRow,
    messages: tuple[Message, ...],
    answer: str,
    *,
    rejected: str = "",
    tools: str = "",
    calls: tuple[ToolCall, ...] = (),
    has_good_answer: bool = True,
    is_well_formed: bool = True,
) -> TextView:
    asked = [message.content for message in messages if message.role != "system"]
    questions = [message.content for message in messages if message.role == "user"]
    return TextView(
        kind=kind,
        key=row.key,
        task=row.task,
        system="\n\n".join(message.content for message in messages if message.role == "system"),
        prompt=asked[0] if len(asked) == 1 else "\n\n".join(asked),
        question=questions[-1] if questions else "",
        answer=answer,
        rejected=rejected,
        prompt_chars=sum(len(message.content) for message in messages),
        tools=tools,
        tool_calls=calls,
        has_good_answer=has_good_answer,
        is_well_formed=is_well_formed and bool(messages),
    )


def _fenced_blocks(text: str) -> tuple[list[tuple[str, str]], bool]:
    """Return the fenced blocks of a text, and whether the last one is open."""
    if "```" not in text and "~~~" not in text:
        return [], False
    blocks: list[tuple[str, str]] = []
    opened: tuple[str, str, int] | None = None
    for found in _FENCE_LINE.finditer(text):
        mark, info = found[1], found[2].strip().lower()
        if opened is None:
            opened = (mark, info, found.end() + 1)
        elif mark.startswith(opened[0]) and not info:
            blocks.append((opened[1], text[opened[2] : found.start()]))
            opened = None
    if opened is not None:
        blocks.append((opened[1], text[opened[2] :]))
    return blocks, opened is not None


def _outside_fences(text: str) -> str:
    kept: list[str] = []
    mark = ""
    for line in text.split("\n"):
        found = _FENCE_LINE.match(line)
        if found is None:
            kept.extend([] if mark else [line])
        elif not mark:
            mark = found[1]
        elif found[1].startswith(mark) and not found[2].strip():
            mark = ""
    return "\n".join(kept)
