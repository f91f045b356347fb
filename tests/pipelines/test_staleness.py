"""What is out of date, in a store that was filled by hand; and how often a repair is tried."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from assets.answers import champion_before
from assets.exports import live_model
from assets.forgetting import suite_snapshot
from assets.ingest import manifest_snapshot, shard_snapshot
from assets.release import approvals
from assets.review import review_state
from curation.records import Rejection
from curation.store import Snapshot
from evaluation.forgetting.suite import load_suite
from evaluation.release.registry import open_release_ledger
from pipelines.compose import build_definitions
from pipelines.sensors import TRIES_PER_STATE, plan_repairs
from pipelines.staleness import Target, find_stale
from tests.pipelines.conftest import Toy
from tests.pipelines.dagster_noise import dagster_noise
from tests.pipelines.toy_recipe import toy_recipe

pytestmark = [dagster_noise, pytest.mark.slow]
SHARDED = ["toy/documents", "toy/demonstrations", "toy/candidates"]


def stale(toy: Toy) -> list[Target]:
    return find_stale(toy.recipe, toy.home, toy.definitions.resolve_asset_graph(), toy.shards())


def names(targets: list[Target]) -> list[tuple[str, str]]:
    return [(target.asset, target.partition) for target in targets]


def inputs_of(toy: Toy, parents: list[str], partition: str, made: dict[str, list[Snapshot]]) -> dict[str, str]:
    observed = [shard_snapshot(toy.recipe, shard) for shard in toy.shards()]
    observed.append(review_state(toy.recipe, toy.home))
    found = [item for name in parents for item in (*made.get(name, []), *(seen for seen in observed if seen.asset == name))]
    used = [item for item in found if not partition or item.partition == partition]
    return {f"{item.asset}[{item.partition}]" if item.partition else item.asset: item.version for item in used}


def fill(toy: Toy) -> None:
    """Store one snapshot of everything, each made from the newest of what is before it."""
    store, graph = toy.home.store(), toy.definitions.resolve_asset_graph()
    model = toy.folder / "model"
    model.mkdir(exist_ok=True)
    (model / "weights").write_text("w")
    made: dict[str, list[Snapshot]] = {}
    store.put_snapshot(manifest_snapshot(toy.recipe, toy.shards()))
    for key in graph.toposorted_asset_keys:
        node, asset = graph.get(key), "/".join(key.path)
        for partition in [shard.key for shard in toy.shards()] if node.is_partitioned else [""]:
            if node.is_materializable:
                parents = sorted("/".join(parent.path) for parent in node.parent_keys)
                row = Rejection(key=asset + partition, stage="", reason="", detail="", record_hash="", excerpt="")
                snapshot = Snapshot(
                    asset=asset,
                    partition=partition,
                    version=f"{asset} v1",
                    tables={"rows": store.write_table(Rejection, [row])},
                    folders={"model": store.put_folder(model)} if asset.endswith("_model") else {},
                    inputs=inputs_of(toy, parents, partition, made),
                    code=node.code_version or "",
                    fingerprint="made whole",
                )
                store.put_snapshot(snapshot)
                made.setdefault(asset, []).append(snapshot)


@pytest.fixture
def filled(toy: Toy) -> Toy:
    fill(toy)
    assert stale(toy) == []
    assert len(toy.shards()) > 1, "the tests below want several shards"
    return toy


def change(toy: Toy, asset: str, partition: str = "", **fields: str) -> None:
    store = toy.home.store()
    store.put_snapshot(replace(store.snapshot(asset, partition), **fields))


def test_empty_store_wants_the_first_layer_only(toy: Toy) -> None:
    keys = [shard.key for shard in toy.shards()]
    assert sorted(names(stale(toy))) == sorted((asset, key) for asset in SHARDED[:2] for key in keys)


def test_missing_asset_is_wanted_and_blocks_what_is_below(filled: Toy) -> None:
    shutil.rmtree(filled.home.path / "store" / "snapshots" / "toy" / "sft_dataset")
    change(filled, "toy/sft_model", code="old")
    change(filled, "toy/champion", code="old")
    assert names(stale(filled)) == [("toy/sft_dataset", "")]


def test_changed_code_is_wanted(filled: Toy) -> None:
    change(filled, "toy/eval_set", code="old")
    assert names(stale(filled)) == [("toy/eval_set", "")]


def test_independent_changes_are_all_listed_in_the_order_of_the_graph(filled: Toy) -> None:
    change(filled, "toy/eval_set", code="old")
    shard = filled.shards()[0].key
    change(filled, "toy/demonstrations", shard, code="old")
    assert names(stale(filled)) == [("toy/demonstrations", shard)]
    change(
        filled,
        "toy/demonstrations",
        shard,
        code=filled.home.store().snapshot("toy/demonstrations", filled.shards()[1].key).code,
    )
    change(filled, "toy/dapt_corpus", code="old")
    assert sorted(names(stale(filled))) == [("toy/dapt_corpus", ""), ("toy/eval_set", "")]


def test_changed_input_is_wanted(filled: Toy) -> None:
    change(filled, "toy/verified_examples", version="v2")
    wanted = ("toy/eval_set", "toy/sft_dataset", "toy/unpaired_dataset")
    assert sorted(names(stale(filled))) == [(name, "") for name in wanted]


def test_changed_document_wants_its_shard_alone(filled: Toy) -> None:
    before = {shard.key: shard.fingerprint for shard in filled.shards()}
    filled.write("one.md", "# one\n\nSomething else, and longer.\n")
    changed = [shard.key for shard in filled.shards() if before[shard.key] != shard.fingerprint]
    assert len(changed) == 1
    assert sorted(names(stale(filled))) == [("toy/demonstrations", changed[0]), ("toy/documents", changed[0])]


def test_deleted_shard_wants_what_crosses_shards(filled: Toy) -> None:
    before = len(filled.shards())
    (filled.folder / "docs" / "two.md").unlink()
    assert len(filled.shards()) == before - 1, "two.md is alone in its shard"
    wanted = [asset for asset, _ in names(stale(filled))]
    assert "toy/curated_examples" in wanted
    assert "toy/dapt_corpus" in wanted
    assert not set(wanted) & set(SHARDED)


def test_new_verdict_wants_the_verified_examples(filled: Toy) -> None:
    change(
        filled,
        "toy/verified_examples",
        inputs={**filled.home.store().snapshot("toy/verified_examples").inputs, "toy/review_verdicts": "old"},
    )
    assert names(stale(filled)) == [("toy/verified_examples", "")]


@pytest.mark.parametrize("folder", ["tables", "shards"])
def test_files_that_are_gone_are_wanted_again(filled: Toy, folder: str) -> None:
    root = filled.home.store().snapshot("toy/eval_set").tables["rows"].root
    manifest = filled.home.path / "store" / "tables" / f"{root}.json"
    shard = json.loads(manifest.read_text())["shards"][0]["hash"]
    path = manifest if folder == "tables" else filled.home.path / "store" / "shards" / shard[:2] / f"{shard}.parquet"
    path.unlink()
    assert names(stale(filled)) == [("toy/eval_set", "")]


def test_state_of_a_refused_training_changes_with_what_is_upstream(filled: Toy) -> None:
    """A rejected last item opens the review gate, but no version between it and the model changes."""
    change(filled, "toy/sft_model", code="old")
    before = stale(filled)
    assert before == stale(filled)
    change(filled, "toy/curated_examples", version="v2")
    verified = filled.home.store().snapshot("toy/verified_examples")
    assets = ("review_queue", "verified_examples", "rejections", "quality_report", "dataset_audit", "dataset_card")
    assets += ("unpaired_dataset",)
    for asset in (f"toy/{name}" for name in assets):
        inputs = filled.home.store().snapshot(asset).inputs | {"toy/curated_examples": "v2"}
        change(filled, asset, inputs=inputs)
    assert filled.home.store().snapshot("toy/verified_examples").version == verified.version
    assert names(stale(filled)) == names(before) == [("toy/sft_model", "")]
    assert stale(filled)[0].wanted != before[0].wanted


def test_champion_that_the_candidate_met_counts_as_an_input(filled: Toy) -> None:
    inputs = filled.home.store().snapshot("toy/answers").inputs
    change(filled, "toy/answers", inputs={**inputs, "toy/champion_before": "another model"})
    assert names(stale(filled)) == [("toy/answers", "")]
    change(filled, "toy/answers", inputs={**inputs, "toy/champion_before": champion_before(filled.recipe, filled.home).version})
    assert stale(filled) == []


def test_another_live_model_is_another_export_and_the_same_one_is_not(filled: Toy) -> None:
    inputs = filled.home.store().snapshot("toy/exports").inputs
    change(filled, "toy/exports", inputs={**inputs, "toy/live_model": "another model"})
    assert names(stale(filled)) == [("toy/exports", "")]
    change(filled, "toy/exports", inputs={**inputs, "toy/live_model": live_model(filled.recipe, filled.home).version})
    assert stale(filled) == []


def test_the_probe_of_forgetting_counts_as_an_input_and_is_known(toy: Toy) -> None:
    recipe = toy_recipe(toy.folder, "forgetting: {memorisation: null}\n")
    probed = replace(toy, recipe=recipe, definitions=build_definitions([recipe]))
    fill(probed)
    assert recipe.forgetting is not None
    inputs = probed.home.store().snapshot("toy/forgetting").inputs
    now = suite_snapshot(recipe, load_suite(recipe.forgetting))
    for version, wanted in ((now.version, []), ("another suite", [("toy/forgetting", "")])):
        change(probed, "toy/forgetting", inputs={**inputs, now.asset: version})
        assert names(stale(probed)) == wanted


def test_other_timings_are_another_comparison_and_nothing_else(filled: Toy) -> None:
    inputs = filled.home.store().snapshot("toy/comparison").inputs
    change(filled, "toy/comparison", inputs={**inputs, "toy/answer_timings": "those of another day"})
    assert names(stale(filled)) == [("toy/comparison", "")]
    change(filled, "toy/comparison", inputs={**inputs, "toy/answer_timings": ""})
    assert stale(filled) == []


def test_graph_of_another_recipe_is_left_alone(filled: Toy, tmp_path: Path) -> None:
    filled.home.store().put_snapshot(Snapshot(asset="other/x", partition="", version="v", inputs={"other/y": "gone"}))
    assert stale(filled) == []


def target(asset: str = "toy/x", partition: str = "", wanted: str = "w") -> Target:
    return Target(asset=asset, partition=partition, wanted=wanted)


def test_a_state_is_tried_three_times_at_most(toy: Toy) -> None:
    tries: dict[str, int] = {}
    counts = []
    for _ in range(10):
        requests, tries = plan_repairs(toy.recipe, [target(), target("toy/y", "p")], tries)
        tries = json.loads(json.dumps(tries))
        counts.append(len(requests))
    assert counts == [2] * TRIES_PER_STATE + [0] * (10 - TRIES_PER_STATE)


def test_another_state_starts_anew_and_gone_ones_are_forgotten(toy: Toy) -> None:
    tries: dict[str, int] = {}
    for _ in range(5):
        _, tries = plan_repairs(toy.recipe, [target(wanted="w1"), target("toy/y")], tries)
    requests, tries = plan_repairs(toy.recipe, [target(wanted="w2")], tries)
    assert [request.asset_selection for request in requests] == [[dg.AssetKey(["toy", "x"])]]
    assert len(tries) == 1
    assert plan_repairs(toy.recipe, [], tries) == ([], {})


def test_requests_name_asset_partition_and_recipe(toy: Toy) -> None:
    (request,), _ = plan_repairs(toy.recipe, [target("toy/documents", "docs-0of4")], {})
    assert request.asset_selection == [dg.AssetKey(["toy", "documents"])]
    assert request.partition_key == "docs-0of4"
    assert request.tags["tunewright/recipe"] == "toy"
    assert request.run_key is None, "Dagster would drop a request whose run key it has seen, and states come back"


def test_an_approval_makes_the_champion_run_again(filled: Toy) -> None:
    store = filled.home.store()
    made = store.snapshot("toy/champion")
    before = approvals(filled.recipe, filled.home)
    store.put_snapshot(replace(made, inputs={**made.inputs, before.asset: before.version}))
    assert stale(filled) == []
    ledger = open_release_ledger(filled.home)
    for action in ("hold", "approve"):
        ledger.append(
            recipe="toy",
            action=action,  # type: ignore[arg-type]
            model_hash="m",
            evidence_hash="e",
            who="ada",
            reason="r",
            expected_head=ledger.head("toy"),
        )
        assert names(stale(filled)) == ([("toy/champion", "")] if action == "approve" else [])
    ledger.close()
