"""Whether the reference of a verifiable task stands in its quote, and whether its question gives it away.

stands_in_quote("exact", "with_columns", "Use `with_columns` to add a column.")     True
stands_in_quote("number", "1234", "It weighs 1,234 kg.")                            True
is_given_away("number", "7", "Is it 7 or 8?")                                       True
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from curation.graders.exact import fold_answer
from curation.graders.number import find_number, read_number
from curation.synthesis.parse import UnusableError
from curation.synthesis.prompts.reasoning import Kind

MAX_REFERENCE_CHARS = 1_000
_NUMBERS = re.compile(r"\d[\d.,]*")


def read_reference(kind: Kind, text: str) -> str:
    """Return a reference as the graders want it. Raises UnusableError for one that cannot be graded."""
    text = text.strip()
    if not 0 < len(text) <= MAX_REFERENCE_CHARS:
        raise UnusableError("no_reference", f"The answer has {len(text)} characters.")
    if kind == "number":
        number = find_number(text)
        if read_number(number) is None or len(_NUMBERS.findall(text)) != len(_NUMBERS.findall(number)):
            raise UnusableError("no_reference", f"The answer '{text[:100]}' is not one number.")
        return number
    if kind == "json" and not _leaves_of(text):
        raise UnusableError("no_reference", "The answer is no JSON object with values in it.")
    if not any(character.isalnum() for character in text):
        raise UnusableError("no_reference", "The answer holds nothing but punctuation.")
    return text


def stands_in_quote(kind: Kind, reference: str, quote: str) -> bool:
    """Tell whether a reference, or every value in a JSON one, stands word for word (numbers: by value) in a quote."""
    if kind == "json":
        leaves = _leaves_of(reference)
        return bool(leaves) and all(_has(leaf, quote) for leaf in leaves)
    return _has_number(reference, quote) if kind == "number" else _has_text(reference, quote)


def is_given_away(kind: Kind, reference: str, question: str) -> bool:
    """Tell whether a question holds its answer; the choices of a multiple-choice question do not count."""
    return kind != "json" and stands_in_quote(kind, reference, question)


def _has(leaf: Any, quote: str) -> bool:
    if isinstance(leaf, bool) or leaf is None:
        return False  # nothing in a text says `true` word for word
    return _has_text(leaf, quote) if isinstance(leaf, str) else _has_number(str(leaf), quote)


def _has_number(number: str, text: str) -> bool:
    wanted = read_number(find_number(number))
    found = (read_number(match[0].rstrip(".,")) for match in re.finditer(r"-?\d[\d.,]*(?:/\d+)?", text))
    return wanted is not None and any(value in (wanted, -abs(wanted)) for value in found)  # "10-20" holds 20


def _has_text(part: str, text: str) -> bool:
    wanted, folded = fold_answer(part), " ".join(text.casefold().split())
    start = r"(?<!\w)" if wanted[:1].isalnum() else ""
    end = r"(?!\w)" if wanted[-1:].isalnum() else ""
    return wanted != "" and re.search(f"{start}{re.escape(wanted)}{end}", folded) is not None


def _leaves_of(text: str) -> list[Any]:
    """Return the values in a JSON object, or nothing if the text is none."""
    try:
        value = json.loads(text)
        return list(_walk(value)) if isinstance(value, dict) else []
    except (ValueError, RecursionError):
        return []


def _walk(value: Any) -> Iterator[Any]:
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _walk(item)
    else:
        yield value
