"""What of a row is compared: its prompt, its answer, and what would contradict it.

compare_by(example).text        "How do I sort?"        (system messages are left out)
"""

from collections.abc import Hashable, Iterable
from typing import NamedTuple

from curation.records import Example, Message, PreferencePair, UnpairedPreference, VerifiableTask

Row = Example | PreferencePair | UnpairedPreference | VerifiableTask
PromptKey = tuple[tuple[str, ...], ...]


class Comparison(NamedTuple):
    """The parts of a row that decide whether it repeats or contradicts another one."""

    text: str
    """The conversation before the answer, system messages aside: what near copies are found by."""
    answer: str
    """What the row teaches, as one text."""
    question: Hashable
    """Rows of one question must agree in `verdict`."""
    verdict: Hashable
    contradiction: str
    """Half a sentence for a row that does not agree."""


def prompt_key(messages: Iterable[Message]) -> PromptKey:
    """Return what makes two prompts the same: roles, texts and tool calls, white space aside."""
    return tuple((message.role, *_content_key(message)) for message in messages)


def answer_key(answer: str) -> str:
    """Return what makes two answers the same: the text, white space aside."""
    return " ".join(answer.split())


def comparison_text(row: Row) -> str:
    """Return the text by which near and semantic copies of a row are found: its prompt without system messages."""
    return "\n".join(message.content for message in row.prompt if message.role != "system")


def compare_by(row: Row) -> Comparison:
    """Return what a row is compared by."""
    prompt = (type(row).__name__, prompt_key(row.prompt), getattr(row, "tools", ""))
    text = comparison_text(row)
    if isinstance(row, Example):
        answer = "\n".join(_content_key(row.messages[-1]))
        return Comparison(text, answer, prompt, answer, "The same prompt has another answer in")
    if isinstance(row, PreferencePair):
        chosen, rejected = answer_key(row.chosen), answer_key(row.rejected)
        question = (prompt, min(chosen, rejected), max(chosen, rejected))
        return Comparison(text, f"{chosen}\n{rejected}", question, chosen, "The same answers are ranked the other way in")
    if isinstance(row, VerifiableTask):
        reference = answer_key(row.reference)
        return Comparison(text, reference, prompt, reference, "The same prompt has another reference in")
    answer = answer_key(row.answer)
    full = f"{'good' if row.is_desirable else 'bad'}\n{answer}"
    return Comparison(text, full, (prompt, answer), row.is_desirable, "The same answer has the other label in")


def _content_key(message: Message) -> tuple[str, ...]:
    calls = tuple(part for call in message.tool_calls for part in (call.name, call.arguments))
    return (answer_key(message.content), *calls, *([message.name] if message.name else []))
