"""The whole graph on a tiny recipe: what runs again after which change, and the chain back from model to source."""

import pytest

from curation.home import Home
from curation.records import Example
from tests.e2e.tiny_recipe import Project, make_project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict]:
    project = make_project(tmp_path_factory.mktemp("tiny"))
    return project, project.run()


def test_first_run_trains_compares_and_decides(done: tuple[Project, dict]) -> None:
    _, summary = done
    assert summary["teacher_calls"] == 12
    assert summary["trainings"] == 1
    assert summary["stages_trained"] == ["base_model", "dapt_model", "sft_model", "preference_model"]
    assert summary["scores"]["n"] >= 2
    assert 0 <= summary["scores"]["p_value"] <= 1
    assert summary["promoted"] is (summary["verdict"] == "pass")


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
