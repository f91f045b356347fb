"""The asset `forgetting`, materialized as Dagster does, with the measuring process and all."""

import dataclasses
import json
import random
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.forgetting import build, forgetting_blocks, forgetting_roots
from assets.recipe import Recipe
from curation.home import Home
from curation.ingest.config import SourceConfig
from curation.records import Example, Message, Provenance
from curation.store import Snapshot, TableRef
from evaluation.forgetting.config import ForgettingConfig
from evaluation.memorisation.config import MemorisationConfig

MADE = Provenance(origin="synthetic", method="routing")
WORDS = ("amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath")


def facts() -> list[tuple[str, str, list[str]]]:
    draws = random.Random(0)
    return [
        (f"Box {number} holds", *_split([f" {word}" for word in draws.sample(WORDS, 4)])) for number in range(40)
    ]  # fmt: skip


def _split(words: list[str]) -> tuple[str, list[str]]:
    return words[0], words[1:]


def make_recipe(folder: Path, **settings: Any) -> Recipe:
    source = SourceConfig(name="notes", kind="files", path="notes/*.md", role="demonstrations")
    rows = [
        {"key": str(number), "area": "boxes", "kind": "choice", "prompt": asked, "reference": right, "distractors": wrong}
        for number, (asked, right, wrong) in enumerate(facts())
    ]
    (folder / "boxes.jsonl").write_text("\n".join(map(json.dumps, rows)))
    limits = MemorisationConfig(max_rows=4, prefix_tokens=(0,), suffix_tokens=4)
    config = ForgettingConfig(
        suite="none", files=(str(folder / "boxes.jsonl"),), max_new_tokens=4, bootstrap_samples=200, memorisation=limits
    )
    return Recipe(name="toy", sources=(source,), forgetting=dataclasses.replace(config, **settings))


def make_example(number: int, split: Any) -> Example:
    turns = (Message(role="user", content=f"Item {number}?"), Message(role="assistant", content=f"Part {number}."))
    return Example(key=f"{split}/{number}", task="t", group=f"{split}/{number}", split=split, provenance=MADE, messages=turns)


def put(home: Home, name: str, *, tables: Any = None, folders: dict[str, str] | None = None) -> None:
    version = json.dumps([name, folders], sort_keys=True)
    home.store().put_snapshot(
        Snapshot(asset=f"toy/{name}", partition="", version=version, tables=tables or {}, folders=folders or {})
    )


def build_models(home: Home, folder: Path) -> dict[str, str]:
    """Store a base that knows what the boxes hold, its copy, and a model that knows nothing; return their hashes."""
    import torch

    from training.base_model import build_small_llama
    from training.config import BaseModelConfig

    texts = [asked + right for asked, right, _ in facts()]
    shape = BaseModelConfig(hidden_size=64, num_layers=1, num_heads=2, vocab_size=330, context_length=64)
    model, tokenizer = build_small_llama(shape, texts, seed=0)
    rows = [[tokenizer.bos_token_id, *tokenizer(text, add_special_tokens=False)["input_ids"]] for text in texts]
    width = max(map(len, rows))
    ids = torch.tensor([row + [tokenizer.pad_token_id] * (width - len(row)) for row in rows])
    labels = ids.masked_fill(ids == tokenizer.pad_token_id, -100)

    def save(name: str) -> str:
        for part in (model, tokenizer):
            part.save_pretrained(folder / name)
        (folder / name / "manifest.json").write_text(json.dumps({"name": name}))
        return home.store().put_folder(folder / name)

    hashes = {"lost": save("lost")}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(150):
        model(input_ids=ids, attention_mask=(labels != -100).long(), labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return {**hashes, "base": save("base"), "kept": save("kept")}


def prepare(home: Home, base: str, candidate: str) -> None:
    store = home.store()
    put(home, "base_model", folders={"model": base})
    put(home, "sft_model", folders={"model": candidate})
    put(home, "sft_dataset", tables={"examples": store.write_table(Example, [make_example(n, "train") for n in range(6)])})
    put(home, "eval_set", tables={"examples": store.write_table(Example, [make_example(n, "eval") for n in range(6)])})


def materialize(home: Home, recipe: Recipe) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        resources = {"home": home, "pipes": dg.PipesSubprocessClient()}
        return dg.materialize(build(recipe), resources=resources, instance=instance, raise_on_error=False)


def test_a_recipe_that_does_not_ask_has_no_such_asset(home: Home, tmp_path: Path) -> None:
    recipe = dataclasses.replace(make_recipe(tmp_path), forgetting=None)
    assert build(recipe) == []
    assert forgetting_blocks(recipe, home, "a" * 32) == ""
    assert forgetting_roots(recipe, home) == {}


def test_what_was_not_measured_is_not_released(home: Home, tmp_path: Path) -> None:
    assert "was not measured" in forgetting_blocks(make_recipe(tmp_path), home, "a" * 32)
    assert forgetting_blocks(make_recipe(tmp_path, blocks=False), home, "a" * 32) == ""
    by_heart = MemorisationConfig(max_extractable=0.1, blocks=True)
    recipe = make_recipe(tmp_path, blocks=False, memorisation=by_heart)
    assert "was not measured" in forgetting_blocks(recipe, home, "a" * 32)


def test_rows_known_by_heart_are_measured_on_the_data_of_now(home: Home, tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path, blocks=False, memorisation=MemorisationConfig(max_extractable=0.1, blocks=True))
    prepare(home, "b" * 32, "a" * 32)
    store = home.store()
    roots = {name: store.snapshot(f"toy/{name}").tables["examples"].root for name in ("sft_dataset", "eval_set")}
    rows = {"training": roots["sft_dataset"], "held_out": roots["eval_set"], "documents": ""}
    tables = {name: TableRef(record="Row", root="c" * 32, num_rows=1) for name in ("suite", "results", "row_probes")}
    store.put_snapshot(Snapshot(asset="toy/forgetting", partition="", version="1", tables=tables, values={"rows": rows}))
    assert "does not hold" in forgetting_blocks(recipe, home, "a" * 32), "the tables are not in the store"
    put(home, "sft_dataset", tables={"examples": store.write_table(Example, [make_example(9, "train")])})
    assert "rows of other data" in forgetting_blocks(recipe, home, "a" * 32)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Dagster's Pipes, about itself
def test_a_candidate_that_forgot_is_stopped_and_one_that_knows_still_is_not(home: Home, tmp_path: Path) -> None:
    hashes, recipe = build_models(home, tmp_path), make_recipe(tmp_path)
    prepare(home, hashes["base"], hashes["kept"])
    run = materialize(home, recipe)
    assert run.success
    snapshot = home.store().snapshot("toy/forgetting")
    assert (snapshot.values["verdict"], snapshot.values["lost"]) == ("pass", {"boxes": 0.0})
    assert snapshot.values["right_boxes"] > 0.8
    assert {check.check_name: check.passed for check in run.get_asset_check_evaluations()} == {
        "forgetting": True,
        "memorisation": True,
    }
    metadata = run.asset_materializations_for_node("toy__forgetting")[0].metadata
    assert "| boxes | pass | accuracy |" in str(metadata["areas"].value)
    assert forgetting_blocks(recipe, home, hashes["kept"]) == ""
    assert "not one of this candidate" in forgetting_blocks(recipe, home, hashes["lost"])
    assert list(forgetting_roots(recipe, home)) == ["forgetting"]

    prepare(home, hashes["base"], hashes["lost"])
    stopped = materialize(home, recipe)
    assert not stopped.success
    values = home.store().snapshot("toy/forgetting").values
    assert values["verdict"] == "fail"
    assert values["measured"] == 40 + 8  # the base was measured before
    checks = {check.check_name: check for check in stopped.get_asset_check_evaluations()}
    assert checks["forgetting"].severity == dg.AssetCheckSeverity.ERROR
    assert not checks["forgetting"].passed
    assert "Area boxes" in (checks["forgetting"].description or "")
    assert "forgot what its base knew" in forgetting_blocks(recipe, home, hashes["lost"])
    assert materialize(home, dataclasses.replace(recipe, forgetting=make_recipe(tmp_path, blocks=False).forgetting)).success
