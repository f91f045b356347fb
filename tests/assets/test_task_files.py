"""Items of evaluation tasks in files: a change of a file is seen, and no training row may give an item away."""

import json
from pathlib import Path

import pytest

from assets.recipe import Recipe
from assets.task_files import benchmark_items, file_tasks, task_files
from curation.errors import SourceNotFoundError
from pipelines.recipe import load_recipe
from tests.pipelines.toy_recipe import write_toy


def write_tasks(folder: Path, *questions: str) -> None:
    rows = [{"question": question, "answer": "4", "id": question[:2]} for question in questions]
    (folder / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    write_tasks(tmp_path, "2 + 2?", "1 + 3?")
    text = f"evaluation: {{tasks: [{{name: main}}, {{name: sums, kind: number, data: {tmp_path}/sums.jsonl, max_items: 1}}]}}\n"
    return load_recipe(write_toy(tmp_path, text))


def test_a_changed_file_is_another_input_and_so_is_a_missing_one(recipe: Recipe, tmp_path: Path) -> None:
    (before,) = task_files(recipe)
    assert before.asset == "toy/task_files"
    assert task_files(recipe) == (before,)
    write_tasks(tmp_path, "2 + 2?", "0 + 4?")
    (after,) = task_files(recipe)
    assert after.version != before.version
    (tmp_path / "sums.jsonl").unlink()
    assert task_files(recipe)[0].version not in (before.version, after.version)
    with pytest.raises(SourceNotFoundError):
        benchmark_items(recipe)


def test_all_items_of_files_are_protected_also_those_that_are_not_asked(recipe: Recipe) -> None:
    items = benchmark_items(recipe)
    assert {(item.key, item.benchmark, item.prompt, item.answer) for item in items} == {
        ("sums/2", "sums", "2 + 2?", "4"),
        ("sums/1", "sums", "1 + 3?", "4"),
    }
    assert [task["name"] for task in file_tasks(recipe)] == ["sums"]


def test_documents_that_a_question_shows_are_not_taken_for_the_question(tmp_path: Path) -> None:
    """They are the recipe's own: screened by them, it would lose what it wants to learn from."""
    passage = "Returns are free within 30 days of delivery, and a label is emailed within an hour."
    shown = f"<document 1>\n{passage}\n</document 1>\n\nWhat do returns cost?"
    answer = f'<quote document="1">{passage}</quote>\n\nNothing.'
    (tmp_path / "shop.jsonl").write_text(json.dumps({"question": shown, "answer": answer, "id": "1"}) + "\n")
    tasks = f"[{{name: main}}, {{name: shop, kind: grounded, data: {tmp_path}/shop.jsonl}}]"
    (item,) = benchmark_items(load_recipe(write_toy(tmp_path, f"evaluation: {{tasks: {tasks}}}\n")))
    assert (item.prompt, item.answer) == ("What do returns cost?", "Nothing.")


def test_a_limit_of_the_whole_evaluation_protects_no_fewer_items(tmp_path: Path) -> None:
    write_tasks(tmp_path, "2 + 2?", "1 + 3?", "0 + 4?")
    tasks = f"[{{name: main}}, {{name: sums, kind: number, data: {tmp_path}/sums.jsonl, max_items: 3}}]"
    recipe = load_recipe(write_toy(tmp_path, f"evaluation: {{max_items: 1, tasks: {tasks}}}\n"))
    assert len(benchmark_items(recipe)) == 3


def test_a_recipe_without_such_tasks_has_no_such_input(tmp_path: Path) -> None:
    plain = load_recipe(write_toy(tmp_path, ""))
    assert (task_files(plain), file_tasks(plain), benchmark_items(plain)) == ((), [], ())
