"""The exports of a champion, materialized as Dagster does, with the exporting process and all."""

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.exports import build
from assets.recipe import Recipe
from curation.checksums import find_changed
from curation.home import Home
from curation.ingest.config import SourceConfig
from curation.records import Example, Message, Provenance, record_hash
from curation.store import Snapshot
from evaluation.answering.language_model import load_model
from evaluation.records import EvalAnswer, EvalItem
from evaluation.release.config import ExportsConfig, ReleaseConfig
from evaluation.release.registry import Action, open_release_ledger

MADE = Provenance(origin="synthetic", method="routing")


def make_recipe(**exports: Any) -> Recipe:
    source = SourceConfig(name="notes", kind="files", path="notes/*.md", role="demonstrations")
    return Recipe(name="toy", sources=(source,), release=ReleaseConfig(exports=ExportsConfig(**exports)))


def make_example(number: int) -> Example:
    turns = (Message(role="user", content=f"Item {number}?"), Message(role="assistant", content=f"Part {number}."))
    return Example(key=f"api/{number}", task="routing", group=str(number), split="eval", provenance=MADE, messages=turns)


def make_item(number: int) -> EvalItem:
    row = make_example(number)
    return EvalItem(key=row.key, task="held_out", prompt=row.prompt, reference=row.answer, group=row.group)


def put(home: Home, name: str, *, tables: Any = None, folders: dict[str, str] | None = None, **values: Any) -> None:
    snapshot = Snapshot(
        asset=f"toy/{name}", partition="", version=name, tables=tables or {}, folders=folders or {}, values=values
    )
    home.store().put_snapshot(snapshot)


def write_model(folder: Path, **manifest: Any) -> Path:
    from training.base_model import build_small_llama
    from training.config import BaseModelConfig

    shape = BaseModelConfig(hidden_size=32, num_layers=1, num_heads=2, vocab_size=320, context_length=64)
    for part in build_small_llama(shape, ["Item 1? Part 1."], seed=0):
        part.save_pretrained(folder)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def prepare(home: Home, tmp_path: Path, *, promoted: bool) -> None:
    store = home.store()
    (tmp_path / "card").mkdir()
    (tmp_path / "card" / "README.md").write_text("# Toy\n")
    (tmp_path / "card" / "model.cdx.json").write_text('{"components": [{"bom-ref": "model"}]}')
    base = store.put_folder(write_model(tmp_path / "base", parent="")) if promoted else "0" * 32
    model = store.put_folder(write_model(tmp_path / "model", parent=base)) if promoted else "1" * 32
    put(home, "champion", promoted=promoted)
    if promoted:
        release(home, model)
    put(home, "model_card", folders={"card": store.put_folder(tmp_path / "card")})
    put(home, "base_model", folders={"model": base})
    put(home, "sft_model", folders={"model": model})
    items = store.write_table(Example, [make_example(number) for number in range(20)])
    put(home, "eval_set", tables={"examples": items})
    answers = answer_items(tmp_path / "model", model) if promoted else []
    asked = store.write_table(EvalItem, [make_item(number) for number in range(20)])
    put(home, "answers", tables={"items": asked, "answers": store.write_table(EvalAnswer, answers)})
    other = dataclasses.replace(make_example(99), split="train")
    put(home, "sft_dataset", tables={"examples": store.write_table(Example, [other])})


def answer_items(folder: Path, model_hash: str) -> list[EvalAnswer]:
    """What the gate stored: the answers of the model, by the code that answers."""
    model, items = load_model("candidate", str(folder), max_new_tokens=24), [make_item(number) for number in range(20)]
    said = model.answer([model.encode(item.prompt, ()).tokens for item in items])
    return [
        EvalAnswer(
            key=f"candidate/{item.key}", comparator="candidate", model_hash=model_hash, item_key=item.key,
            item_hash=record_hash(item), group=item.group, prompt=item.prompt[0].content, reference=item.reference,
            answer=given.text, num_tokens=given.num_tokens,
        )
        for item, given in zip(items, said, strict=True)
    ]  # fmt: skip


def materialize(home: Home, recipe: Recipe, *, is_checked: bool = True) -> tuple[dg.ExecuteInProcessResult, Snapshot | None]:
    with dg.DagsterInstance.ephemeral() as instance:
        resources = {"home": home, "pipes": dg.PipesSubprocessClient()}
        run = dg.materialize([build(recipe)], resources=resources, instance=instance, raise_on_error=is_checked)
    return run, home.store().find_snapshot("toy/exports")


def test_nothing_is_exported_while_nothing_was_promoted(home: Home, tmp_path: Path) -> None:
    prepare(home, tmp_path, promoted=False)
    run, snapshot = materialize(home, make_recipe())
    assert run.success
    assert snapshot is not None
    said = "Nothing was promoted, so nothing was exported."
    assert (snapshot.values, snapshot.folders) == ({"exported": False, "reason": said}, {})


def release(home: Home, model_hash: str, action: Action = "promote") -> None:
    with contextlib.closing(open_release_ledger(home)) as ledger:
        ledger.append(
            recipe="toy", action=action, model_hash=model_hash, evidence_hash="e", who="ada", reason="better",
            expected_head=ledger.head("toy"),
        )  # fmt: skip


def test_a_model_that_was_trained_after_the_promotion_is_not_exported(home: Home, tmp_path: Path) -> None:
    prepare(home, tmp_path, promoted=False)
    put(home, "champion", promoted=True)  # the decision about the model before
    release(home, "2" * 32)
    run, snapshot = materialize(home, make_recipe())
    assert run.success
    assert snapshot is not None
    assert (snapshot.values["exported"], snapshot.folders) == (False, {})
    assert "newest model 111111111111 is not the champion, which is 222222222222" in snapshot.values["reason"]
    check = run.get_asset_check_evaluations()[0]
    assert "not the champion" in (check.description or "")


def test_a_model_that_was_rolled_back_is_not_exported(home: Home, tmp_path: Path) -> None:
    prepare(home, tmp_path, promoted=False)
    put(home, "champion", promoted=True)
    release(home, "2" * 32)
    release(home, "1" * 32)
    release(home, "2" * 32, "rollback")
    _, snapshot = materialize(home, make_recipe())
    assert snapshot is not None
    assert not snapshot.values["exported"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Dagster's Pipes, about itself
def test_a_champion_is_exported_with_its_proof(home: Home, tmp_path: Path) -> None:
    prepare(home, tmp_path, promoted=True)
    run, snapshot = materialize(home, make_recipe())
    assert snapshot is not None
    assert snapshot.values["forms"] == ["merged"]
    assert snapshot.values["kl_merged"] == 0
    assert "all weights" in snapshot.values["notes"]["adapter"]
    folder = home.store().get_folder(snapshot.folders["export"])
    assert find_changed(folder) == ""
    report = json.loads((folder / "handover.json").read_text())
    assert report == snapshot.values["handover"]
    assert (report["num_items"], report["forms"]["merged"]["num_same"]) == (20, 20)
    assert report["model_hash"] == home.store().snapshot("toy/sft_model").folders["model"]
    check = run.get_asset_check_evaluations()[0]
    assert (check.check_name, check.passed) == ("handover", True)
    assert "| merged | 20 |" in (check.description or "")
    assert (folder / "README.md").read_text() == "# Toy\n"
    bill = json.loads((folder / "model.cdx.json").read_text())
    assert "model.safetensors" in {item["name"] for item in bill["components"][0]["components"]}
    assert find_changed(folder) == ""
    assert 'TEMPLATE """' in (folder / "Modelfile").read_text()
    assert {"SHA256SUMS", "proof.json", "handover.json", "model.safetensors"} <= {path.name for path in folder.iterdir()}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Dagster's Pipes, about itself
def test_a_refused_export_fails_the_run_and_stores_nothing(home: Home, tmp_path: Path) -> None:
    prepare(home, tmp_path, promoted=True)
    run, snapshot = materialize(home, make_recipe(adapter=True), is_checked=False)
    assert not run.success
    assert snapshot is None
    assert not (home.path / "work" / "toy" / "export").exists()
    error = json.loads((home.path / "work" / "toy" / "exporting" / "error.json").read_text())
    assert error["error"] == "ExportRefusedError"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Dagster's Pipes, about itself
def test_an_export_that_answers_in_another_way_than_at_the_gate_is_refused_and_checked(home: Home, tmp_path: Path) -> None:
    prepare(home, tmp_path, promoted=True)
    store, stored = home.store(), home.store().snapshot("toy/answers")
    rows = list(store.read_table(EvalAnswer, stored.tables["answers"].root))
    other = store.write_table(EvalAnswer, [dataclasses.replace(row, answer=row.reference) for row in rows])
    put(home, "answers", tables={**stored.tables, "answers": other})
    run, snapshot = materialize(home, make_recipe(), is_checked=False)
    assert not run.success
    assert snapshot is None
    check = run.get_asset_check_evaluations()[0]
    assert (check.check_name, check.passed) == ("handover", False)
    assert "does not score as at the gate" in (check.description or "")
    assert [path.name for path in (home.path / "work" / "toy").rglob("*.safetensors")] == []
