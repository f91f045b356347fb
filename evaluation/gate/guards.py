"""What else the candidate has to show: further metrics that it wins, and tasks and slices on which it does not lose.

check_guards(table, config, release)
    (GuardResult(metric="exact_match", slice="topic=dates", verdict="fail", reason="The candidate is 12.0 points behind the base
     on exact match in the slice topic=dates ...", ...),)

A guard holds if the candidate is shown to be no worse than the margin (interval and non-inferiority test). It is hurt if the
candidate is behind by the margin or more and the loss is no chance, with p-values corrected for the number of guards (Holm).
All guards have to hold, so that needs no correction; naming a loss among many slices does. A slice that the recipe names by its
value and that has too few items is undecided; found among the values of a slice, it is shown and decides nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from curation.errors import EvaluationError
from evaluation.config import EvaluationConfig
from evaluation.gate.paired import hold_p_value, mean_of, measure_scores
from evaluation.gate.score_table import ScoreTable
from evaluation.gate.verdict import Measured, Verdict, amount, describe_standing, format_p, judge
from evaluation.records import Score
from evaluation.release.config import ReleaseConfig
from evaluation.release.requirements import GuardConfig, RequirementConfig
from evaluation.statistics import holm
from evaluation.tasks.metrics import title_of, unit_of

LOSS_ALPHA = 0.05
"""Chance of naming a loss, or any of several, where there is none."""


@dataclass(frozen=True, kw_only=True)
class GuardResult:
    """The candidate on one metric of one task, over all its items or one slice of them."""

    metric: str
    task: str
    slice: str
    """`NAME=VALUE`; empty for all items."""
    opponent: str
    candidate_mean: float
    opponent_mean: float
    difference: float
    """More is better for the candidate."""
    low: float
    high: float
    p_value: float
    """Two-sided, of no difference; corrected for being one of several (Holm)."""
    hold_p_value: float
    """One-sided, of being worse by the margin or more; 1 where the candidate has to win."""
    required: float
    """What the lower bound of the difference has to exceed: minus the margin of a guard."""
    num_items: int
    detectable_effect: float
    decisive: bool
    """Whether the verdict depends on it; of all values of a slice, those with too few items only inform."""
    verdict: Verdict
    reason: str


class _Place(NamedTuple):
    """What a guard is about, with the scores there."""

    task: str
    slice: str
    opponent: str
    ours: Sequence[Score]
    theirs: Sequence[Score]
    seen: Measured


def check_requirements(
    table: ScoreTable, config: EvaluationConfig, release: ReleaseConfig
) -> tuple[tuple[GuardResult, ...], list[Measured]]:
    """Return the verdict on every further metric that has to be won, and what was measured, for the common correction.

    Raises:
        EvaluationError: a task, metric or slice was not measured.
    """
    places = [_place(table, config, each, each.slice, "base") for each in release.requires]
    if not places:
        return (), []
    main = table.task_of(release.task).name
    rows = [table.rows(name, main, release.metric) for name in ("candidate", "base")]
    first = measure_scores(rows[0], rows[1], config)
    corrected = holm([first.largest_p, *(place.seen.largest_p for place in places)])[1:]
    results = [
        _require(each, place, p_value, release)
        for each, place, p_value in zip(release.requires, places, corrected, strict=True)
    ]
    return tuple(results), [place.seen for place in places]


def check_guards(table: ScoreTable, config: EvaluationConfig, release: ReleaseConfig) -> tuple[GuardResult, ...]:
    """Return the verdict on everything that must not become worse.

    Raises:
        EvaluationError: a task, metric or slice was not measured.
    """
    pairs = [(each, place) for each in release.guards for place in _places(table, config, each)]
    enough = [not place.slice or place.seen.num_items >= each.minimum_items for each, place in pairs]
    corrected = iter(holm([place.seen.largest_p for (_, place), counts in zip(pairs, enough, strict=True) if counts]))
    return tuple(
        _guard(each, place, next(corrected) if counts else 1.0, config, release, is_enough=counts)
        for (each, place), counts in zip(pairs, enough, strict=True)
    )


def _places(table: ScoreTable, config: EvaluationConfig, guard: GuardConfig) -> list[_Place]:
    opponent = guard.against if guard.against in table.comparators else "base"
    if not guard.slice or "=" in guard.slice:
        return [_place(table, config, guard, guard.slice, opponent)]
    values = table.slices_of(table.task_of(guard.task).name, guard.slice)
    if not values:
        raise EvaluationError(reason=f"a guard is about the slice '{guard.slice}', and no item has it.")
    return [_place(table, config, guard, value, opponent) for value in values]


def _place(
    table: ScoreTable, config: EvaluationConfig, about: GuardConfig | RequirementConfig, value: str, opponent: str
) -> _Place:
    task = table.task_of(about.task).name
    ours, theirs = [table.rows(name, task, about.metric, value) for name in ("candidate", opponent)]
    if not ours:
        raise EvaluationError(reason=f"a guard is about the slice '{value}', and no item has it.")
    return _Place(task, value, opponent, ours, theirs, measure_scores(ours, theirs, config))


def _require(each: RequirementConfig, place: _Place, p_value: float, release: ReleaseConfig) -> GuardResult:
    verdict, reason = judge("base", place.seen, each.minimum_difference, release, metric=each.metric, p_value=p_value)
    told = f"On {_where(each.metric, place)}: {reason[0].lower()}{reason[1:]}"
    required = each.minimum_difference
    return _result(each.metric, place, required, release, p_value, 1.0, decisive=True, verdict=verdict, reason=told)


def _guard(
    guard: GuardConfig, place: _Place, p_value: float, config: EvaluationConfig, release: ReleaseConfig, *, is_enough: bool
) -> GuardResult:
    seen, unit = place.seen, unit_of(guard.metric)
    hold_p = hold_p_value(place.ours, place.theirs, guard.margin, seen.interval)
    standing = describe_standing(place.opponent, seen, unit, where=f" on {_where(guard.metric, place)}")
    margin = f"the margin is {amount(guard.margin, unit)}"
    is_lost = seen.interval.high <= -guard.margin or (seen.difference <= -guard.margin and p_value < LOSS_ALPHA)
    verdict: Verdict = "undecided"
    is_named = "=" in guard.slice
    if is_named and not is_enough:
        least = f"a guard on one slice needs {guard.minimum_items} (`minimum_items`)"
        reason = (
            f"{standing}, which {seen.num_items} items cannot decide: {least}. Add held-out rows, or set `on_undecided: allow`."
        )
    elif is_lost:
        verdict, reason = "fail", f"{standing} (p {format_p(p_value)}, {seen.num_items} items); {margin}."
    elif seen.interval.low > -guard.margin and hold_p < (1 - config.confidence) / 2:
        verdict, reason = "pass", f"{standing} ({seen.num_items} items); {margin}."
    else:
        low = amount(max(0.0, -seen.interval.low), unit)
        reason = f"{standing}, and a loss of {low} cannot be ruled out with {seen.num_items} items; {margin}."
    counts = (is_enough or is_named) and (verdict != "undecided" or guard.on_undecided == "block")
    return _result(
        guard.metric, place, -guard.margin, release, p_value, hold_p, decisive=counts, verdict=verdict, reason=reason
    )


def _where(metric: str, place: _Place) -> str:
    named = f"{title_of(metric)} of the task {place.task}"
    return f"{named} in the slice {place.slice}" if place.slice else named


def _result(
    metric: str, place: _Place, required: float, release: ReleaseConfig, p_value: float, hold_p_value: float, **decided: object
) -> GuardResult:
    seen = place.seen
    return GuardResult(
        metric=metric,
        task=place.task,
        slice=place.slice,
        opponent=place.opponent,
        candidate_mean=mean_of(place.ours),
        opponent_mean=mean_of(place.theirs),
        difference=seen.difference,
        low=seen.interval.low,
        high=seen.interval.high,
        p_value=p_value,
        hold_p_value=hold_p_value,
        required=required,
        num_items=seen.num_items,
        detectable_effect=seen.detectable(release.alpha),
        **decided,  # type: ignore[arg-type]
    )
