"""The lots of a recipe as a check in the graph."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.lots import CHECK, build_checks, read_lots
from assets.recipe import Recipe
from curation.home import Home
from curation.records import Decision, Example, Message, Provenance, ReviewItem
from curation.review.items import build_items
from curation.review.lots.offers import store_lots
from curation.review.queue import open_queue
from curation.store import Snapshot
from tests.pipelines.toy_recipe import toy_recipe

pytestmark = pytest.mark.slow

LOTS = """
review:
  lots: {n: 4, c: 1, quality_level: 0.7}
"""


@pytest.fixture
def recipe(tmp_path: Path, home: Home) -> Recipe:
    recipe = toy_recipe(tmp_path, LOTS)
    rows = [
        Example(
            key=f"docs/{task}/{at}",
            task=task,
            messages=(Message(role="user", content=f"{task}{at}"), Message(role="assistant", content=f"a{at}")),
            group=str(at),
            provenance=Provenance(origin="synthetic", method="m", license="MIT"),
        )
        for task in ("qa", "tools")
        for at in range(12)
    ]
    items = build_items(rows, [], lambda _: "", recipe.review)
    store = home.store()
    tables: dict[str, tuple[str, type, list[Any]]] = {
        "curated_examples": ("examples", Example, rows),
        "review_queue": ("items", ReviewItem, items),
    }
    for asset, (table, record, values) in tables.items():
        stored = {table: store.write_table(record, values)}
        store.put_snapshot(Snapshot(asset=recipe.asset(asset), partition="", version="1", tables=stored))
    with open_queue(home, recipe.name) as queue:
        queue.sync_items(items, recipe.review)
        store_lots(queue, items, recipe.review)
    return recipe


def check(recipe: Recipe, home: Home) -> dg.AssetCheckResult:
    (definition,) = build_checks(recipe)
    found = definition(home=home)
    assert isinstance(found, dg.AssetCheckResult)
    return found


def vote(recipe: Recipe, home: Home, lot: int, *decisions: Decision) -> None:
    report = read_lots(recipe, home).reports[lot]
    with open_queue(home, recipe.name) as queue:
        for key, decision in zip(report.sample, decisions, strict=False):
            queue.submit(key, decision, "Ada")


def test_undecided_and_failed_lots_are_a_warning_with_their_figures(recipe: Recipe, home: Home) -> None:
    vote(recipe, home, 0, "approve", "approve", "approve")
    vote(recipe, home, 1, "approve")
    found = check(recipe, home)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert found.description == "Of 2 lots 1 were accepted, 0 failed, 1 are undecided."
    vote(recipe, home, 1, "approve", "reject", "reject")
    found = check(recipe, home)
    metadata: dict[str, Any] = dict(found.metadata)
    assert [metadata[name].value for name in ("accepted", "failed", "inspected", "bad", "items")] == [1, 1, 6, 2, 24]
    rows = [row.data for row in metadata["lots"].records]
    assert [(row["lot"], row["decision"], row["inspected"]) for row in rows] == [
        ("example/tools", "reject", 3),
        ("example/qa", "accept", 3),
    ]
    assert rows[0]["since"]


def test_it_passes_once_every_lot_is_accepted(recipe: Recipe, home: Home) -> None:
    for lot in (0, 1):
        vote(recipe, home, lot, "approve", "approve", "approve")
    assert check(recipe, home).passed


def test_a_recipe_without_lots_has_no_such_check(tmp_path: Path) -> None:
    assert CHECK == "lots_accepted"
    assert build_checks(toy_recipe(tmp_path)) == []
