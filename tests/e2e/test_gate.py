"""With policy `all` and one open item training refuses: in a run, alone, behind a forged event; then it runs."""

from pathlib import Path

import dagster as dg
import pytest

from assets.review import pass_review_gate
from curation.errors import ReviewGateError
from curation.home import Home
from curation.review.queue import ReviewQueue, open_queue
from pipelines.compose import build_definitions
from pipelines.console import quiet_warnings
from pipelines.recipe import load_recipe
from tests.e2e.tiny_recipe import STEPS, Project, make_project
from training.config import DATA_OF

pytestmark = pytest.mark.slow
TRAINING = {
    "base": {"hidden_size": 32, "num_layers": 1, "num_heads": 2, "vocab_size": 400, "context_length": 256},
    "stages": [{"method": "sft", **STEPS}],
}


def _decide_all_but(queue: ReviewQueue, num_open: int) -> None:
    for entry in queue.list_items("open", limit=1000)[num_open:]:
        queue.submit(entry.item.key, "approve", "ada", "human", token=f"t-{entry.item.key}", expected=entry.seen)


def _materialize_alone(project: Project, instance: dg.DagsterInstance, name: str) -> dg.ExecuteInProcessResult:
    job = build_definitions([load_recipe(project.recipe)]).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(asset_selection=[dg.AssetKey(["tiny", name])], instance=instance, raise_on_error=False)


@pytest.mark.filterwarnings("ignore")
def test_training_waits_for_the_last_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet_warnings()
    generate = {"routing": {"routes": {"boats": ["boats:*"], "bread": ["bread:*"]}, "questions_per_document": 1}}
    project = make_project(tmp_path, review={"policy": "all", "accept": "human"}, training=TRAINING, generate=generate)
    code, output = project.call("run", str(project.recipe))
    assert code == 1
    assert "wait for a verdict" in output
    assert "sft_model            done" not in output

    monkeypatch.setenv("TUNEWRIGHT_HOME", str(project.home))
    home, recipe = Home.from_environment(), load_recipe(project.recipe)
    with open_queue(home, "tiny") as queue:
        assert queue.counts().num_open == 20
        _decide_all_but(queue, 1)
        assert queue.counts().num_open == 1

    with dg.DagsterInstance.ephemeral() as instance:
        for name in ("verified_examples", "sft_dataset", "base_model"):
            _materialize_alone(project, instance, name)
        assert home.store().snapshot("tiny/sft_dataset").tables["examples"].num_rows > 0
        assert not _materialize_alone(project, instance, "sft_model").success

        key = dg.AssetKey(["tiny", "verified_examples"])
        forged = dg.AssetCheckEvaluation(asset_key=key, check_name="review_complete", passed=True, metadata={})
        instance.report_runless_asset_event(forged)
        instance.report_runless_asset_event(dg.AssetMaterialization(asset_key=key))
        result = _materialize_alone(project, instance, "sft_model")
        assert not result.success
        with pytest.raises(ReviewGateError, match="First row"):
            pass_review_gate(recipe, home, DATA_OF["sft"])
        assert home.store().find_snapshot("tiny/sft_model") is None

    with open_queue(home, "tiny") as queue:
        _decide_all_but(queue, 0)
    summary = project.run()
    assert summary["stages_trained"] == ["sft_model"]
    assert summary["trainings"] == 1
