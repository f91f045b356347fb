"""Task files are read as the harness means them, and refused by name where they need it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curation.errors import EvaluationError
from evaluation.harness_tasks.task_file import read_task

Write = Callable[..., Path]


def test_defaults_are_those_of_the_harness(write_task: Write) -> None:
    task = read_task(write_task())
    assert [metric.name for metric in task.metrics] == ["acc", "acc_norm"]
    assert (task.target_delimiter, task.fewshot_delimiter, task.num_fewshot, task.eval_split) == (" ", "\n\n", 0, "test")
    generated = read_task(write_task(output_type=None, doc_to_choice=None))
    assert (generated.output_type, generated.metrics[0].name) == ("generate_until", "exact_match")


def test_files_include_others_and_override_them(write_task: Write, tmp_path: Path) -> None:
    write_task()
    (tmp_path / "child.yaml").write_text("include: boats.yaml\ntask: child\nnum_fewshot: 3\ntag: [a]\nmetadata: {version: 1}\n")
    task = read_task(tmp_path / "child.yaml")
    assert (task.task, task.num_fewshot, task.doc_to_target) == ("child", 3, "answer")
    (tmp_path / "loop.yaml").write_text("include: loop.yaml\n")
    with pytest.raises(EvaluationError, match="includes files without end"):
        read_task(tmp_path / "loop.yaml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"doc_to_txt": "x"}, "unknown key `doc_to_txt`; did you mean `doc_to_text`"),
        ({"process_docs": "x"}, "`process_docs` runs through the harness only: install the extra `harness`"),
        ({"unsafe_code": True}, "`unsafe_code` runs through the harness only"),
        ({"repeats": 5}, "`repeats` above 1"),
        ({"output_type": "score"}, "`output_type` must be one of multiple_choice.*not 'score'"),
        ({"task": None}, "`task` is missing"),
        ({"doc_to_text": 5}, "`doc_to_text` must be a text, not 5"),
        ({"num_fewshot": "3"}, "`num_fewshot` must be a number, not '3'"),
        ({"num_fewshot": -1}, "must lie in 0..1000, not -1"),
        ({"test_split": None}, "neither a `test_split` nor a `validation_split`"),
        ({"doc_to_choice": None}, "`doc_to_choice` is missing"),
        ({"generation_kwargs": {"temperature": 0.7}}, "answers are greedy here"),
        ({"metric_list": ["acc"]}, "an entry without the name of a metric: 'acc'"),
        ({"filter_list": [{"name": "f"}]}, "no list of functions"),
    ],
)
def test_what_cannot_be_is_named(write_task: Write, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(EvaluationError, match=f"boats.yaml cannot be used: .*{message}"):
        read_task(write_task(**changes))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("process_docs: !function helpers.process\n", "`!function helpers.process` is Python, which runs through the harness"),
        ("x: !!python/object/apply:os.system [id]\n", "could not determine a constructor"),
        ("- a\n", "it is no mapping"),
        ("a: [\n", "while parsing"),
        ("\x00", "special characters"),
    ],
)
def test_files_are_read_safely(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.yaml").write_text(text)
    with pytest.raises(EvaluationError, match=message):
        read_task(tmp_path / "t.yaml")
    with pytest.raises(EvaluationError, match="No such file"):
        read_task(tmp_path / "none.yaml")
