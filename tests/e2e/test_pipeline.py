"""The whole graph on a tiny recipe: what runs again after which change, and the chain back from model to source."""

import json
from pathlib import Path

import pytest

from assets.release import evidence_of
from assets.scores import read_comparison
from curation.home import Home
from curation.records import Example, Rejection
from evaluation.gate.promotion import decide_promotion
from evaluation.records import EvalAnswer, EvalItem, Score
from pipelines.recipe import load_recipe
from tests.e2e.tiny_recipe import Project, make_project

pytestmark = pytest.mark.slow
TASK_ROWS = {
    "sums": [{"question": f"What is {n} + {n}?", "answer": f"#### {2 * n}"} for n in range(4)] + [{"question": "And?"}],
    "picks": [{"question": f"Pick {n}.", "choices": ["boats", "bread"], "answer": "A"} for n in range(4)],
    "prose": [{"text": f"The sail number {n} is dry."} for n in range(3)],
}
COMPARATORS = ["base", "base_few_shot", "base_retrieval", "majority", "sft", "candidate", "candidate_retrieval", "champion"]
RELEASE = {
    "minimum_items": 2,
    "metric": "accuracy",
    "guards": [{"metric": "accuracy", "task": "picks", "on_undecided": "allow"}, {"metric": "accuracy", "slice": "source"}],
}


def evaluate(folder: Path) -> dict:
    """Return the section `evaluation`: four tasks, three of them of files."""
    kinds = {"sums": "number", "picks": "choice", "prose": "perplexity"}
    files = [{"name": name, "kind": kind, "data": str(folder / f"{name}.jsonl")} for name, kind in kinds.items()]
    files[0] |= {"area": "arithmetic", "max_new_tokens": 4}
    files[1] |= {"scoring": "likelihood"}
    main = {"name": "routing", "kind": "classification", "slices": ["source", "length"]}
    few = {"max_items": 12, "max_new_tokens": 8, "bootstrap_samples": 200}
    return {**few, "tasks": [main, *files], "comparators": COMPARATORS, "gpu_usd_per_hour": 2.0}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict]:
    folder = tmp_path_factory.mktemp("tiny")
    project = make_project(folder, evaluation=evaluate(folder), release=RELEASE)
    for name, rows in TASK_ROWS.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return project, project.run()


def test_first_run_trains_compares_and_decides(done: tuple[Project, dict]) -> None:
    _, summary = done
    assert summary["teacher_calls"] == 12
    assert summary["trainings"] == 1
    assert summary["stages_trained"] == ["base_model", "dapt_model", "sft_model", "preference_model"]
    assert summary["scores"]["n"] >= 2
    assert 0 <= summary["scores"]["p_value"] <= 1
    assert summary["promoted"] is (summary["verdict"] == "pass")


def test_tasks_are_asked_scored_compared_and_proved(done: tuple[Project, dict]) -> None:
    home = Home(path=done[0].home, store_url=str(done[0].home / "store"), database_url="", review_url="")
    store = home.store()
    answers, compared = (store.snapshot(f"tiny/{name}") for name in ("answers", "comparison"))
    items = list(store.read_table(EvalItem, answers.tables["items"].root))
    assert {item.task for item in items} == {"routing", "sums", "picks", "prose"}
    refused = list(store.read_table(Rejection, answers.tables["rejections"].root))
    assert [row.detail for row in refused] == ["File 'sums.jsonl', row 5: there is no reference."]
    asked = {row.comparator for row in store.read_table(EvalAnswer, answers.tables["answers"].root)}
    assert asked == set(COMPARATORS) - {"champion"}
    scores = list(store.read_table(Score, store.snapshot("tiny/scores").tables["scores"].root))
    assert {row.metric for row in scores} == {"accuracy", "macro_f1", "accuracy_norm", "log_loss"}
    assert len(scores) == len(asked) * sum(2 if item.task in ("routing", "picks") else 1 for item in items)
    assert isinstance(compared.values["sums_accuracy_base"], float)
    assert compared.values["cost_per_1000_usd_candidate"] > 0
    found = read_comparison(store, compared)
    assert [task.task for task in found.tasks] == ["routing", "sums", "picks", "prose"]
    assert {item.slice for item in found.slices} >= {"source=docs", "length=short"}
    assert {item.task for item in found.guards} == {"picks", "routing"}
    recipe = load_recipe(done[0].recipe)
    decision = decide_promotion(evidence_of(recipe, home), store, recipe.evaluation, recipe.release)
    assert "does not hold" not in decision.reason
    assert (decision.verdict, decision.reason) == (found.verdict, found.reason)


def test_second_run_does_nothing(done: tuple[Project, dict]) -> None:
    summary = done[0].run()
    assert (summary["teacher_calls"], summary["trainings"]) == (0, 0)


def test_white_space_edit_stops_after_the_first_layer(done: tuple[Project, dict]) -> None:
    project = done[0]
    path = project.documents[0]
    before = path.read_text()
    path.write_text(before.replace("\n\n", "\n\n\n") + "\n  \n")
    _, output = project.call("run", str(project.recipe))
    assert "documents            done" in output
    assert "candidates           done" not in output
    assert "curated_examples     done" not in output
    path.write_text(before)


def test_editing_one_document_calls_for_it_alone_and_trains_once(done: tuple[Project, dict]) -> None:
    project = done[0]
    path = project.documents[0]
    before = path.read_text()
    path.write_text(before.replace("with care", "with great care and both hands"))
    summary = project.run()
    assert summary["teacher_calls"] == 1
    assert summary["trainings"] == 1
    path.write_text(before)
    summary = project.run()
    assert (summary["teacher_calls"], summary["trainings"]) == (0, 0), "a revert finds what was made before"


def test_deleting_a_document_removes_its_rows(done: tuple[Project, dict]) -> None:
    project = done[0]
    path = project.documents[-1]
    before = path.read_text()
    assert any(path.name in key for key in _training_and_held_out_keys(project))
    path.unlink()
    summary = project.run()
    assert summary["teacher_calls"] == 0
    assert not any(path.name in key for key in _training_and_held_out_keys(project))
    path.write_text(before)
    project.run()


def test_trace_leads_from_a_row_to_source_call_and_verdict_and_from_the_model_to_its_data(done: tuple[Project, dict]) -> None:
    project = done[0]
    store = _home(project).store()
    rows = [
        row
        for row in store.read_table(Example, store.snapshot("tiny/sft_dataset").tables["examples"].root)
        if row.provenance.spans
    ]
    row = rows[0]
    code, output = project.call("trace", row.key)
    assert code == 0
    for part in ("source", "teacher call", "verdict", "automatic", "template", row.answer):
        assert part in output, part
    model = store.snapshot("tiny/preference_model").folders["model"]
    code, output = project.call("trace", model)
    assert code == 0
    assert "tiny/preference_dataset" in output
    assert store.snapshot("tiny/base_model").folders["model"] in output
    code, output = project.call("trace", "no-such-id")
    assert (code, output.count("\n")) == (1, 1)


def test_checks_command_has_the_right_exit_code(done: tuple[Project, dict]) -> None:
    project = done[0]
    code, output = project.call("check", str(project.recipe))
    assert code == 0, output
    assert "no_held_out_rows" in output
    strict = {"suites": {"sft_dataset": [{"type": "expect_table_row_count_to_be_between", "args": {"min_value": 10_000}}]}}
    project.change_recipe(quality=strict)
    code, output = project.call("check", str(project.recipe))
    project.change_recipe(
        quality={"suites": {"sft_dataset": [{"type": "expect_table_row_count_to_be_between", "args": {"min_value": 1}}]}}
    )
    assert code == 1, output


def _home(project: Project) -> Home:
    return Home(path=project.home, store_url=str(project.home / "store"), database_url="", review_url="http://127.0.0.1:3001")


def _training_and_held_out_keys(project: Project) -> list[str]:
    store = _home(project).store()
    roots = [store.snapshot(f"tiny/{name}").tables["examples"].root for name in ("sft_dataset", "eval_set")]
    return [row.key for root in roots for row in store.read_table(Example, root)]
