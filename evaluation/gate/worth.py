"""Should we have fine-tuned at all? The candidate against the best that was to be had without training, in one sentence.

tuning_worth(comparison)
    Worth(verdict="pays", sentence="Fine-tuning pays: the candidate is 12.0 points ahead of the base with examples, ...")

For people: the gate decides against base and champion. Fine-tuning pays only if the candidate beats each of the others by both
paired tests, so no correction for their number is needed. A teacher is told beside: it may be better, and cost more. Who did
not answer every item (an endpoint was down, the budget used up) is left out and named: a missing answer counts as wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evaluation.gate.comparison import Comparison, Difference, Summary
from evaluation.gate.verdict import NAMES, amount, format_p
from evaluation.tasks.metrics import unit_of

WorthVerdict = Literal["pays", "does not pay", "not shown"]
_BEGINNINGS: dict[WorthVerdict, str] = {
    "pays": "Fine-tuning pays",
    "does not pay": "Fine-tuning does not pay",
    "not shown": "It is not shown that fine-tuning pays",
}
UNTUNED = ("base", "base_few_shot", "base_retrieval", "majority")
"""Who answers without having been trained by this recipe."""
TEACHER = "teacher"
CHEAP = ("base_few_shot", "base_retrieval")
"""What is tried before a training, and so has to be among the compared for an answer."""


@dataclass(frozen=True, kw_only=True)
class Worth:
    """Whether the training was worth it, on the release metric."""

    verdict: WorthVerdict
    against: str
    """The comparator that came closest to the candidate, or is furthest ahead of it; empty if none answered all items."""
    sentence: str


def tuning_worth(comparison: Comparison) -> Worth | None:
    """Return whether fine-tuning was worth it; None if nobody answered who was not trained."""
    asked = [item for item in comparison.differences if item.opponent in UNTUNED]
    if not asked:
        return None
    silent = {item.comparator: item for item in comparison.summaries if item.num_unanswered}
    left_out = "".join(_left_out(item) for name, item in silent.items() if name in (*UNTUNED, TEACHER))
    found = [item for item in asked if item.opponent not in silent]
    if not found:
        said = f"{_BEGINNINGS['not shown']}: nobody who was not trained has answered every item.{left_out}"
        return Worth(verdict="not shown", against="", sentence=said)
    ahead_of_us = [item for item in found if item.high < 0]
    unsure = [item for item in found if not _is_beaten(item, comparison.alpha)]
    told = min(ahead_of_us or unsure or found, key=lambda item: item.difference)
    verdict: WorthVerdict = "does not pay" if ahead_of_us else "not shown" if unsure else "pays"
    said = f"{_BEGINNINGS[verdict]}: {_standing(told)}.{_prices(comparison.summaries, told.opponent)}"
    teacher = comparison.against(TEACHER)
    if teacher is not None and TEACHER not in silent:
        standing = _standing(teacher)
        said += f" {standing[0].upper()}{standing[1:]}.{_prices(comparison.summaries, TEACHER)}"
    said += left_out + (_untried(comparison) if verdict == "pays" else "")
    return Worth(verdict=verdict, against=told.opponent, sentence=said)


def _left_out(item: Summary) -> str:
    return f" Left out: the {NAMES[item.comparator]}, which gave no answer to {item.num_unanswered} of {item.num_items} items."


def _is_beaten(item: Difference, alpha: float) -> bool:
    return item.low > 0 and max(item.p_value, item.group_p_value) < alpha


def _standing(item: Difference) -> str:
    unit = unit_of(item.metric)
    side = "ahead of" if item.difference >= 0 else "behind"
    apart = f"{amount(abs(item.difference), unit)} {side}" if item.difference else "level with"
    interval = f"interval {amount(item.low, unit)} to {amount(item.high, unit)}"
    p_value = format_p(max(item.p_value, item.group_p_value))
    return f"the candidate is {apart} the {NAMES[item.opponent]} ({interval}, p {p_value})"


def _prices(summaries: Sequence[Summary], opponent: str) -> str:
    """Return what both cost, as a sentence; empty where a price is not known."""
    price = {item.comparator: item.cost_per_1000_usd for item in summaries}
    ours, theirs = price.get("candidate"), price.get(opponent)
    if ours is None or theirs is None:
        return ""
    return f" 1,000 requests cost {ours:.4g} USD, and {theirs:.4g} with the {NAMES[opponent]}."


def _untried(comparison: Comparison) -> str:
    asked = {item.opponent for item in comparison.differences}
    missing = [NAMES[name] for name in CHEAP if name not in asked]
    return f" Not asked: {' and '.join(f'the {name}' for name in missing)}." if missing else ""
