"""A row whose lineage has a gap is named by a check."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.lineage import build_checks
from assets.recipe import Recipe
from curation.home import Home
from curation.records import Example, Message, Provenance
from curation.store import Snapshot
from tests.pipelines.toy_recipe import toy_recipe

WHOLE = Provenance(
    origin="synthetic",
    method="variation",
    request_ids=("r1",),
    template_id="t-1",
    template_hash="h",
    teacher="m",
    sampling="{}",
    generation_depth=2,
    parents=("docs/0",),
    license="MIT",
)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return toy_recipe(tmp_path)


def check(recipe: Recipe, home: Home, *provenances: Provenance) -> dg.AssetCheckResult:
    messages = (Message(role="user", content="q"), Message(role="assistant", content="a"))
    rows = [
        Example(key=f"docs/{at}", task="qa", messages=messages, group="g", provenance=origin)
        for at, origin in enumerate(provenances, start=1)
    ]
    tables = {"examples": home.store().write_table(Example, rows)}
    home.store().put_snapshot(Snapshot(asset=recipe.asset("curated_examples"), partition="", version="1", tables=tables))
    (definition,) = build_checks(recipe)
    found: Any = definition(home=home)
    return found


def test_whole_rows_pass(recipe: Recipe, home: Home) -> None:
    found = check(recipe, home, WHOLE, WHOLE)
    assert found.passed
    assert found.metadata["incomplete_rows"].value == 0


def test_a_gap_is_named_with_its_row(recipe: Recipe, home: Home) -> None:
    found = check(recipe, home, WHOLE, replace(WHOLE, request_ids=()), replace(WHOLE, license="", request_ids=()))
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.ERROR
    assert "docs/2 lacks request_ids" in (found.description or "")
    assert "docs/3 lacks" in (found.description or "")
    assert found.metadata["incomplete_rows"].value == 2
    assert "| request" in found.metadata["fields"].value
