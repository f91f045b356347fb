r"""What an answer claims, piece by piece: sentences of prose, lines of code, values of JSON, quotes with marks.

split_claims("Yes. It ships free.")      [Claim(start=0, end=4, text="Yes."), Claim(start=5, end=19, text="It ships free.")]
split_claims('{"part": "strings"}')      [Claim(start=1, end=18, text="strings", kind="value")]

Offsets are half-open characters of the answer. Time is linear in the text.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["sentence", "line", "value", "quote"]

_STOP = re.compile(
    r"(?<![.!?\u2026])[.!?\u2026]++[\"'\u2019\u201d)\]*_]{0,4}(?=\s)|[\u3002\uff01\uff1f]|\n{2,}|\n(?![ \t]{0,8}[a-z])|$"
)
"""Ends of sentences; a line that goes on in lower case was only wrapped."""
_NUMBERED = re.compile(r"\s*(?:[-*+>]\s+)?\d{1,3}\.")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:e\.g|i\.e|cf|vs|etc|approx|dr|mr|mrs|ms|prof|st|no|fig|sec|al|[a-z])\.$", re.IGNORECASE
)
_BULLET = re.compile(r"\s*(?:(?:[-*+>\u2022]|#{1,6}|\d{1,3}[.)])\s+)*")
_FENCE = re.compile(r"^ {0,3}(```+|~~~+)[^\n]*\n(.*?)(?:^ {0,3}\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_QUOTE = re.compile(r'<quote(?: document="\d{1,4}")?>((?:(?!<quote\b).)*?)</quote>', re.DOTALL)
_JSON = re.compile(r'"(?:[^"\\]|\\.)*"|[-+.\w]+|[{}\[\],:]')
_CODE_LINE = re.compile(
    r"\s*(?:(?:def|class|function|func|fn|import|from|return|const|let|var|public|private|async|await|#include|using)\b.*[\w;:{})\"']"
    r"|(?:if|for|while|elif|else|try|except|switch)\b.*[:{]|[\w.\[\]\"']+\s*(?:[-+*/|&]?=|:=)\s*\S.*|[\w.]+\(.*\)[;,]?|[)}\]]+[;,]?"
    r"|(?:SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|JOIN)\b.*|@\w+.*|\$ .*)\s*$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A piece of an answer that its sources support or do not."""

    start: int
    end: int
    text: str
    """What is claimed: `answer[start:end]`, but for a JSON value (its text without key and escapes) and a quote (no marks)."""
    kind: Kind = "sentence"


def split_claims(answer: str) -> list[Claim]:
    """Return the claims of an answer, in order and without overlaps; blank pieces make no claim."""
    if answer.lstrip()[:1] in ("{", "[") and _is_json(answer):
        return list(_values(answer))
    claims: list[Claim] = []
    at = 0
    for block in _FENCE.finditer(answer):
        claims += [*_prose(answer, at, block.start()), *_lines(answer, block.start(2), block.end(2))]
        at = block.end()
    return [*claims, *(_lines if _is_code(answer[at:]) else _prose)(answer, at, len(answer))]


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


def _is_code(text: str) -> bool:
    lines = [line for line in text[:20_000].split("\n") if line.strip()]
    return len(lines) > 0 and 2 * sum(_CODE_LINE.match(line) is not None for line in lines) > len(lines)


def _values(answer: str) -> Iterator[Claim]:
    """Yield the values of a JSON text, each from its key on."""
    tokens = [match for match in _JSON.finditer(answer) if match[0] not in "{}[],"]
    key_start: int | None = None
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if following is not None and following[0] == ":":
            key_start = token.start()
        elif token[0] != ":":
            text = str(json.loads(token[0])) if token[0].startswith('"') else token[0]
            start = token.start() if key_start is None else key_start
            yield Claim(start=start, end=token.end(), text=text, kind="value")
            key_start = None


def _lines(answer: str, start: int, end: int) -> Iterator[Claim]:
    for line in answer[start:end].split("\n"):
        if line.strip():
            first = start + len(line) - len(line.lstrip())
            yield Claim(start=first, end=first + len(line.strip()), text=line.strip(), kind="line")
        start += len(line) + 1


def _prose(answer: str, start: int, end: int) -> Iterator[Claim]:
    for quote in _QUOTE.finditer(answer, start, end):
        yield from _sentences(answer, start, quote.start())
        yield Claim(start=quote.start(), end=quote.end(), text=quote[1], kind="quote")
        start = quote.end()
    yield from _sentences(answer, start, end)


def _sentences(answer: str, start: int, end: int) -> Iterator[Claim]:
    for first, last in sentence_spans(answer[start:end]):
        yield Claim(start=start + first, end=start + last, text=answer[start + first : start + last])


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the sentences of a text stand; marks of a list or heading before one do not belong to it."""
    start = 0
    for stop in _STOP.finditer(text):
        before = text[max(start, stop.end() - 12) : stop.end()]
        goes_on = _ABBREVIATION.search(before) or _NUMBERED.fullmatch(text, start, stop.end())
        if goes_on and stop.end() < len(text) and not stop[0].startswith("\n"):
            continue
        bullet = _BULLET.match(text, start, stop.end())
        first = bullet.end() if bullet else start
        piece = text[first : stop.end()]
        if piece.strip():
            yield first + len(piece) - len(piece.lstrip()), first + len(piece.rstrip())
        start = stop.end()
