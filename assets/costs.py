"""What the teachers cost: by method, by what became of the rows, and for each row that was accepted or that a person approved.

Also the check that no model which the recipe needs is about to be withdrawn. Built where a model writes, not where rules do.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from assets.curated import read_rows, shard_snapshots
from assets.declare import as_result, declared, describe
from assets.presentation import markdown_table
from assets.recipe import Recipe
from assets.review import review_state
from assets.stage import Outputs, run_stage
from curation.home import Home
from curation.records import Rejection, ReviewItem, UnitCalls
from curation.review.queue import open_queue
from curation.store import Snapshot, Store
from curation.synthesis.budget.costs import attribute_costs, cost_per_row
from curation.synthesis.budget.withdrawals import check_withdrawals
from curation.synthesis.ledger.request_ledger import open_ledger

ROWS = ("examples", "pairs", "tasks")
DEPS = ("candidates", "curated_examples", "review_queue", "review_verdicts", "verified_examples", "source_manifest")


def build(recipe: Recipe) -> list[Any]:
    """Return the assets of this stage."""
    return [_teacher_costs(recipe)] if recipe.uses_model else []


def build_checks(recipe: Recipe, condition: dg.AutomationCondition[Any] | None = None) -> list[dg.AssetChecksDefinition]:
    """Return the checks of this stage that stand on their own."""
    return [_withdrawal_check(recipe, condition)] if recipe.uses_model else []


def _teacher_costs(recipe: Recipe) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        "teacher_costs",
        group="generate",
        kinds={"python"},
        modules=("curation.synthesis.budget.costs",),
        settings=recipe.all_teachers,
        deps=DEPS,
        description="What the teachers cost: by method and outcome, for each accepted and each approved row.",
    )

    @declared(arguments)
    def teacher_costs(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        store = home.store()
        made = shard_snapshots(recipe, store, "candidates")
        kept = [store.snapshot(recipe.asset(name)) for name in ("curated_examples", "verified_examples")]
        run = run_stage(
            home,
            asset=recipe.asset("teacher_costs"),
            inputs=[*made, *kept, review_state(recipe, home)],
            code=arguments["code_version"],
            make=lambda _: _costs(recipe, home, made, kept),
        )
        by_outcome, per_row = (_as_table(run.snapshot.values[name]) for name in ("by_outcome", "per_row"))
        return as_result(home, run, by_outcome=by_outcome, per_row=per_row)

    return teacher_costs


def _costs(recipe: Recipe, home: Home, made: Sequence[Snapshot], kept: Sequence[Snapshot]) -> Outputs:
    store = home.store()
    with open_ledger(home) as ledger:
        lines = attribute_costs(
            rows=[row for table in ROWS for row in read_rows(store, made, table)],
            rejections=[row for item in (*made, *kept) for row in _read(store, item, "rejections", Rejection)],
            asked={row.key: row.request_ids for item in made for row in _read(store, item, "calls", UnitCalls)},
            ledger=ledger,
            accepted={row.key for table in ROWS for row in read_rows(store, kept[:1], table)},
            approved=_approved_keys(recipe, home),
            prices="; ".join(sorted({str(item.values.get("prices", "")) for item in made} - {""})),
        )
    per_row = cost_per_row(lines)
    values = {"by_outcome": [_plain(line) for line in lines], "per_row": [_plain(line) for line in per_row]}
    return Outputs(values={**values, "cost_usd": float(per_row[-1]["cost_usd"])})


def _read(store: Store, item: Snapshot, table: str, record: Any) -> list[Any]:
    return list(store.read_table(record, item.tables[table].root)) if table in item.tables else []


def _approved_keys(recipe: Recipe, home: Home) -> set[str]:
    """Return the keys of rows that a person, not an automatic reviewer, approved or edited."""
    items = home.store().snapshot(recipe.asset("review_queue")).tables["items"].root
    keys = {item.key: item.record_key for item in home.store().read_table(ReviewItem, items)}
    with open_queue(home, recipe.name) as queue:
        verdicts = queue.current_verdicts("human")
    return {
        keys[key] for key, verdict in verdicts.items() if key in keys and verdict.decision in ("approve", "edit", "prefer_a")
    }


def _plain(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line of a table with exact numbers as text."""
    numbers = (int, str, type(None))
    return {
        name: value if isinstance(value, numbers) else f"{value:.6f}".rstrip("0").rstrip(".") for name, value in line.items()
    }


def _as_table(lines: Sequence[dict[str, Any]]) -> dg.MarkdownMetadataValue:
    shown = [{name: "" if value is None else str(value) for name, value in line.items()} for line in lines]
    return dg.MetadataValue.md(markdown_table(shown) if shown else "Nothing was asked.")


def _withdrawal_check(recipe: Recipe, condition: dg.AutomationCondition[Any] | None) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey([recipe.name, "teacher_costs"]),
        name="no_teacher_is_withdrawn",
        automation_condition=condition,
        description="No model that the recipe needs is withdrawn soon: a warning 90 days before, an error 30 days before.",
    )
    def no_teacher_is_withdrawn() -> dg.AssetCheckResult:
        found = check_withdrawals(recipe.all_teachers, datetime.datetime.now(datetime.UTC).date())
        has_failure = any(item.is_failure for item in found)
        return dg.AssetCheckResult(
            passed=not found,
            severity=dg.AssetCheckSeverity.ERROR if has_failure else dg.AssetCheckSeverity.WARN,
            description=" ".join(str(item) for item in found) or "No withdrawal of these models is known.",
        )

    return no_teacher_is_withdrawn
