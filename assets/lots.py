"""Acceptance sampling in the graph: which lots were accepted, which failed, and which wait for people.

The check `lots_accepted` is for people; what may be trained on is recomputed by the gate from the same verdicts.
"""

from typing import Any

import dagster as dg

from assets.recipe import Recipe
from curation.home import Home
from curation.records import ReviewItem
from curation.review.lots.inspection import LotFigures, Lots, inspect_rows
from curation.review.queue import open_queue

CHECK = "lots_accepted"
MAX_ROWS = 200
"""Lots that the table of the check shows: those that failed first, then those that wait."""
_ORDER = {"reject": 0, "undecided": 1, "accept": 2}


def build_checks(recipe: Recipe, condition: dg.AutomationCondition[Any] | None = None) -> list[dg.AssetChecksDefinition]:
    """Return the check of a recipe that has lots."""
    return [_lots_check(recipe, condition)] if recipe.review.lots is not None else []


def read_lots(recipe: Recipe, home: Home) -> Lots:
    """Return the lots of the newest review queue, by the verdicts that count now."""
    store = home.store()
    items = store.read_table(ReviewItem, store.snapshot(recipe.asset("review_queue")).tables["items"].root)
    required = frozenset(store.snapshot(recipe.asset("curated_examples")).values.get("review_keys", {}))
    with open_queue(home, recipe.name) as queue:
        return inspect_rows(items, queue.current_verdicts(recipe.review.accept), recipe.review, required)


def _lots_check(recipe: Recipe, condition: dg.AutomationCondition[Any] | None) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey([recipe.name, "verified_examples"]),
        name=CHECK,
        automation_condition=condition,
        description="Every lot was accepted by its sample. A lot that fails is inspected in full before anything is trained.",
    )
    def lots_accepted(home: dg.ResourceParam[Home]) -> dg.AssetCheckResult:
        figures = [report.figures for report in read_lots(recipe, home).reports]
        num = {decision: sum(lot.decision == decision for lot in figures) for decision in _ORDER}
        return dg.AssetCheckResult(
            passed=num["accept"] == len(figures),
            severity=dg.AssetCheckSeverity.WARN,
            description=f"Of {len(figures):,} lots {num['accept']:,} were accepted, {num['reject']:,} failed,"
            f" {num['undecided']:,} are undecided.",
            metadata=_metadata(figures, num, f"{home.review_url}/recipes/{recipe.name}/lots"),
        )

    return lots_accepted


def _metadata(figures: list[LotFigures], num: dict[str, int], where: str) -> dict[str, Any]:
    inspected = sum(lot.num_inspected for lot in figures)
    shown = sorted(figures, key=lambda lot: (_ORDER[lot.decision], lot.lot))[:MAX_ROWS]
    return {
        "accepted": num["accept"],
        "failed": num["reject"],
        "undecided": num["undecided"],
        "items": sum(lot.size for lot in figures),
        "inspected": inspected,
        "bad": sum(lot.num_bad for lot in figures),
        "lots": dg.MetadataValue.table(records=[dg.TableRecord(_row(lot)) for lot in shown], schema=_SCHEMA),
        "report": dg.MetadataValue.url(where),
    }


_SCHEMA = dg.TableSchema(
    [
        dg.TableColumn("lot", "string"),
        dg.TableColumn("decision", "string"),
        dg.TableColumn("since", "string"),
        dg.TableColumn("items", "int"),
        dg.TableColumn("sample", "int"),
        dg.TableColumn("inspected", "int"),
        dg.TableColumn("bad", "int"),
        dg.TableColumn("plan", "string"),
        dg.TableColumn("share_bad_low", "float"),
        dg.TableColumn("share_bad_high", "float"),
    ]
)


def _row(lot: LotFigures) -> dict[str, str | int | float]:
    return {
        "lot": lot.lot,
        "decision": lot.decision,
        "since": lot.decided_at,
        "items": lot.size,
        "sample": lot.num_sample,
        "inspected": lot.num_inspected,
        "bad": lot.num_bad,
        "plan": f"n={lot.plan.n}, c={lot.plan.c}",
        "share_bad_low": round(lot.interval.low, 4),
        "share_bad_high": round(lot.interval.high, 4),
    }
