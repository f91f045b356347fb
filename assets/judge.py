"""How far the recipe's judge agrees with people, wherever both have said something about a row, and whether it may advise."""

from typing import Any

import dagster as dg

from assets.curated import read_rows
from assets.presentation import displayable
from assets.recipe import Recipe
from curation.home import Home
from curation.judging.config import JudgeConfig
from curation.judging.interval import Estimate
from curation.judging.people import Agreement, advice_allowed, agree_on_rows
from curation.records import ReviewItem
from curation.review.queue import open_queue

CHECK = "judge_agrees_with_people"


def build_checks(recipe: Recipe, condition: dg.AutomationCondition[Any] | None = None) -> list[dg.AssetChecksDefinition]:
    """Return the check of a recipe that has a judge."""
    return [_agreement_check(recipe, recipe.judge, condition)] if recipe.judge is not None else []


def judge_agreement(recipe: Recipe, home: Home, config: JudgeConfig) -> Agreement:
    """Compare the votes in the newest curated examples with the verdicts that people gave on them."""
    store = home.store()
    examples = read_rows(store, [store.snapshot(recipe.asset("curated_examples"))], "examples")
    items = store.read_table(ReviewItem, store.snapshot(recipe.asset("review_queue")).tables["items"].root)
    with open_queue(home, recipe.name) as queue:
        verdicts = queue.verdicts_after(0)
    return agree_on_rows(examples, {item.key: item.record_key for item in items}, verdicts, config)


def _agreement_check(
    recipe: Recipe, config: JudgeConfig, condition: dg.AutomationCondition[Any] | None
) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey([recipe.name, "verified_examples"]),
        name=CHECK,
        automation_condition=condition,
        description=f"The judge's kappa with people is at least {config.kappa_floor}; below it, it gives advice to nobody.",
    )
    def judge_agrees_with_people(home: dg.ResourceParam[Home]) -> dg.AssetCheckResult:
        agreement = judge_agreement(recipe, home, config)
        ruling = advice_allowed(agreement, config)
        is_measured = agreement.num_items >= config.min_labels
        return dg.AssetCheckResult(
            passed=ruling.allowed or not is_measured,
            severity=dg.AssetCheckSeverity.WARN,
            description=ruling.reason,
            metadata={
                "gives_advice": ruling.allowed,
                "items": agreement.num_items,
                "verdicts": agreement.num_verdicts,
                **_figures("kappa", agreement.kappa),
                **_figures("ac1", agreement.ac1),
            },
        )

    return judge_agrees_with_people


def _figures(name: str, found: Estimate) -> dict[str, Any]:
    """Return a statistic with its 95 % interval as metadata, which Dagster plots; as text where it is undefined."""
    if found.value is None or found.low is None or found.high is None:
        return {name: str(found)}
    return {name: displayable(found.value), f"{name}_low": displayable(found.low), f"{name}_high": displayable(found.high)}
