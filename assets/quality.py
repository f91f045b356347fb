"""The quality page: every suite of a recipe on one offline HTML page, with what failed first."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from assets.checks import ASSET_OF, checked_tables, read_checked_table
from assets.curated import SHARDED, shard_snapshots
from assets.declare import as_result, declared, describe
from assets.presentation import page_link
from assets.recipe import Recipe
from assets.stage import Outputs, run_stage
from curation.files import write_atomically
from curation.home import Home
from curation.quality.flatten import flatten_table
from curation.quality.gallery import TableName
from curation.quality.page import make_report, render_quality_page
from curation.store import Snapshot, Store


def build(recipe: Recipe) -> list[Any]:
    """Return the assets of this stage."""
    return [_quality_report(recipe)] if checked_tables(recipe) else []


def _quality_report(recipe: Recipe) -> dg.AssetsDefinition:
    tables = checked_tables(recipe)
    arguments = describe(
        recipe,
        "quality_report",
        group="datasets",
        kinds={"html"},
        modules=("curation.quality.page", "curation.quality.flatten"),
        settings=recipe.quality,
        deps=[ASSET_OF.get(table, table) for table in tables],
        description="All quality suites on one offline page: what holds, what does not, in which rows.",
    )

    @declared(arguments)
    def quality_report(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        store = home.store()
        run = run_stage(
            home,
            asset=recipe.asset("quality_report"),
            inputs=[item for table in tables for item in _inputs(recipe, store, table)],
            code=arguments["code_version"],
            make=lambda _: _write(recipe, home, tables),
        )
        return as_result(home, run, page=page_link(run.snapshot.asset, run.snapshot.folders["report"]))

    return quality_report


def _inputs(recipe: Recipe, store: Store, table: TableName) -> list[Snapshot]:
    asset = ASSET_OF.get(table, table)
    if table in SHARDED:
        return shard_snapshots(recipe, store, asset)
    return [store.snapshot(recipe.asset(asset))]


def _write(recipe: Recipe, home: Home, tables: tuple[TableName, ...]) -> Outputs:
    store = home.store()
    flat = {table: flatten_table(table, read_checked_table(recipe, store, table)) for table in tables}
    reports = [make_report(table, recipe.quality.suite(table), found) for table, found in flat.items()]
    folder = home.path / "work" / recipe.name / "quality"
    now = datetime.now(UTC).isoformat(timespec="minutes")
    page = render_quality_page(reports, title=f"{recipe.name}: data quality", created_at=now)
    write_atomically(folder / "index.html", page.encode())
    counts = {status: sum(report.count(status) for report in reports) for status in ("passed", "violated", "errored")}
    return Outputs(folders={"report": folder}, values=counts)
