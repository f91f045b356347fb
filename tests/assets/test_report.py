"""What the report is given: the probe as it was stored, and the training rows nearest to what went wrong."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from assets import report
from assets.recipe import Recipe
from curation.config import as_plain
from curation.home import Home
from curation.ids import canonical_json
from curation.ingest.config import SourceConfig
from curation.records import Document, Example, Message, Provenance
from curation.store import Snapshot
from evaluation.forgetting.config import ForgettingConfig
from evaluation.forgetting.evidence import Probes
from evaluation.memorisation.config import MemorisationConfig
from evaluation.release.config import ReleaseConfig
from evaluation.report.inputs import ReportInputs
from tests.evaluation.report.made_report import FORGETTING, MEMORISATION, make_plain_report
from training.config import StageConfig, TrainingConfig


def make_recipe(**changes: Any) -> Recipe:
    source = SourceConfig(name="notes", kind="files", path="notes/*.md", role="demonstrations")
    return Recipe(name="toy", sources=(source,), **changes)


def put(home: Home, name: str, **parts: Any) -> Snapshot:
    snapshot = Snapshot(asset=f"toy/{name}", partition="", version=name, **parts)
    home.store().put_snapshot(snapshot)
    return snapshot


def test_the_probe_is_read_back_as_it_was_measured(home: Home, tmp_path: Path) -> None:
    (tmp_path / "probe").mkdir()
    probes = Probes(stages=(FORGETTING,), memorisation=MEMORISATION)
    (tmp_path / "probe" / "forgetting.json").write_text(canonical_json(as_plain(probes)))
    inputs = {"forgetting": put(home, "forgetting", folders={"report": home.store().put_folder(tmp_path / "probe")})}
    found = report._probes(make_recipe(forgetting=ForgettingConfig()), home.store(), inputs)
    assert found == (FORGETTING, MEMORISATION)
    assert report._probes(make_recipe(), home.store(), {}) == (None, None)


def test_what_a_promotion_would_be_refused_for_is_told() -> None:
    compared = make_plain_report().comparison
    slow = replace(compared.summaries[-1], comparator="candidate", latency_p95_s=0.8, cost_per_1000_usd=None)
    compared = replace(compared, summaries=(slow,))
    assert report._obstacles(make_recipe(), compared, report._Probes()) == ()
    recipe = make_recipe(release=ReleaseConfig(max_p95_latency_s=0.5))
    assert report._obstacles(recipe, compared, report._Probes()) == (
        "The candidate's latency (p95) is 0.8 s; at most 0.5 s is allowed.",
    )
    probes = report._Probes(memorisation=replace(MEMORISATION, exposures=(9.5,)))
    for blocks in (True, False):
        limits = MemorisationConfig(max_exposure=5.0, blocks=blocks)
        found = report._obstacles(make_recipe(forgetting=ForgettingConfig(memorisation=limits)), compared, probes)
        assert found == (("A planted canary has an exposure of 9.5 bits.",) if blocks else ())


def test_what_the_recipe_lets_pass_undecided_stops_no_release() -> None:
    unsure = report._Probes(forgetting=replace(FORGETTING, areas=FORGETTING.areas[:2]))
    assert unsure.forgetting is not None
    assert unsure.forgetting.verdict == "undecided"
    for blocks, undecided, stops in ((True, "block", True), (True, "pass", False), (False, "block", False)):
        config = ForgettingConfig(blocks=blocks, undecided=undecided)  # type: ignore[arg-type]
        assert report._stops_release(make_recipe(forgetting=config), unsure) is stops
    lost = report._Probes(forgetting=FORGETTING)
    assert report._stops_release(make_recipe(forgetting=ForgettingConfig(undecided="pass")), lost)


def test_wrong_answers_get_their_nearest_rows_and_right_ones_none(home: Home) -> None:
    store, made = home.store(), Provenance(origin="human", method="demonstration")
    plain: ReportInputs = make_plain_report()
    scores = [score for score in plain.scores if score.comparator == "candidate" and score.metric == "exact_match"]
    wrong = sorted(score.item_key for score in scores if not score.value)
    asked = next(answer.prompt for answer in plain.answers if answer.item_key == wrong[-1])
    turns = (Message(role="user", content=asked), Message(role="assistant", content="joins"))
    row = Example(key="notes/1", task="qa", messages=turns, group="1", provenance=made)
    text = Document(
        key="notes/a.md", source="notes", title="Joins", kind="markdown", text=asked, sections=(), group="a",
        license="", output_terms="",
    )  # fmt: skip
    inputs = {"sft_dataset": put(home, "sft_dataset", tables={"examples": store.write_table(Example, [row])})}
    put(home, "dapt_corpus", tables={"documents": store.write_table(Document, [text])})
    recipe = make_recipe(training=TrainingConfig(stages=(StageConfig(method="dapt"), StageConfig(method="sft"))))
    found = report._nearest(recipe, store, inputs, plain)
    assert sorted(found) == wrong
    assert [(near.kind, near.key) for near in found[wrong[-1]]] == [("training row", "notes/1"), ("document", "notes/a.md")]
    without = report._nearest(make_recipe(), store, inputs, plain)
    assert {near.kind for items in without.values() for near in items} == {"training row"}


def test_held_out_losses_are_drawn_beside_those_of_training() -> None:
    values = {"loss_curve": [[1, 2.0], [2, 1.0]], "curves": {"held_out_loss": [[2, 1.5]]}}
    model = Snapshot(asset="toy/sft_model", partition="", version="v", values=json.loads(json.dumps(values)))
    assert report._loss_curve("sft_model", model).evaluation == ((2, 1.5),)
    assert (
        report._loss_curve("sft_model", Snapshot(asset="a", partition="", version="v", values={"loss_curve": []})).evaluation
        == ()
    )
