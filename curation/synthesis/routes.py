"""Which part of an API a title belongs to, and which parts are easily mistaken for each other.

routing = RoutingConfig(routes={"strings": ("polars.Expr.str.*",), "expressions": ("polars.Expr.*",)})
route_of("polars.Expr.str.head", routing)           "strings"
answer_of("strings", routing)                       '{"part":"strings"}'
"""

import functools
import json
from fnmatch import fnmatchcase

from curation.config import check, config
from curation.ids import canonical_json, stable_fraction

MAX_QUESTIONS = 50

CONFUSION_WEIGHT = 4.0
"""How many times likelier a wrong label is drawn for each leading name that its patterns share with the right one's."""


@config
class RoutingConfig:
    """Questions whose answer is the part of the API that a document belongs to, as compact JSON: {"part":"strings"}."""

    routes: dict[str, tuple[str, ...]]
    """Label -> patterns (`*`, `?`, `[...]`) on the document's title, for packages the qualified name. The first to fit wins."""

    answer_key: str = "part"
    """Key of the answer's JSON object."""

    questions_per_document: int = 5
    """Questions that the teacher is asked for, for each document."""

    system_prompt: str = ""
    """System message of every example; empty: none."""

    def __post_init__(self) -> None:
        check(len(self.routes) >= 2, "routes", "needs at least two labels", list(self.routes))
        for label, patterns in self.routes.items():
            check(label.strip() == label and 0 < len(label) <= 64, "routes", "labels must be short names", label)
            check(bool(patterns) and all(patterns), f"routes.{label}", "needs at least one pattern", list(patterns))
        check(self.answer_key.strip() != "", "answer_key", "must not be empty", self.answer_key)
        number = self.questions_per_document
        check(1 <= number <= MAX_QUESTIONS, "questions_per_document", f"must lie in 1..{MAX_QUESTIONS}", number)


def route_of(title: str, routing: RoutingConfig) -> str | None:
    """Return the label of a title: the first in the recipe's order with a pattern that fits, or None."""
    for label, patterns in routing.routes.items():
        if any(fnmatchcase(title, pattern) for pattern in patterns):
            return label
    return None


def answer_of(label: str, routing: RoutingConfig) -> str:
    """Return the answer text of a label: compact canonical JSON."""
    return canonical_json({routing.answer_key: label})


def label_in(answer: str, routing: RoutingConfig) -> str | None:
    """Return the label that an answer names, or None if it is not the JSON of a declared label."""
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    label = value.get(routing.answer_key) if isinstance(value, dict) and len(value) == 1 else None
    return label if isinstance(label, str) and label in routing.routes else None


def wrong_labels(label: str, key: str, routing: RoutingConfig, *, seed: int) -> list[str]:
    """Return all other labels in the order in which they stand in as wrong answers for the row `key`.

    The order is a weighted draw by stable hash (Efraimidis and Spirakis, 2006): labels whose patterns begin alike come early.
    """

    def rank(other: str) -> float:
        similarity = _shared_names(routing.routes[label], routing.routes[other])
        fraction = stable_fraction(f"{key}\n{other}", f"wrong_route {seed}")
        return float(fraction ** (CONFUSION_WEIGHT**-similarity))

    return sorted((other for other in routing.routes if other != label), key=lambda other: (-rank(other), other))


@functools.cache
def _shared_names(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    return max(_num_shared(one, other) for one in first for other in second)


def _num_shared(one: str, other: str) -> int:
    number = 0
    for left, right in zip(one.split("."), other.split("."), strict=False):
        if left != right or not left.isidentifier():
            break
        number += 1
    return number
