"""The judge of a recipe is held against what people decided about the same rows."""

import secrets
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.judge import build_checks
from assets.recipe import Recipe
from curation.home import Home
from curation.records import Example, JudgeVote, Message, Provenance, ReviewItem
from curation.review.items import build_items, evidence_lookup
from curation.review.queue import open_queue
from curation.store import Snapshot
from tests.pipelines.toy_recipe import toy_recipe

JUDGE = """
judge:
  teacher: {kind: openai, model: j, base_url: "http://127.0.0.1:1/v1"}
  rubric: Is it right?
  min_labels: 10
"""


def put_rows(recipe: Recipe, home: Home, scores: list[int]) -> list[ReviewItem]:
    """Make rows with one vote each the newest curated examples, and what shows them the newest queue."""
    rows = [
        Example(
            key=f"docs/{at}",
            task="qa",
            messages=(Message(role="user", content=f"q{at}"), Message(role="assistant", content=f"a{at}")),
            group=str(at),
            provenance=Provenance(
                origin="synthetic", method="m", license="MIT", votes=(JudgeVote(judge="j", score=score, reason="r"),)
            ),
        )
        for at, score in enumerate(scores)
    ]
    items = build_items(rows, [], evidence_lookup([]), recipe.review, frozenset())
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
    return sorted(items, key=lambda item: int(item.record_key.rpartition("/")[2]))


def decide(recipe: Recipe, home: Home, items: list[ReviewItem], approved: list[bool]) -> None:
    with open_queue(home, recipe.name) as queue:
        for item, is_good in zip(items, approved, strict=True):
            queue.submit(item.key, "approve" if is_good else "reject", "Ada", token=secrets.token_hex(16), expected=0)


def check(recipe: Recipe, home: Home) -> dg.AssetCheckResult:
    (definition,) = build_checks(recipe)
    found: Any = definition(home=home)
    return found


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return toy_recipe(tmp_path, JUDGE)


def test_a_judge_that_agrees_may_give_advice(recipe: Recipe, home: Home) -> None:
    items = put_rows(recipe, home, [5, 1] * 8)
    decide(recipe, home, items, [True, False] * 8)
    found = check(recipe, home)
    assert found.passed
    assert found.metadata["gives_advice"].value is True
    assert found.metadata["kappa"].value == 1.0
    assert {"kappa_low", "kappa_high", "ac1", "ac1_low", "ac1_high"} <= set(found.metadata)


def test_a_judge_below_the_floor_is_a_warning(recipe: Recipe, home: Home) -> None:
    items = put_rows(recipe, home, [5, 1] * 8)
    decide(recipe, home, items, [True, True, False, False] * 4)
    found = check(recipe, home)
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.WARN
    assert found.metadata["gives_advice"].value is False
    assert "below the floor" in (found.description or "")


def test_without_enough_verdicts_nothing_is_claimed(recipe: Recipe, home: Home) -> None:
    items = put_rows(recipe, home, [5, 1] * 8)
    decide(recipe, home, items[:4], [True, False] * 2)
    found = check(recipe, home)
    assert found.passed
    assert found.metadata["gives_advice"].value is False
    assert "10 are needed" in (found.description or "")


def test_a_recipe_without_a_judge_has_no_such_check(tmp_path: Path) -> None:
    assert build_checks(toy_recipe(tmp_path)) == []
