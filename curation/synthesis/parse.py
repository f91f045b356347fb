"""From the text of a reply to usable questions, or the reasons why it holds none. Replies are hostile input.

    parsed = parse_questions('{"questions": [{"question": "How do I ...?", "quote": "Get the first n rows."}]}',
                             document, template=ROUTING, num_questions=5)
    parsed.questions[0].span          (120, 141): where the quote stands in document.text
    parsed.problems                   what was not usable, each with a reason

Every entry of a reply ends as a question or as a problem; a reply without entries is one problem.
"""

import functools
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema

from curation.chat_model import ChatReply
from curation.records import Document
from curation.synthesis.prompts.template import Template

MAX_REPLY_CHARS = 1_000_000
MAX_ENTRIES = 200
MIN_QUESTION_CHARS, MAX_QUESTION_CHARS = 8, 1_000
MAX_ANSWER_CHARS = 8_000
MIN_QUOTE_CHARS, MAX_QUOTE_CHARS = 4, 4_000
_MAX_JSON_STARTS = 20
_FENCE = re.compile(r"```[A-Za-z0-9]*[ \t]*\n(.*?)```", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedQuestion:
    """One usable entry of a reply."""

    index: int
    question: str
    answer: str
    """Empty for templates that ask for none."""
    span: tuple[int, int]
    """Half-open offsets of the quote in the document's text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One entry that is not usable, or (index None) a whole reply."""

    index: int | None
    reason: str
    detail: str
    excerpt: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedReply:
    """What a reply held."""

    questions: tuple[ParsedQuestion, ...]
    problems: tuple[Problem, ...]


class UnusableError(ValueError):
    """Why a reply, or an entry of it, is not used: a short reason and a sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def parse_questions(reply: ChatReply, document: Document, *, template: Template, num_questions: int) -> ParsedReply:
    """Read the questions of a reply; entries beyond `num_questions` are problems as well."""
    try:
        entries = read_entries(reply, "questions")
    except UnusableError as error:
        return ParsedReply(
            questions=(),
            problems=(Problem(index=None, reason=error.reason, detail=error.detail, excerpt=excerpt_of(reply.text)),),
        )
    read: list[ParsedQuestion] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        try:
            if index >= num_questions:
                raise UnusableError("surplus_question", f"Only {num_questions} questions were asked for.")
            read.append(_read_question(index, entry, document, template, seen))
        except UnusableError as error:
            problems.append(Problem(index=index, reason=error.reason, detail=error.detail, excerpt=excerpt_of(entry)))
    return ParsedReply(questions=tuple(read), problems=tuple(problems))


def read_entries(reply: ChatReply, name: str) -> list[Any]:
    """Return the list under `name` of a reply's JSON (or its top-level list).

    Raises:
        UnusableError: if there is no JSON, no such list, or nothing in it.
    """
    if not reply.text.strip():
        raise UnusableError("empty_reply", f"The teacher returned no text (finish reason '{reply.finish_reason[:40]}').")
    try:
        value = find_json(reply.text)
    except ValueError as error:
        cut = " It was cut off: raise teacher.max_tokens." if reply.finish_reason == "length" else ""
        raise UnusableError("unparsable_reply", f"The reply holds no JSON ({error}).{cut}") from error
    entries = value.get(name) if isinstance(value, dict) else value
    if not isinstance(entries, list):
        raise UnusableError("unparsable_reply", f"The reply's JSON has no list '{name}'.")
    if not 0 < len(entries) <= MAX_ENTRIES:
        raise UnusableError(
            "empty_reply" if not entries else "unparsable_reply", f"The list '{name}' has {len(entries)} entries."
        )
    return entries


def find_json(text: str) -> Any:
    """Return the JSON object or list in a text: the whole of it, in a code fence, or after some prose.

    Raises:
        ValueError: if there is none.
    """
    if len(text) > MAX_REPLY_CHARS:
        raise ValueError(f"{len(text)} characters are too many")
    for candidate in _candidates(text):
        try:
            value = candidate()
        except (ValueError, RecursionError):
            continue
        if isinstance(value, (dict, list)):
            return value
    raise ValueError("no JSON object or list could be read")


def _candidates(text: str) -> Iterator[Callable[[], Any]]:
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    yield functools.partial(decoder.decode, text.strip())
    for match in _FENCE.finditer(text):
        yield functools.partial(decoder.decode, match[1].strip())
    for number, match in enumerate(re.finditer(r"[{\[]", text)):
        if number >= _MAX_JSON_STARTS:
            return
        yield functools.partial(_decode_at, decoder, text, match.start())


def _decode_at(decoder: json.JSONDecoder, text: str, start: int) -> Any:
    value = decoder.raw_decode(text, start)[0]
    if not isinstance(value, dict):
        raise ValueError("a list amid prose is no reply")
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _read_question(index: int, entry: Any, document: Document, template: Template, seen: set[str]) -> ParsedQuestion:
    _check_schema(entry, template)
    question = " ".join(entry["question"].split())
    answer = entry.get("answer", "").strip()
    _check_question(question, seen)
    if "answer" in entry:
        check_text(answer, "answer", 1, MAX_ANSWER_CHARS)
    elif "." in document.title and document.title.casefold() in question.casefold():
        raise UnusableError("names_the_title", f"The question names '{document.title[:100]}', so it gives the answer away.")
    span = locate_quote(entry["quote"], document.text)
    seen.add(question.casefold())
    return ParsedQuestion(index=index, question=question, answer=answer, span=span)


def _check_schema(entry: Any, template: Template) -> None:
    error = next(_entry_validator(template).iter_errors(entry), None)
    if error is not None:
        raise UnusableError("invalid_entry", f"The entry does not fit the schema: {error.message[:200]}")


_VALIDATORS: dict[str, Any] = {}


def _entry_validator(template: Template) -> Any:
    """Return the validator of one entry of a template's list, built once."""
    if template.template_hash not in _VALIDATORS:
        assert template.schema is not None
        schema = template.schema["properties"]["questions"]["items"]
        _VALIDATORS[template.template_hash] = jsonschema.Draft202012Validator(schema)
    return _VALIDATORS[template.template_hash]


def _check_question(question: str, seen: set[str]) -> None:
    check_text(question, "question", MIN_QUESTION_CHARS, MAX_QUESTION_CHARS)
    if question.casefold() in seen:
        raise UnusableError("repeated_question", "The reply asks this question twice.")


def check_text(text: str, name: str, minimum: int, maximum: int) -> None:
    """Check the length and the characters of a text that is to be trained on. Raises UnusableError."""
    if not text:
        raise UnusableError(f"empty_{name}", f"The {name} is empty.")
    if len(text) < minimum:
        raise UnusableError(f"short_{name}", f"The {name} has {len(text)} characters; at least {minimum} are needed.")
    if len(text) > maximum:
        raise UnusableError(f"long_{name}", f"The {name} has {len(text)} characters; at most {maximum} are allowed.")
    bad = None if text.isprintable() else next(filter(_is_bad, text), None)
    if bad is not None:
        raise UnusableError("invalid_characters", f"The {name} holds the character U+{ord(bad):04X}.")


def _is_bad(character: str) -> bool:
    return (
        not character.isprintable() and character not in "\n\t" and unicodedata.category(character) in ("Cc", "Cs", "Cn", "Co")
    )


def locate_quote(quote: str, text: str) -> tuple[int, int]:
    """Return where a quote stands verbatim in a text; white space may differ, since replies break lines elsewhere.

    Raises:
        UnusableError: `quote_not_in_source`, or the quote is too short or long to prove anything.
    """
    words = quote.split()
    num_chars = sum(map(len, words))
    if not MIN_QUOTE_CHARS <= num_chars <= MAX_QUOTE_CHARS:
        raise UnusableError(
            "quote_not_in_source", f"The quote has {num_chars} characters: too few or too many to support anything."
        )
    stripped = quote.strip()
    start = text.find(stripped)
    if start >= 0:
        return start, start + len(stripped)
    match = re.search(r"\s+".join(map(re.escape, words)), text)
    if match is None:
        raise UnusableError("quote_not_in_source", "The quote does not stand in the document word for word.")
    return match.span()


def excerpt_of(value: Any) -> str:
    """Return at most 500 printable characters of what was dropped."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)[:2_000]
    return "".join(
        character if character in "\n\t" or character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text[:500]
    )
