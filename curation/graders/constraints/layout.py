r"""Checks of how an answer is laid out: lists, titles, placeholders, sections, its beginning and its end.

has_title("<<Rain>>\nIt falls.")        True
"""

import json
import re
from typing import Any

ANSWERS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
"""What an answer that is constrained to three choices must contain."""

_PLACEHOLDER = re.compile(r"\[[^\[\]\n]*\]")
_HIGHLIGHT = re.compile(r"\*([^\n*]*)\*")
_DOUBLE_HIGHLIGHT = re.compile(r"\*\*([^\n*]*)\*\*")
_FENCE = re.compile(r"\A```(?:json)?|```\Z", re.IGNORECASE)


def has_num_placeholders(text: str, *, num_placeholders: int) -> bool:
    """At least so many placeholders such as `[name]`."""
    return len(_PLACEHOLDER.findall(text)) >= num_placeholders


def has_postscript(text: str, *, postscript_marker: str) -> bool:
    """There is a postscript: the marker, its stops with or without a blank behind them."""
    letters = [re.escape(part) for part in postscript_marker.strip().lower().split(".")]
    return re.search(r"\.\s?".join(part for part in letters), text.lower()) is not None


def has_num_bullets(text: str, *, num_bullets: int) -> bool:
    """Exactly so many lines begin with `*` or `-`."""
    lines = [line.lstrip() for line in text.split("\n")]
    return sum(line[:1] == "-" or (line[:1] == "*" and line[1:2] != "*") for line in lines) == num_bullets


def has_constrained_answer(text: str) -> bool:
    """One of the three answers that are allowed stands in the text."""
    return any(answer in text for answer in ANSWERS)


def has_num_highlights(text: str, *, num_highlights: int) -> bool:
    """At least so many passages are highlighted with one or two asterisks."""
    single = sum(bool(part.strip()) for part in _HIGHLIGHT.findall(text))
    return single + sum(bool(part.strip()) for part in _DOUBLE_HIGHLIGHT.findall(text)) >= num_highlights


def has_num_sections(text: str, *, section_spliter: str, num_sections: int) -> bool:
    """At least so many sections begin with the word and a number, `Section 1`."""
    return len(re.findall(rf"{re.escape(section_spliter)}\s?\d+", text)) >= num_sections


def is_json(text: str) -> bool:
    """The whole text is JSON, in a code fence or not."""
    try:
        json.loads(_FENCE.sub("", text.strip()).strip(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def has_title(text: str) -> bool:
    """A line holds a title in double angular brackets, `<<title>>`."""
    for line in text.split("\n"):
        start, end = line.find("<<"), line.rfind(">>")
        if 0 <= start < end and line[start:end].strip("<> \t"):
            return True
    return False


def has_two_responses(text: str) -> bool:
    """Two different answers, with six asterisks between them."""
    parts = [part.strip() for part in text.split("******")]
    found = [part for part in parts if part]
    return all(parts[1:-1]) and len(found) == 2 and found[0] != found[1]


def repeats_prompt(text: str, *, prompt_to_repeat: str) -> bool:
    """The text begins with the request, word for word, whatever the case."""
    return text.strip().lower().startswith(prompt_to_repeat.strip().lower())


def ends_with(text: str, *, end_phrase: str) -> bool:
    """The text ends with a phrase, whatever the case, and nothing but a quotation mark behind it."""
    return text.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def is_quoted(text: str) -> bool:
    """The whole text stands in double quotation marks."""
    bare = text.strip()
    return len(bare) > 1 and bare[0] == bare[-1] == '"'


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
