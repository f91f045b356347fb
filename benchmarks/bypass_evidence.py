"""Ways around the gate through what a promotion rests on: items, answers, scores, comparison, settings, model, code, events."""

import json
from dataclasses import replace
from pathlib import Path

import dagster as dg

from assets.scores import read_comparison
from benchmarks.bypass_home import ALL, NAME, NUM_ITEMS, STRONG, WEAK, Place, make_row, refused_home, way
from curation.records import Example, record_hash
from evaluation.gate.comparison import compare
from evaluation.records import Score
from evaluation.tasks import measures


@way
def downstream_alone(folder: Path) -> Place:
    """The check on `comparison` failed; `champion` is materialized on its own."""
    place = refused_home(folder)
    place.materialize("champion")
    return place


@way
def stale_pass(folder: Path) -> Place:
    """The comparison passed for another model, and the newest model was never asked anything."""
    place = Place.make(folder, share=STRONG)
    place.materialize("scores", "comparison")
    place.put_model("sft_model", "never asked")
    place.materialize("champion")
    return place


@way
def missing_result(folder: Path) -> Place:
    """Answers that are wrong are left out, and everything after them is made anew."""
    place = refused_home(folder)
    rows = [row for row in place.answers(WEAK) if row.answer == row.reference or row.comparator == "base"]
    place.put_answers(place.items(), rows)
    place.materialize(*ALL)
    return place


@way
def missing_comparator(folder: Path) -> Place:
    """There is a champion, and the candidate is not compared with it."""
    place = Place.make(folder, share=STRONG)
    place.materialize(*ALL)
    place.put_model("sft_model", "second")
    place.put_answers(place.items(), [row for row in place.answers(STRONG) if row.comparator != "champion"])
    place.materialize(*ALL)
    return place


@way
def replaced_items(folder: Path) -> Place:
    """Only items that the candidate has right and the base has wrong are kept, for everybody, and all fits together."""
    place = Place.make(folder, share=0.75)
    rows = place.answers(0.75)
    right = {
        name: {row.item_key for row in rows if row.comparator == name and row.answer == row.reference}
        for name in ("base", "candidate")
    }
    kept = right["candidate"] - right["base"]
    items = [item for item in place.items() if item.key in kept]
    place.put_answers(items, [row for row in rows if row.item_key in kept])
    place.materialize(*ALL)
    return place


@way
def edited_items(folder: Path) -> Place:
    """References are changed to what the candidate says."""
    place = refused_home(folder)
    said = {row.item_key: row.answer for row in place.answers(WEAK) if row.comparator == "candidate"}
    items = [replace(item, reference=said[item.key]) for item in place.items()]
    hashes = {item.key: record_hash(item) for item in items}
    answers = place.answers(WEAK)
    rows = [replace(row, reference=said[row.item_key], item_hash=hashes[row.item_key]) for row in answers]
    place.put_answers(items, rows)
    place.materialize(*ALL)
    return place


@way
def trained_on_the_items(folder: Path) -> Place:
    """The candidate learnt the very questions that it is asked."""
    place = Place.make(folder, share=STRONG)
    leaked = [replace(make_row(number, "eval"), key=f"leak/{number}", split="train") for number in range(80)]
    place.put("sft_dataset", examples=place.home.store().write_table(Example, leaked))
    place.materialize(*ALL)
    return place


@way
def edited_report(folder: Path) -> Place:
    """The stored comparison says `pass`."""
    place = refused_home(folder)
    store = place.home.store()
    shown = store.snapshot(place.recipe.asset("comparison"))
    data = json.loads((store.get_folder(shown.folders["comparison"]) / "comparison.json").read_text())
    forged = folder / "forged"
    forged.mkdir()
    (forged / "comparison.json").write_text(json.dumps({**data, "verdict": "pass", "reason": "It is better."}))
    store.put_snapshot(replace(shown, folders={"comparison": store.put_folder(forged)}))
    place.materialize("champion")
    return place


@way
def edited_scores(folder: Path) -> Place:
    """The stored scores call every answer of the candidate right, and the comparison is made from them."""
    place = refused_home(folder)
    store = place.home.store()
    shown = store.snapshot(place.recipe.asset("scores"))
    scores = [
        replace(score, value=1.0) if score.comparator == "candidate" else score
        for score in store.read_table(Score, shown.tables["scores"].root)
    ]
    store.put_snapshot(replace(shown, tables={**shown.tables, "scores": store.write_table(Score, scores)}, version="f" * 32))
    place.materialize("comparison", "champion")
    assert compare(scores, place.recipe.evaluation, place.recipe.release, items=place.items()).verdict == "pass"
    return place


@way
def changed_code(folder: Path) -> Place:
    """A grader that calls everything right makes the scores, and is put back before the promotion."""
    place = Place.make(folder, share=WEAK)
    kept, wrong = measures.exact_match, iter(range(NUM_ITEMS))
    measures.exact_match = lambda reference, answer: float(next(wrong, NUM_ITEMS) >= NUM_ITEMS)  # the base comes first
    try:
        place.materialize("scores", "comparison")
    finally:
        measures.exact_match = kept
    assert read_comparison(place.home.store(), place.home.store().snapshot(f"{NAME}/comparison")).verdict == "pass"
    place.materialize("champion")
    return place


@way
def swapped_artefact(folder: Path) -> Place:
    """The files of the model are others than those that answered."""
    place = Place.make(folder, share=STRONG)
    place.materialize("scores", "comparison")
    (place.home.store().get_folder(place.model()) / "model.safetensors").write_text("another model")
    place.materialize("champion")
    return place


@way
def unreadable_evidence(folder: Path) -> Place:
    """A shard of the answers is damaged after the comparison."""
    place = Place.make(folder, share=STRONG)
    place.materialize("scores", "comparison")
    files = place.home.store().files
    root = place.home.store().snapshot(place.recipe.asset("answers")).tables["answers"].root
    shard = json.loads(files.read_bytes(f"tables/{root}.json"))["shards"][0]["hash"]
    files.write_bytes(f"shards/{shard[:2]}/{shard}.parquet", b"PAR1 torn")
    place.materialize("champion")
    return place


@way
def lowered_threshold(folder: Path) -> Place:
    """The candidate was refused; then the recipe asks for less, and everything is made anew."""
    strict = Place.make(folder / "strict", share=0.5, minimum_difference=0.6)
    strict.materialize(*ALL)
    lax = strict.copy_to(folder / "lax", minimum_difference=0.0)
    lax.materialize(*ALL)
    return lax


@way
def lowered_threshold_alone(folder: Path) -> Place:
    """The recipe asks for less, and only `champion` is materialized."""
    strict = Place.make(folder / "strict", share=0.5, minimum_difference=0.6)
    strict.materialize(*ALL)
    lax = strict.copy_to(folder / "lax", minimum_difference=0.0)
    lax.materialize("champion")
    return lax


@way
def forged_event(folder: Path) -> Place:
    """Dagster's log says that the check passed and the champion was made."""
    place = refused_home(folder)
    with dg.DagsterInstance.ephemeral() as instance:
        for name in ("comparison", "champion"):
            instance.report_runless_asset_event(dg.AssetMaterialization(asset_key=dg.AssetKey([NAME, name])))
        key = dg.AssetKey([NAME, "comparison"])
        forged = dg.AssetCheckEvaluation(asset_key=key, check_name="promotion", passed=True, metadata={})
        instance.report_runless_asset_event(forged)
        place.materialize("champion", instance=instance)
    return place
