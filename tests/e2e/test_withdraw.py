"""A document is withdrawn: the next run trains without its rows; restored, they are back without a call of the teacher."""

import json

import pytest

from curation.home import Home
from curation.records import Document, Example, Rejection
from tests.e2e.tiny_recipe import Project, make_project

pytestmark = pytest.mark.slow


def keys(project: Project, asset: str, table: str, cls: type) -> list[str]:
    store = Home(path=project.home, store_url=str(project.home / "store"), database_url="", review_url="").store()
    return [row.key for row in store.read_table(cls, store.snapshot(f"tiny/{asset}").tables[table].root)]


def test_withdrawn_document_is_trained_on_no_more_and_can_come_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    project = make_project(tmp_path_factory.mktemp("withdraw"))
    project.run()
    before = keys(project, "sft_dataset", "examples", Example)
    document = next(key for key in before if key.startswith("docs/")).partition("#")[0]
    code, output = project.call("withdraw", document, "--reason", "sent by mistake", "--who", "Ada", "--json")
    assert code == 0, output
    reach = json.loads(output)
    assert {model["asset"] for model in reach["models"]} >= {"tiny/sft_model", "tiny/preference_model"}
    assert "tiny/documents" in project.call("status", str(project.recipe))[1], "what is out of date is noticed"
    summary = project.run()
    assert (summary["teacher_calls"], summary["trainings"]) == (0, 1)
    after = [key for name in ("sft_dataset", "eval_set") for key in keys(project, name, "examples", Example)]
    assert not [key for key in after if key.startswith(f"{document}#")]
    assert document not in keys(project, "dapt_corpus", "documents", Document)
    assert document in keys(project, "rejections", "rejected_rows", Rejection)
    code, output = project.call("withdraw", document, "--restore", "--reason", "the other one", "--who", "Ada")
    assert code == 0, output
    summary = project.run()
    assert (summary["teacher_calls"], summary["trainings"]) == (0, 0), "all of it was made before"
    assert keys(project, "sft_dataset", "examples", Example) == before
