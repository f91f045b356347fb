"""A task of the harness by its name feeds a task of the recipe, and is read once."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from assets.task_files import benchmark_items, read_task_data, task_files
from curation.errors import ConfigError, EvaluationError
from curation.ids import canonical_json, content_hash
from evaluation.config import EvaluationConfig
from evaluation.harness_tasks import lm_eval_bridge
from evaluation.harness_tasks.as_rows import read_task_rows
from evaluation.harness_tasks.lm_eval_bridge import is_installed
from evaluation.harness_tasks.pinned_rows import NOT_PINNED, pin_path, pin_rows, pinned_version, read_pin, read_pinned_rows
from evaluation.tasks.config import TaskConfig
from evaluation.tasks.task_items import build_items
from pipelines.recipe import load_recipe
from tests.pipelines.toy_recipe import write_toy

Write = Callable[..., Path]
needs_harness = pytest.mark.skipif(not is_installed(), reason="lm-eval is not installed: pip install 'tunewright[harness]'")
SHOTS = [{"question": "S?", "choices": ["x", "y"], "answer": 1}, {"question": "T?", "choices": ["v", "w"], "answer": 0}]
COLUMNS = {"id": "0", "question": "Q: S?\nA: y\n\nQ: One?\nA:", "bare_question": "One?", "answer": "b", "choices": ["a", "b"]}


def write_pin(data: str, folder: Path) -> Path:
    """Pin one document as if the harness had been asked."""
    rows = [{"columns": COLUMNS, "problem": ""}, {"columns": None, "problem": "KeyError: 'x'"}]
    path = pin_path(data, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(canonical_json(line) + "\n" for line in ({"task": "arc", "rows": content_hash(rows)}, *rows)))
    return path


@pytest.mark.parametrize(
    "data", ["harness:", "harness:a b", "harness:-x", "harness:tasks/", "harness:a,b", "harness:x/../;y", "harness:a\n"]
)
def test_a_name_that_is_none_is_refused(data: str) -> None:
    with pytest.raises(ConfigError, match="must be `harness:NAME`"):
        TaskConfig(name="arc", data=data)


def test_names_that_are_some() -> None:
    for data in ("harness:arc_easy", "harness:ceval-valid_law", "harness:my tasks/boats", "harness:/abs/boats"):
        assert TaskConfig(name="arc", data=data).data == data


def test_without_the_harness_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lm_eval_bridge, "is_installed", lambda: False)
    with pytest.raises(EvaluationError, match=r"`data: harness:arc_easy` .* needs the extra `harness`: pip install"):
        pin_rows("harness:arc_easy", tmp_path)
    assert pinned_version("harness:arc_easy", tmp_path) == NOT_PINNED


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="none, which is not there"):
        pin_rows(f"harness:{tmp_path}/none/boats", tmp_path)


def test_pinned_documents_need_no_harness_and_may_not_be_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lm_eval_bridge, "is_installed", lambda: False)
    path = write_pin("harness:arc", tmp_path)
    assert list(read_pinned_rows("harness:arc", tmp_path)) == [("arc", 1, COLUMNS, ""), ("arc", 2, None, "KeyError: 'x'")]
    whole = path.read_text()
    for changed in (whole.replace('"answer":"b"', '"answer":"a"'), whole[:-20], "", "[]\n", "null\n"):
        assert changed != whole
        path.write_text(changed)
        with pytest.raises(EvaluationError, match="were changed. Delete the file"):
            read_pin(path)


def test_its_state_is_an_input_and_its_questions_are_protected_without_shots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(lm_eval_bridge, "is_installed", lambda: False)
    tasks = "[{name: main}, {name: arc, kind: choice, scoring: likelihood, data: 'harness:arc'}]"
    recipe = load_recipe(write_toy(tmp_path, f"evaluation: {{tasks: {tasks}}}\n"))
    (before,) = task_files(recipe, pins=False)
    with pytest.raises(EvaluationError, match="needs the extra"):
        task_files(recipe)
    write_pin("harness:arc", tmp_path / "home" / "harness")
    (after,) = task_files(recipe)
    assert (after,) == task_files(recipe, pins=False) != (before,)
    assert [item.prompt for item in benchmark_items(recipe)] == ["One?"]


@pytest.mark.slow
@needs_harness
def test_documents_are_those_that_the_harness_asks(write_task: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    path = write_task(shots=SHOTS, fewshot_split="train", num_fewshot=1, description="Choose.\n\n", metadata={"version": 3.0})
    mine = [columns for _, _, columns, _ in read_task_rows(str(path))]
    own = tmp_path / "own"
    own.mkdir()
    content = yaml.safe_load(path.read_text())
    files = content["dataset_kwargs"]["data_files"]
    content["dataset_kwargs"]["data_files"] = {split: str(tmp_path / name) for split, name in files.items()}
    text = content.pop("doc_to_text")
    (own / "ask.py").write_text("def ask(row):\n    return f\"Q: {row['question']}\\nA:\"\n")
    (own / "boats.yaml").write_text(yaml.safe_dump(content) + "doc_to_text: !function ask.ask\n")
    content["doc_to_text"] = text
    (own / "lost.yaml").write_text(
        yaml.safe_dump({**content, "task": "lost", "dataset_path": "nobody/none", "dataset_kwargs": {}})
    )
    task = TaskConfig(name="boats", data=f"harness:{own}/boats", kind="choice", scoring="likelihood")
    built = build_items(EvaluationConfig(tasks=(task,)), [], read_task_data)
    assert [columns for _, _, columns, _ in read_task_data(task.data)] == mine
    assert built.items[0].prompt[0].content == "Choose."
    assert built.items[0].prompt[1].content.endswith("\n\nQ: One?\nA:")
    assert (built.items[0].reference, built.items[1].reference) == ("b", "cc")
    pin = read_pin(pin_path(task.data, tmp_path / "home" / "harness"))
    assert (pin.made_by["task_version"], pin.made_by["num_documents"], pin.made_by["num_fewshot"]) == ("3.0", 2, 1)
    (tmp_path / "test.jsonl").write_text(json.dumps({"question": "New?", "choices": ["x", "y"], "answer": 0}) + "\n")
    assert len(list(read_task_data(task.data))) == 2, "what was read stays"
    before = pinned_version(task.data, tmp_path / "home" / "harness")
    os.utime(own / "boats.yaml")
    assert pinned_version(task.data, tmp_path / "home" / "harness") == before
    with pytest.raises(EvaluationError, match=r"data set of the harness's task 'lost' cannot be had .*HF_HUB_OFFLINE"):
        list(read_task_data(f"harness:{own}/lost"))
    (own / "all.yaml").write_text(yaml.safe_dump({"group": "all", "task": ["boats"]}))
    with pytest.raises(EvaluationError, match="'all' is no task of the harness but a group or tag \\(1: boats\\)"):
        list(read_task_data(f"harness:{own}/all"))
    (own / "boats.yaml").write_text(yaml.safe_dump({**content, "description": "Pick."}))
    assert pinned_version(task.data, tmp_path / "home" / "harness") == NOT_PINNED
