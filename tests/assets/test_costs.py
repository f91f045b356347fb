"""What a teacher cost stands in the graph, by method and outcome, and per row that a person approved."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.recipe import Recipe
from curation.home import Home
from curation.review.queue import open_queue
from pipelines.compose import build_definitions
from pipelines.runner import observe_sources
from tests.curation.synthesis.fault_server import Behaviour, chat, fault_server
from tests.pipelines.dagster_noise import dagster_noise
from tests.pipelines.toy_recipe import toy_home, toy_recipe, write_document

pytestmark = [pytest.mark.slow, dagster_noise]

SHARDED = ("documents", "demonstrations", "candidates")
REST = ("curated_examples", "review_queue", "verified_examples", "teacher_costs")
TEACHER = """
teacher: {kind: openai, model: m, base_url: "URL", price_input_usd_per_million: 10000, price_output_usd_per_million: 0}
terms: {action: warn}
budget: {pilot: 0}
review: {policy: all, accept: automatic, automatic: [length]}
"""


def reply(body: dict[str, Any]) -> Behaviour:
    """Answer about a document with a question of its own, or with what is no question at all."""
    asked = " ".join(turn["content"] for turn in body["messages"])
    number = next(number for number in ("seven", "eight", "nine") if number in asked)
    if number == "nine":
        return chat("I would rather not.")
    quote = f"The valve opens at {number} bar in the cold."
    pairs = [{"question": f"At how many bar does valve {number} open?", "answer": quote, "quote": quote}]
    return chat(json.dumps({"questions": pairs, "examples": pairs}))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = toy_home(tmp_path)
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(home.path))
    return home


@pytest.fixture
def recipe(tmp_path: Path) -> Iterator[Recipe]:
    for number in ("seven", "eight", "nine"):
        write_document(tmp_path, f"{number}.md", f"# Valve {number}\n\nThe valve opens at {number} bar in the cold.\n")
    with fault_server(reply) as server:
        yield toy_recipe(tmp_path, TEACHER.replace("URL", server.url))


def run(recipe: Recipe, home: Home, instance: dg.DagsterInstance, assets: tuple[str, ...], partition: str | None = None) -> Any:
    job = build_definitions([recipe]).resolve_implicit_global_asset_job_def()
    keys = [dg.AssetKey(recipe.asset(name).split("/")) for name in assets]
    return job.execute_in_process(asset_selection=keys, partition_key=partition, instance=instance)


def test_costs_of_a_recipe_with_a_model(recipe: Recipe, home: Home) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for shard in observe_sources(recipe, home, instance):
            run(recipe, home, instance, SHARDED, shard.key)
        run(recipe, home, instance, REST)
        before = home.store().snapshot(recipe.asset("teacher_costs")).values
        with open_queue(home, recipe.name) as queue:
            key = min(queue.current_verdicts("automatic"))
            queue.submit(key, "approve", "Ada", token=secrets.token_hex(16), expected=0)
        result = run(recipe, home, instance, REST)
    after = home.store().snapshot(recipe.asset("teacher_costs")).values
    assert before["cost_usd"] == pytest.approx(sum(float(line["cost_usd"]) for line in before["by_outcome"]))
    assert before["cost_usd"] == after["cost_usd"] > 0, "nothing was paid again"
    lines = {(line["method"], line["outcome"]) for line in after["by_outcome"]}
    assert ("grounded_qa", "approved") in lines
    assert ("grounded_qa", "rejected") in lines, "what is no JSON was paid for as well"
    assert "approved" not in {line["outcome"] for line in before["by_outcome"]}
    (total,) = [line for line in after["per_row"] if line["method"] == "all"]
    assert float(total["usd_per_approved"]) == pytest.approx(after["cost_usd"])
    (event,) = result.asset_materializations_for_node("toy__teacher_costs")
    assert "| rejected |" in event.metadata["by_outcome"].value
