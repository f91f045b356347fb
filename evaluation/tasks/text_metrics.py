"""How alike two texts are: exact match, JSON validity and token F1, each in [0, 1].

exact_match('{"part":"strings"}', ' {"part": "strings"} ')   1.0, since both sides are JSON and mean the same
token_f1("the strings part", "strings")                      0.67

Answers are hostile input: nothing that a model writes makes one of these raise.
"""

import json
import re
from collections import Counter
from typing import Any

from curation.ids import canonical_json

ARTICLES = frozenset({"a", "an", "the"})
_WORD = re.compile(r"\w+")


def exact_match(reference: str, answer: str) -> float:
    """Return 1 if both are JSON of the same meaning, or otherwise the same words but for case and white space."""
    left, right = canonical_answer(reference), canonical_answer(answer)
    if left is None or right is None:
        return float(_normalise(reference) == _normalise(answer))
    return float(left == right)


def json_valid(answer: str) -> float:
    """Return 1 if the answer is one JSON value (no repeated keys, no NaN, no number too large to read)."""
    return float(canonical_answer(answer) is not None)


def canonical_answer(text: str) -> str | None:
    """Return the canonical JSON of an answer, or None if it cannot be read as JSON."""
    try:
        parsed = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse, parse_float=_number)
        return canonical_json(parsed)
    except (ValueError, RecursionError, MemoryError):
        return None


def token_f1(reference: str, answer: str) -> float:
    """Return the harmonic mean of precision and recall over words (as in SQuAD: no case, punctuation or articles)."""
    wanted, given = Counter(words_of(reference)), Counter(words_of(answer))
    if not wanted or not given:
        return float(wanted == given)
    shared = sum((wanted & given).values())
    return 2 * shared / (wanted.total() + given.total())


def words_of(text: str) -> list[str]:
    """Return the words of a text: no case, no punctuation, no articles."""
    return [word for word in _WORD.findall(text.casefold()) if word not in ARTICLES]


def _normalise(text: str) -> str:
    return " ".join(text.split()).casefold()


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("repeated key")
    return dict(pairs)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _number(text: str) -> int | float:
    number = float(text)
    if number != number or abs(number) == float("inf"):
        raise ValueError(f"{text} is too large")
    return int(number) if number.is_integer() else number
