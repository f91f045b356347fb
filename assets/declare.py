"""What all assets of a recipe have in common: key, group, owner, kinds, code version; and how a stage becomes a result.

@declared(describe(recipe, "eval_set", group="datasets", kinds={"parquet"}, modules=("evaluation.items",)))
def eval_set(...): ...
"""

from collections.abc import Callable, Iterable
from typing import Any

import dagster as dg

from assets.code_version import code_version
from assets.presentation import metadata_of
from assets.recipe import Recipe
from assets.stage import StageRun
from curation.config import as_plain
from curation.home import Home
from curation.ids import content_hash
from curation.store import NOT_IN_VERSION

GROUPS = ("ingest", "generate", "curate", "review", "datasets", "train", "evaluate", "release")


def describe(
    recipe: Recipe,
    name: str,
    *,
    group: str,
    kinds: Iterable[str],
    modules: tuple[str, ...],
    leaves: tuple[str, ...] = (),
    settings: Any = None,
    deps: Iterable[str] = (),
    **more: Any,
) -> dict[str, Any]:
    """Return the keyword arguments of `dg.asset` for one asset of a recipe.

    The code version covers the domain modules (see `code_version` for `leaves`) and the settings, which are the parts of the
    recipe that the asset reads.
    """
    assert group in GROUPS, group
    return {
        "key": dg.AssetKey([recipe.name, name]),
        "group_name": group,
        "kinds": set(kinds),
        "owners": [recipe.owner] if recipe.owner else None,
        "code_version": content_hash([code_version(*modules, leaves=leaves), as_plain(settings)])[:16],
        "deps": [dg.AssetKey([recipe.name, dep]) for dep in deps],
        "tags": {"tunewright/recipe": recipe.name},
        **more,
    }


def declared(arguments: dict[str, Any]) -> Callable[[Callable[..., dg.MaterializeResult]], dg.AssetsDefinition]:
    """Decorate an asset body with arguments from `describe` (typed, where `dg.asset(**...)` is not)."""
    decorator: Callable[[Callable[..., dg.MaterializeResult]], dg.AssetsDefinition] = dg.asset(**arguments)
    return decorator


def as_result(home: Home, run: StageRun, checks: Iterable[dg.AssetCheckResult] = (), **more: Any) -> dg.MaterializeResult:
    """Report a stage to Dagster: its data version, counts, samples and checks."""
    return dg.MaterializeResult(
        data_version=dg.DataVersion(run.snapshot.version),
        metadata={**metadata_of(home.store(), run), **more},
        check_results=list(checks),
    )


def rows_check(recipe: Recipe, name: str) -> dg.AssetCheckSpec:
    """Declare the check that no row vanished: rows in = rows out + rejected."""
    return dg.AssetCheckSpec(
        name="rows_accounted_for",
        asset=dg.AssetKey([recipe.name, name]),
        description="Every row that came in was kept or is in the rejections with a reason.",
        blocking=True,
    )


def rows_result(run: StageRun) -> dg.AssetCheckResult:
    """Evaluate `rows_check`: the rows that the stage says it was given, against those that stand in its tables."""
    snapshot = run.snapshot
    num_in = int(snapshot.values.get("rows_in", -1))
    sizes = {name: table.num_rows for name, table in snapshot.tables.items()}
    num_rejected = sizes.get("rejections", 0)
    num_out = sum(size for name, size in sizes.items() if name not in NOT_IN_VERSION)
    return dg.AssetCheckResult(
        check_name="rows_accounted_for",
        passed=num_in == num_out + num_rejected,
        metadata={"rows_in": num_in, "rows_out": num_out, "rejected": num_rejected},
    )
