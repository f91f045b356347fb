"""What a model has lost against its base: one verdict an area, by a paired test for non-inferiority, and one over all.

    found = judge_forgetting(items, results, base="base_model", model="sft_model", config=ForgettingConfig())
    found.verdict, found.reason      ("fail", "Area facts: 91.0 % right before, 24.0 % after (-67.0 points, ...).")

Where the base is clearly above chance, by more than the margin, the share of right answers is judged. Where it is not, right
answers cannot tell what is lost, and the log-likelihood of the reference is judged, in nats a byte, which is more sensitive.
Where the base finds the references hardly likelier than tokens drawn at random (it saves less than a tenth of the nats), there
is nothing to forget, and the area says so.
"""

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from curation.errors import EvaluationError
from curation.graders.registry import GRADERS
from curation.records import record_hash
from evaluation.forgetting.config import AREAS, ForgettingConfig
from evaluation.forgetting.records import ProbeResult, SuiteItem
from evaluation.statistics import Interval, non_inferiority, paired_bootstrap

AreaVerdict = Literal["pass", "fail", "undecided", "nothing_to_forget"]
Verdict = Literal["pass", "fail", "undecided"]
LEAST_SAVED = 0.1
"""Share of the nats of random tokens that a base has to save for there to be something to forget."""
CHANCE_LEVEL = 0.05
"""Largest probability of the base's right answers by chance at which it counts as above chance."""


@dataclass(frozen=True, kw_only=True)
class AreaResult:
    """One area: what was judged, and everything else that was measured."""

    area: str
    verdict: AreaVerdict
    measure: Literal["accuracy", "loss"]
    """What was judged; loss: nats a byte of the reference."""
    difference: float
    """Model minus base for accuracy, base minus model for loss: below 0 something was lost."""
    low: float
    """One-sided bounds of the difference, each at level alpha."""
    high: float
    p_value: float
    """Of "it lost the margin or more"."""
    margin: float
    num_items: int
    chance: float
    base_accuracy: float
    accuracy: float
    base_loss: float
    loss: float
    num_unread: int = 0
    """Items that the base reads and that do not fit into the model's context: what is left does not show a pass."""

    @property
    def sentence(self) -> str:
        """What happened, for people."""
        if self.verdict == "nothing_to_forget":
            return f"Area {self.area}: the base knows nothing of it, so there is nothing to forget."
        if self.measure == "accuracy":
            change = f"{self.base_accuracy:.1%} right before, {self.accuracy:.1%} after"
        else:
            change = f"{self.base_loss:.3f} nats a byte before, {self.loss:.3f} after (the base is near chance here)"
        bounds = f"difference {self.difference:+.3f}, between {self.low:+.3f} and {self.high:+.3f}; {self.margin:g} may be lost"
        unread = (
            f"; {self.num_unread} more do not fit into its context, and did into that of the base" if self.num_unread else ""
        )
        return f"Area {self.area}: {change} ({bounds}; {self.num_items} items{unread})."


@dataclass(frozen=True, kw_only=True)
class ForgettingResult:
    """All areas of one model."""

    model: str
    model_hash: str
    base_hash: str
    areas: tuple[AreaResult, ...]
    num_unmeasured: int
    """Items that did not fit into the context of base or model."""

    @property
    def verdict(self) -> Verdict:
        """`fail` if any area fails, else `undecided` if any is, else `pass`."""
        found = {area.verdict for area in self.areas}
        if "fail" in found:
            return "fail"
        return "undecided" if "undecided" in found or not found else "pass"

    @property
    def reason(self) -> str:
        """The sentences of the areas that are not passed, or one that all are."""
        bad = [area for area in self.areas if area.verdict == self.verdict]
        if self.verdict == "pass":
            known = [area.area for area in self.areas if area.verdict == "pass"]
            unknown = [area.area for area in self.areas if area.verdict != "pass"]
            kept = f"Nothing was forgotten of {', '.join(known)}." if known else ""
            rest = f"The base knows nothing of {', '.join(unknown)}." if unknown else ""
            return f"{kept} {rest}".strip()
        return " ".join(area.sentence for area in bad) or "No area was measured."

    def is_allowed(self, config: ForgettingConfig) -> bool:
        """Tell whether the recipe lets a model with this result be released."""
        return self.verdict == "pass" or (self.verdict == "undecided" and config.undecided == "pass")


class _Paired(NamedTuple):
    """One item that both models were measured on."""

    item: SuiteItem
    base: ProbeResult
    model: ProbeResult


def judge_forgetting(
    items: Sequence[SuiteItem], results: Iterable[ProbeResult], *, base: str, model: str, config: ForgettingConfig
) -> ForgettingResult:
    """Compare a model with its base, area by area.

    Raises:
        EvaluationError: if results are missing, belong to other items, are no numbers, or stem from several models.
    """
    by_model = _by_model(results)
    hashes = {name: _single_hash(name, list(by_model.get(name, {}).values())) for name in (base, model)}
    paired = [_pair(item, by_model[base], by_model[model]) for item in items]
    measured = [pair for pair in paired if pair.base.log_likelihoods and pair.model.log_likelihoods]
    names = {item.area for item in items}
    ordered = (*(area for area in AREAS if area in names), *sorted(names - set(AREAS)))
    return ForgettingResult(
        model=model,
        model_hash=hashes[model],
        base_hash=hashes[base],
        areas=tuple(_judge_area(area, [pair for pair in paired if pair.item.area == area], config) for area in ordered),
        num_unmeasured=len(paired) - len(measured),
    )


def is_right(item: SuiteItem, result: ProbeResult) -> bool:
    """Tell whether an item is right: the reference likelier a byte than every distractor, or the answer graded right."""
    if item.kind == "generate":
        return _graded(item.grader, result.answer, item.grading)
    if item.kind == "text":
        return False  # a text has no right answer
    scores = [value / max(size, 1) for value, size in zip(result.log_likelihoods, result.num_bytes, strict=True)]
    return bool(scores) and all(scores[0] > other for other in scores[1:])


def _is_same(base: ProbeResult, model: ProbeResult) -> bool:
    return (base.log_likelihoods, base.answer) == (model.log_likelihoods, model.answer)


def loss_of(result: ProbeResult) -> float:
    """Return the loss on the reference in nats a byte."""
    return -result.log_likelihoods[0] / max(result.num_bytes[0], 1)


@functools.lru_cache(maxsize=16384)
def _graded(grader: str, answer: str, grading: str) -> bool:
    return GRADERS[grader](answer, grading).is_right


def _by_model(results: Iterable[ProbeResult]) -> dict[str, dict[str, ProbeResult]]:
    found: dict[str, dict[str, ProbeResult]] = {}
    for result in results:
        mine = found.setdefault(result.model, {})
        if result.item_key in mine:
            raise EvaluationError(reason=f"'{result.model}' was measured twice on the item '{result.item_key}'.")
        mine[result.item_key] = result
    return found


def _single_hash(name: str, results: Sequence[ProbeResult]) -> str:
    hashes = {result.model_hash for result in results}
    if len(hashes) != 1:
        raise EvaluationError(reason=f"the forgetting probe of '{name}' stems from {len(hashes)} models.")
    return hashes.pop()


def _pair(item: SuiteItem, base: Mapping[str, ProbeResult], model: Mapping[str, ProbeResult]) -> _Paired:
    for results in (base, model):
        found = results.get(item.key)
        if found is None or found.item_hash != record_hash(item):
            raise EvaluationError(reason=f"the forgetting probe lacks the item '{item.key}' as it stands in the suite.")
        texts = (item.reference, *item.distractors)
        is_whole = found.num_bytes == tuple(len(text.encode()) for text in texts) and len(found.log_likelihoods) == len(texts)
        if found.log_likelihoods and not (is_whole and all(-math.inf < value <= 0 for value in found.log_likelihoods)):
            raise EvaluationError(reason=f"the forgetting probe of '{found.key}' holds what is no log-likelihood.")
    return _Paired(item, base[item.key], model[item.key])


def _judge_area(area: str, pairs: Sequence[_Paired], config: ForgettingConfig) -> AreaResult:
    measured = [pair for pair in pairs if pair.base.log_likelihoods and pair.model.log_likelihoods]
    read_by_base = [pair for pair in pairs if pair.base.log_likelihoods]
    num_unread = len(read_by_base) - len(measured)
    found = _judge_measured(area, measured, config)
    is_known = found.verdict == "nothing_to_forget" and _knows_something(read_by_base, config)
    is_open = num_unread > 0 and (found.verdict == "pass" or is_known)  # what is not read may be forgotten
    return replace(found, num_unread=num_unread, verdict="undecided" if is_open else found.verdict)


def _judge_measured(area: str, pairs: Sequence[_Paired], config: ForgettingConfig) -> AreaResult:
    right = [(is_right(pair.item, pair.base), is_right(pair.item, pair.model)) for pair in pairs]
    losses = [(loss_of(pair.base), loss_of(pair.model)) for pair in pairs]
    chance = _mean([pair.item.chance for pair in pairs])
    base_accuracy, accuracy = _mean([float(one) for one, _ in right]), _mean([float(other) for _, other in right])
    is_text = all(pair.item.kind == "text" for pair in pairs)
    can_tell = not is_text and base_accuracy - chance > config.margin_of(area, is_loss=False) and _is_above_chance(pairs, right)
    measure: Literal["accuracy", "loss"] = "accuracy" if can_tell else "loss"
    margin = config.margin_of(area, is_loss=not can_tell)
    differences = [float(other) - float(one) for one, other in right] if can_tell else [one - other for one, other in losses]
    groups = [pair.item.group for pair in pairs]
    bounds = paired_bootstrap(
        differences, groups, samples=config.bootstrap_samples, confidence=1 - 2 * config.alpha, seed=config.seed
    )
    is_same = all(_is_same(pair.base, pair.model) for pair in pairs)  # the same function here: nothing is left to chance
    p_value = 0.0 if is_same else non_inferiority(differences, groups, margin)
    knows = can_tell or _knows_something(pairs, config)
    return AreaResult(
        area=area,
        verdict=_verdict(len(set(groups)), len(pairs), bounds, p_value, margin, config) if knows else "nothing_to_forget",
        measure=measure,
        difference=_mean(differences),
        low=bounds.low,
        high=bounds.high,
        p_value=p_value,
        margin=margin,
        num_items=len(pairs),
        chance=chance,
        base_accuracy=base_accuracy,
        accuracy=accuracy,
        base_loss=_mean([one for one, _ in losses]),
        loss=_mean([other for _, other in losses]),
    )


def _verdict(
    num_groups: int, num_items: int, bounds: Interval, p_value: float, margin: float, config: ForgettingConfig
) -> AreaVerdict:
    if num_items < config.minimum_items or num_groups < 2:
        return "undecided"
    if bounds.high <= -margin:
        return "fail"
    return "pass" if bounds.low > -margin and p_value < config.alpha else "undecided"


def _is_above_chance(pairs: Sequence[_Paired], right: Sequence[tuple[bool, bool]]) -> bool:
    """Test the base's right answers against guessing, exactly: a sum of draws with different chances (Poisson-binomial)."""
    counts = np.ones(1)
    for pair in pairs:
        counts = np.convolve(counts, [1 - pair.item.chance, pair.item.chance])
    hits = sum(one for one, _ in right)
    return float(counts[hits:].sum()) < CHANCE_LEVEL


def _knows_something(pairs: Sequence[_Paired], config: ForgettingConfig) -> bool:
    """Tell whether the base may save a tenth or more of the nats of tokens drawn at random.

    A model that was never trained saves some too, by luck: the same few tokens stand in many references.
    """
    if not pairs:
        return True
    drawn = [pair.base.num_tokens * math.log(max(pair.base.vocabulary, 2)) / max(pair.base.num_bytes[0], 1) for pair in pairs]
    gains = [uniform - loss_of(pair.base) for uniform, pair in zip(drawn, pairs, strict=True)]
    confidence, groups = 1 - 2 * config.alpha, [pair.item.group for pair in pairs]
    bounds = paired_bootstrap(gains, groups, samples=config.bootstrap_samples, confidence=confidence, seed=config.seed)
    return bounds.high > LEAST_SAVED * _mean(drawn)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
