"""How many rows every stage kept and rejected, in the order of the graph.

stage_rows(recipe, store)[0]      StageRows(stage="documents", kept=1282, rejected={"document_too_short": 3})
"""

from collections import Counter

from assets.curated import SHARDED, STAGES_THAT_REJECT, shard_snapshots
from assets.recipe import Recipe
from curation.records import Rejection
from curation.store import NOT_IN_VERSION, Store
from evaluation.report.inputs import StageRows


def stage_rows(recipe: Recipe, store: Store) -> tuple[StageRows, ...]:
    """Return the funnel of a recipe from its newest snapshots. Raises MissingSnapshotError if a stage never ran."""
    return tuple(_count(recipe, store, name) for name in STAGES_THAT_REJECT)


def _count(recipe: Recipe, store: Store, name: str) -> StageRows:
    is_sharded = name in SHARDED
    found = shard_snapshots(recipe, store, name) if is_sharded else [store.snapshot(recipe.asset(name))]
    tables = [(table_name, table) for item in found for table_name, table in item.tables.items()]
    uncounted = NOT_IN_VERSION if is_sharded else (*NOT_IN_VERSION, "documents")  # reviewed documents are no rows
    kept = sum(table.num_rows for table_name, table in tables if table_name not in uncounted)
    reasons = Counter(
        reason
        for item in found
        for reason in store.read_arrow(Rejection, item.tables["rejections"].root).column("reason").to_pylist()
    )
    return StageRows(stage=name, kept=kept, rejected=dict(reasons))
