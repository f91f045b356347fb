"""What a quality suite sends to review reaches the queue, whether or not the rows themselves changed."""

from pathlib import Path

import dagster as dg
import pytest

from assets import review
from curation.home import Home
from curation.ingest.sources import SourceShard
from curation.records import Example, Message, PreferencePair, Provenance, ReviewItem, VerifiableTask
from curation.store import Snapshot
from pipelines.staleness import find_stale
from tests.pipelines.dagster_noise import dagster_noise
from tests.pipelines.toy_recipe import toy_home, toy_recipe

pytestmark = dagster_noise
POLICY = "review: {policy: none}\n"


def make_row(key: str) -> Example:
    messages = (Message(role="user", content=f"What is {key}?"), Message(role="assistant", content="A boat."))
    made = Provenance(origin="synthetic", method="qa", license="CC0-1.0")
    return Example(key=key, task="qa", messages=messages, group=key, split="train", provenance=made)


def put_curated(home: Home, required: list[str]) -> None:
    store = home.store()
    tables = {
        "examples": store.write_table(Example, [make_row("one"), make_row("two")]),
        "pairs": store.write_table(PreferencePair, []),
        "tasks": store.write_table(VerifiableTask, []),
    }
    values = {"review_keys": dict.fromkeys(required, "the answer looks cut")}
    store.put_snapshot(Snapshot(asset="toy/curated_examples", partition="", version="rows", tables=tables, values=values))
    store.put_snapshot(Snapshot(asset="toy/source_manifest", partition="", version="1", values={"shards": {}}))


def queued(home: Home, queue: dg.AssetsDefinition) -> list[str]:
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([queue], resources={"home": home}, instance=instance)
    root = home.store().snapshot("toy/review_queue").tables["items"].root
    return sorted(item.record_key for item in home.store().read_table(ReviewItem, root))


@pytest.mark.slow
def test_rows_that_a_suite_sends_to_review_are_queued_though_the_rows_are_the_same(tmp_path: Path) -> None:
    recipe, home = toy_recipe(tmp_path, POLICY), toy_home(tmp_path)
    queue = review.build(recipe)[0]
    put_curated(home, [])
    assert queued(home, queue) == []
    put_curated(home, ["two"])
    graph = dg.Definitions(assets=review.build(recipe), resources={"home": home}).resolve_asset_graph()
    shards: tuple[SourceShard, ...] = ()
    assert "toy/review_queue" in [target.asset for target in find_stale(recipe, home, graph, shards)]
    assert queued(home, queue) == ["two"]
    assert "toy/review_queue" not in [target.asset for target in find_stale(recipe, home, graph, shards)]
