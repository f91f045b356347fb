r"""Metrics of task files, for one document and for all.

score_choices(scores, ["hot", "a stone"], gold=[0], names=("acc", "acc_norm"))        {"acc": 1.0, "acc_norm": 1.0}
exact_match("42.", ["42"], {"regexes_to_ignore": ["\\.$"]})                             1.0
summarize("bits_per_byte", [(-120.0, 40.0), (-80.0, 41.0)])                         3.56

Definitions: lm-evaluation-harness 0.4 (`api/task.py`, `api/metrics.py`): `acc_norm` divides by characters, `acc_bytes` by
bytes; the first of equal choices wins; `perplexity` is over documents, the others weigh by words or bytes.
"""

import math
import string
from collections.abc import Iterable, Sequence
from typing import Any

import regex

from evaluation.answering.likelihood import ChoiceLikelihood
from evaluation.harness_tasks.templates import REGEX_SECONDS

CHOICE_METRICS = ("acc", "acc_norm", "acc_bytes", "exact_match")
LIKELIHOOD_METRICS = ("acc", "perplexity")
ROLLING_METRICS = ("word_perplexity", "byte_perplexity", "bits_per_byte")
KNOWN = {
    "multiple_choice": CHOICE_METRICS,
    "generate_until": ("exact_match",),
    "loglikelihood": LIKELIHOOD_METRICS,
    "loglikelihood_rolling": ROLLING_METRICS,
}
LOWER_IS_BETTER = frozenset({"perplexity", *ROLLING_METRICS})


def score_choices(
    scores: Sequence[ChoiceLikelihood], choices: Sequence[str], *, gold: Sequence[int], names: Iterable[str]
) -> dict[str, float]:
    """Return the metrics of one document.

    Args:
        scores: of the choices.
        choices: their texts, without the delimiter.
        gold: numbers of the right ones; a number that no choice has is never right.
        names: of the metrics.
    """
    values = [score.log_likelihood for score in scores]
    best = {
        "acc": _first_best(values),
        "acc_norm": _first_best([_share(value, len(text)) for value, text in zip(values, choices, strict=True)]),
        "acc_bytes": _first_best([_share(value, len(text.encode())) for value, text in zip(values, choices, strict=True)]),
    }
    found = {name: float(choice in gold) for name, choice in best.items()}
    found["exact_match"] = float(any(scores[number].is_greedy for number in gold if 0 <= number < len(scores)))
    return {name: found[name] for name in names}


def exact_match(text: str, references: Sequence[str], settings: dict[str, Any]) -> float:
    """Return 1.0 if the text is one of the references after what is to be ignored has been taken out of both.

    Raises:
        TimeoutError: a pattern takes too long on this text.
    """
    return float(_plain(text, settings) in [_plain(reference, settings) for reference in references])


def summarize(name: str, values: Sequence[tuple[float, float]]) -> float:
    """Return a metric over all documents.

    Args:
        name: of the metric.
        values: value and weight of each document; for perplexities the value is a log-likelihood in nats.
    """
    total, weight = math.fsum(value for value, _ in values), math.fsum(weight for _, weight in values)
    if weight == 0:
        return math.nan
    mean = total / weight
    if name in ("perplexity", "word_perplexity", "byte_perplexity"):
        return math.exp(min(-mean, 700.0))
    return -mean / math.log(2) if name == "bits_per_byte" else mean


def _plain(text: str, settings: dict[str, Any]) -> str:
    for pattern in settings.get("regexes_to_ignore") or ():
        text = regex.sub(pattern, "", text, timeout=REGEX_SECONDS)
    if settings.get("ignore_case"):
        text = text.lower()
    dropped = (string.punctuation if settings.get("ignore_punctuation") else "") + (
        string.digits if settings.get("ignore_numbers") else ""
    )
    return text.translate(str.maketrans("", "", dropped))


def _share(value: float, length: int) -> float:
    return value / length if length else -math.inf


def _first_best(values: Sequence[float]) -> int:
    return max(range(len(values)), key=lambda number: (values[number], -number))
