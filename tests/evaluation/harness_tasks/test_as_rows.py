"""A task file feeds a task of the recipe."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from assets.task_files import read_task_data
from evaluation.config import EvaluationConfig
from evaluation.harness_tasks.as_rows import is_task_file, read_task_rows, task_file_paths
from evaluation.tasks.config import TaskConfig
from evaluation.tasks.task_items import build_items

Write = Callable[..., Path]


def test_documents_become_items(write_task: Write) -> None:
    shots = [{"question": "S?", "choices": ["x", "y"], "answer": 1}]
    path = str(write_task(shots=shots, fewshot_split="train", num_fewshot=1, description="Choose."))
    task = TaskConfig(name="boats", data=path, kind="choice", scoring="likelihood")
    built = build_items(EvaluationConfig(tasks=(task,)), [], read_task_data)
    first, second = built.items
    assert [message.role for message in first.prompt] == ["system", "user"]
    assert first.prompt[0].content == "Choose."
    assert first.prompt[1].content == "Q: S?\nA: y\n\nQ: One?\nA:"
    assert (first.choices, first.reference, first.key) == (("a stone", "b"), "b", "boats/0")
    assert (second.choices, second.reference) == (("cc", "d"), "cc")


def test_texts_and_perplexity_too(write_task: Write) -> None:
    path = str(write_task(output_type="generate_until", doc_to_choice=None, doc_to_target="text"))
    assert next(read_task_rows(path))[2] == {"id": "0", "question": "Q: One?\nA:", "answer": "b"}
    rolling: dict[str, Any] = {"output_type": "loglikelihood_rolling", "doc_to_choice": None, "doc_to_target": "text"}
    path = str(write_task(**rolling))
    task = TaskConfig(name="page", data=path, kind="perplexity")
    assert [item.reference for item in build_items(EvaluationConfig(tasks=(task,)), [], read_task_data).items] == ["b", "1007"]


def test_documents_that_cannot_be_asked_are_rejected_by_name(write_task: Write) -> None:
    good = {"question": "Q", "choices": ["x", "yy"], "answer": 0}
    path = str(write_task(rows=[good, {**good, "answer": 5}, {**good, "answer": [0, 1]}, {"choices": ["x"], "answer": 0}]))
    task = TaskConfig(name="boats", data=path, kind="choice")
    built = build_items(EvaluationConfig(tasks=(task,)), [], read_task_data)
    assert len(built.items) == 1
    details = [row.detail for row in built.rejections]
    assert all(part in text for part, text in zip(("none of its 2", "2 right answers", "undefined"), details, strict=True))
    assert details[0].startswith("File 'boats.yaml', row 2")


def test_a_change_of_its_data_is_a_change(write_task: Write, tmp_path: Path) -> None:
    path = str(write_task())
    assert task_file_paths(path) == [path, str(tmp_path / "test.jsonl")]
    assert task_file_paths(str(tmp_path / "none.yaml")) == [str(tmp_path / "none.yaml")]
    assert is_task_file("a/b.yml")
    assert not is_task_file("a/b.jsonl")
