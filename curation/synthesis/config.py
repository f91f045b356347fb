"""Which synthetic examples a teacher writes.

generate:
  routing:
    questions_per_document: 5
    routes: {strings: ["polars.Expr.str.*", "polars.Series.str.*"], io: ["polars.read_*", "polars.scan_*"]}
  pairs: {per_example: 1, kinds: [wrong_route, wrong_format]}
"""

from typing import Literal

from curation.config import check, config

PairKind = Literal["wrong_route", "wrong_format", "ungrounded"]

MAX_QUESTIONS = 50


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
        _check_count("questions_per_document", self.questions_per_document)


@config
class GroundedQaConfig:
    """Questions with an answer that a verbatim quote from the document supports."""

    questions_per_document: int = 3
    """Questions that the teacher is asked for, for each document."""

    system_prompt: str = ""
    """System message of every example; empty: none."""

    def __post_init__(self) -> None:
        _check_count("questions_per_document", self.questions_per_document)


@config
class PairsConfig:
    """Preference pairs: the example's answer against a plausible wrong one."""

    per_example: int = 1
    """Pairs made from each example."""

    kinds: tuple[PairKind, ...] = ("wrong_route", "wrong_format")
    """What may be wrong: `wrong_route` names another label, `wrong_format` is not the JSON that was asked for, `ungrounded` is
    an answer of the teacher that the source does not support. Kinds that do not fit an example are passed over."""

    def __post_init__(self) -> None:
        check(1 <= self.per_example <= 10, "per_example", "must lie in 1..10", self.per_example)
        distinct = 0 < len(self.kinds) == len(set(self.kinds))
        check(distinct, "kinds", "needs at least one kind, each once", list(self.kinds))


@config
class GenerateConfig:
    """What is generated from the documents; a method that is left out is not used."""

    routing: RoutingConfig | None = None
    """Questions that are routed to a part of the API."""

    grounded_qa: GroundedQaConfig | None = None
    """Questions answered from the document."""

    pairs: PairsConfig | None = None
    """Preference pairs from these examples and from the demonstrations."""

    seed: int = 0
    """Seed of the teacher's sampling and of every choice made here."""

    def __post_init__(self) -> None:
        kinds = self.pairs.kinds if self.pairs else ()
        needs_routing = "wrong_route" in kinds and self.routing is None
        check(not needs_routing, "pairs.kinds", "'wrong_route' needs a `routing` section, which holds the labels", list(kinds))
        needs_answers = "ungrounded" in kinds and self.grounded_qa is None
        check(not needs_answers, "pairs.kinds", "'ungrounded' needs a `grounded_qa` section", list(kinds))
        check(0 <= self.seed < 2**31, "seed", "must lie in 0..2147483647", self.seed)


def _check_count(name: str, value: int) -> None:
    check(1 <= value <= MAX_QUESTIONS, name, f"must lie in 1..{MAX_QUESTIONS}", value)
