"""Whether every curated row can be traced: to its sources or parents, the calls and templates that made it, and its terms."""

from collections import Counter
from typing import Any

import dagster as dg

from assets.curated import ROW_CLASSES, read_rows
from assets.presentation import markdown_table
from assets.recipe import Recipe
from curation.home import Home
from curation.lineage.completeness import missing_fields

CHECK = "lineage_is_complete"
ROWS_NAMED = 10


def build_checks(recipe: Recipe, condition: dg.AutomationCondition[Any] | None = None) -> list[dg.AssetChecksDefinition]:
    """Return the check on `curated_examples`."""

    @dg.asset_check(
        asset=dg.AssetKey([recipe.name, "curated_examples"]),
        name=CHECK,
        automation_condition=condition,
        description="Every row says what it rests on, what made it, with which call and template, and under which terms.",
    )
    def lineage_is_complete(home: dg.ResourceParam[Home]) -> dg.AssetCheckResult:
        found = find_incomplete(recipe, home)
        counts = Counter(field for _, fields in found for field in fields)
        named = "; ".join(f"{key} lacks {', '.join(fields)}" for key, fields in found[:ROWS_NAMED])
        return dg.AssetCheckResult(
            passed=not found,
            severity=dg.AssetCheckSeverity.ERROR,
            description=f"{len(found)} rows are incomplete: {named}" if found else "Every row is complete.",
            metadata={"incomplete_rows": len(found), "fields": dg.MetadataValue.md(_as_table(counts))},
        )

    return [lineage_is_complete]


def find_incomplete(recipe: Recipe, home: Home) -> list[tuple[str, tuple[str, ...]]]:
    """Return the keys of curated rows whose lineage is not whole, with what is missing."""
    store = home.store()
    curated = [store.snapshot(recipe.asset("curated_examples"))]
    rows = (row for table in ROW_CLASSES for row in read_rows(store, curated, table))
    return [(row.key, fields) for row in rows if (fields := missing_fields(row))]


def _as_table(counts: Counter[str]) -> str:
    lines: list[dict[str, Any]] = [{"missing field": name, "rows": number} for name, number in counts.most_common()]
    return markdown_table(lines) if lines else "Nothing is missing."
