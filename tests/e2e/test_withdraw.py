"""A document is withdrawn: the next run trains without its rows; restored, they are back without a call of the teacher."""

import json
from typing import Any

import pytest

from curation.home import Home
from curation.records import Document, Example, Rejection
from curation.review.queue import ReviewQueue, open_queue
from curation.review.reviewers.gold import list_gold, set_gold
from tests.e2e.tiny_recipe import Project, make_project

pytestmark = pytest.mark.slow


def home_of(project: Project) -> Home:
    return Home(path=project.home, store_url=str(project.home / "store"), database_url="", review_url="")


def keys(project: Project, asset: str, table: str, cls: Any) -> list[str]:
    store = home_of(project).store()
    return [row.key for row in store.read_table(cls, store.snapshot(f"tiny/{asset}").tables[table].root)]


def item_of(queue: ReviewQueue, row: str) -> str:
    return next(entry.item.key for entry in queue.list_items("all", limit=1000) if entry.item.record_key == row)


def test_withdrawn_document_is_trained_on_no_more_and_can_come_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    project = make_project(tmp_path_factory.mktemp("withdraw"))
    project.run()
    before = keys(project, "sft_dataset", "examples", Example)
    document = next(key for key in before if key.startswith("docs/")).partition("#")[0]
    with open_queue(home_of(project), "tiny") as queue:
        inside, outside = (next(key for key in before if key.startswith(f"{document}#") == is_in) for is_in in (True, False))
        own, other = (set_gold(queue, item_of(queue, key), ["reject"], by="Lea").item_key for key in (inside, outside))
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
    with open_queue(home_of(project), "tiny") as queue:
        shown = {gold.item_key for gold in list_gold(queue) if gold.is_listed}
        assert own not in shown, "no copy of a withdrawn row is shown"
        assert other in shown
    code, output = project.call("withdraw", document, "--restore", "--reason", "the other one", "--who", "Ada")
    assert code == 0, output
    summary = project.run()
    assert (summary["teacher_calls"], summary["trainings"]) == (0, 0), "all of it was made before"
    assert keys(project, "sft_dataset", "examples", Example) == before
