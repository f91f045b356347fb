"""Items from held-out rows and from files: what is asked, what is refused, and that each refusal names its place."""

import contextlib
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import EvaluationError, SourceNotFoundError
from curation.ingest.table_rows import fingerprint_files, read_table_rows
from curation.records import Example, Message
from evaluation.config import EvaluationConfig
from evaluation.tasks.config import METRICS_OF_KIND, Kind, Scoring, TaskConfig
from evaluation.tasks.references import find_problem
from evaluation.tasks.task_items import BuiltItems, FileRow, build_items

Make = Callable[..., Example]


def build(task: TaskConfig, rows: Iterable[dict[str, Any]] = (), examples: Iterable[Example] = (), **config: Any) -> BuiltItems:
    def read(_: str) -> Iterable[FileRow]:
        return (("t.jsonl", number, row, "") for number, row in enumerate(rows, 1))

    return build_items(EvaluationConfig(tasks=(task,), **config), examples, read)


def number_task(**fields: Any) -> TaskConfig:
    return TaskConfig(**{"name": "sums", "kind": "number", "data": "t.jsonl", **fields})


def test_without_tasks_the_held_out_rows_are_asked_as_they_are(example: Make) -> None:
    built = build_items(EvaluationConfig(), [example(number) for number in range(5)], read_table_rows)
    assert [item.key for item in built.items] == [f"api/eval/000{number}" for number in range(5)]
    assert {item.task for item in built.items} == {"held_out"}
    assert built.items[0].reference == example(0).answer
    assert built.items[0].prompt == example(0).prompt


def test_rows_of_a_file_are_read_by_the_names_of_their_columns() -> None:
    built = build(number_task(), [{"question": "2 + 2?", "answer": "#### 4", "id": "a"}])
    (item,) = built.items
    assert (item.key, item.reference, item.group) == ("sums/a", "#### 4", "sums/a")
    assert item.prompt == (Message(role="user", content="2 + 2?"),)


def test_choices_are_listed_with_letters_and_lose_those_that_they_had() -> None:
    task = TaskConfig(name="aqua", kind="choice", data="t.jsonl")
    row = {"question": "How many?", "options": ["A)21", "B)30"], "correct": "B"}
    (item,) = build(task, [row]).items
    assert item.choices == ("21", "30")
    assert item.prompt[0].content == "How many?\n\nA. 21\nB. 30\n\nAnswer with the letter of the right choice."
    (likely,) = build(replace(task, scoring="likelihood"), [row]).items
    assert likely.prompt[0].content == "How many?"


def test_code_and_constraints_of_known_data_sets_become_references() -> None:
    code = TaskConfig(name="code", kind="code", data="t.jsonl")
    test = "def check(candidate):\n    assert candidate() == 1"
    row = {"task_id": "h/1", "prompt": "def f():\n", "test": test, "entry_point": "f"}
    assert json.loads(build(code, [row]).items[0].reference)["entry_point"] == "f"
    mbpp = {"prompt": "Write f.", "test_list": ["assert f(1)", "assert f(2)"], "test_setup_code": "import math"}
    assert json.loads(build(code, [mbpp]).items[0].reference)["tests"] == "import math\nassert f(1)\nassert f(2)"
    form = TaskConfig(name="form", kind="constraints", data="t.jsonl")
    asked = {"prompt": "Say it.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{"n": None}]}
    assert json.loads(build(form, [asked]).items[0].reference) == [{"id": "punctuation:no_comma", "kwargs": {}}]


def test_a_template_asks_with_the_columns_and_nothing_else() -> None:
    task = TaskConfig(name="t", data="t.jsonl", prompt="Translate {source} into {target lang}.", reference="out")
    (item,) = build(task, [{"source": "{x}", "target lang": "Dutch", "out": "y"}]).items
    assert item.prompt[0].content == "Translate {x} into Dutch."
    built = build(task, [{"source": "a", "target lang": "b", "out": "c"}, {"source": "a", "out": "c"}])
    assert built.rejections[0].detail == "File 't.jsonl', row 2: there is no column 'target lang'."


@pytest.mark.parametrize(
    ("row", "reason", "detail"),
    [
        ({"question": "3 + 3?"}, "no_reference", "File 't.jsonl', row 2: there is no reference."),
        ({"question": "3 + 3?", "answer": "six"}, "unusable_reference", "row 2: the reference holds no number."),
        ({"answer": "6"}, "missing_column", "File 't.jsonl', row 2: no column holds a question."),
        ({"question": "2 + 2?", "answer": "4"}, "duplicate_item", "It asks the same as 'sums/"),
        ({"question": " 2 + 2? ", "answer": "5"}, "contradicting_item", "and wants another answer."),
        ({"messages": [{"role": "robot", "content": "x"}], "answer": "1"}, "missing_column", "a turn without role"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_file_and_row(row: dict[str, Any], reason: str, detail: str) -> None:
    built = build(number_task(), [{"question": "2 + 2?", "answer": "4"}, row])
    assert len(built.items) == 1
    assert [each.reason for each in built.rejections] == [reason]
    assert detail in built.rejections[0].detail
    assert built.num_rows == 2


def test_an_id_that_occurs_twice_is_refused() -> None:
    rows = [{"id": 1, "question": f"{number}?", "answer": "4"} for number in range(2)]
    assert [each.reason for each in build(number_task(), rows).rejections] == ["duplicate_item"]


def test_a_task_without_items_stops_with_the_first_reason() -> None:
    with pytest.raises(
        EvaluationError, match=r"the task 'sums' has no item \(t.jsonl\). The first problem: File 't.jsonl', row 1"
    ):
        build(number_task(), [{"question": "?"}])


def test_two_tasks_never_ask_the_same_held_out_row(example: Make) -> None:
    tasks = (TaskConfig(name="a"), TaskConfig(name="b", kind="classification"))
    with pytest.raises(EvaluationError, match="belongs to 'a' and 'b'"):
        build_items(EvaluationConfig(tasks=tasks), [example(1)], read_table_rows)


def test_held_out_rows_are_chosen_by_their_method_and_cut_into_slices(example: Make) -> None:
    rows = [example(1), replace(example(2), task="document_qa")]
    task = TaskConfig(name="t", rows=("routing",), slices=("source", "topic", "length", "answer"))
    (item,) = build(task, examples=rows).items
    assert item.slices == ("source=api", "topic=routing", "length=short", "answer=dates")
    with pytest.raises(EvaluationError, match="no row of raft, but of document_qa, routing"):
        build(TaskConfig(name="t", rows=("raft",)), examples=rows)


def test_a_slice_is_a_column_of_the_file_or_refused() -> None:
    rows = [{"question": "1?", "answer": "1", "level": "hard"}]
    assert build(number_task(slices=("level", "source")), rows).items[0].slices == ("level=hard", "source=t.jsonl")
    with pytest.raises(EvaluationError, match="has the slice 'colour'"):
        build(number_task(slices=("colour",)), rows)


@given(st.permutations(range(30)), st.integers(1, 29))
def test_a_subset_is_the_same_whatever_the_order_and_stays_as_items_come(order: list[int], limit: int) -> None:
    rows = [{"question": f"{number}?", "answer": "1"} for number in order]
    chosen = {item.key for item in build(number_task(), rows, max_items=limit).items}
    again = {item.key for item in build(number_task(), sorted(rows, key=str), max_items=limit).items}
    assert chosen == again
    assert len(chosen) == limit
    more = {item.key for item in build(number_task(), rows, max_items=limit + 1).items}
    assert chosen < more


def test_files_are_read_by_glob_and_a_bad_row_spoils_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"question": "1?", "answer": "1"}\n{oops\n{"question": "2?", "answer": "2"}\n')
    (tmp_path / "b.csv").write_text("question,answer\n3?,3\n")
    (tmp_path / "c.md").write_text("# No rows\n")
    config = EvaluationConfig(tasks=(number_task(data=str(tmp_path / "*")),))
    built = build_items(config, (), read_table_rows)
    assert sorted(item.prompt[0].content for item in built.items) == ["1?", "2?", "3?"]
    assert {each.reason for each in built.rejections} == {"unreadable_row"}
    assert [each.key for each in built.rejections] == ["sums/a.jsonl#2", "sums/c.md#0"]
    before = fingerprint_files(str(tmp_path / "*"))
    (tmp_path / "b.csv").write_text("question,answer\n3?,4\n")
    assert fingerprint_files(str(tmp_path / "*")) != before
    with pytest.raises(SourceNotFoundError):
        list(read_table_rows(str(tmp_path / "none*.jsonl")))


def test_tools_of_a_row_are_definitions_and_make_it_another_question() -> None:
    task = TaskConfig(name="calls", kind="tool_call", data="t.jsonl")
    call, find = '{"name":"find","arguments":{}}', {"type": "function", "function": {"name": "find"}}
    rows: list[dict[str, Any]] = [
        {"question": "Find it", "answer": call, "tools": [find]},
        {"question": "Find it", "answer": call, "tools": json.dumps([find, find])},
        {"question": "Find it", "answer": call},
        {"question": "Find more", "answer": call, "tools": "[1]"},
        {"question": "Find all", "answer": call, "tools": "{"},
    ]
    built = build(task, rows)
    shown = '{"function":{"name":"find"},"type":"function"}'
    assert sorted(item.tools for item in built.items) == ["", f"[{shown},{shown}]", f"[{shown}]"]
    assert [item.reason for item in built.rejections] == ["missing_column", "missing_column"]
    assert "`tools` is no list of definitions" in built.rejections[0].detail
    assert build(replace(task, kind="text"), rows[:1]).items[0].tools == ""


def test_references_that_cannot_be_graded_are_told() -> None:
    assert find_problem("choice", "D", ("a", "b")) == "the reference is none of the choices"
    assert find_problem("choice", "a", ("a", "a")) == "two choices are equal"
    assert find_problem("code", "x = 1", ()) == "the reference holds no test that could fail"
    assert find_problem("tool_call", "{}", ()) == "the reference is no call of a tool"
    assert find_problem("json", "{", ()) == "the reference is no JSON"
    assert "no constraint" in find_problem("constraints", '[{"id": "x"}]', ())
    assert "no pattern" in find_problem("regex", "(", ())
    assert find_problem("text", "x", ()) == ""


def test_rows_that_no_letter_or_constraint_fits_are_refused() -> None:
    choice, form = TaskConfig(name="c", kind="choice", data="t.jsonl"), TaskConfig(name="f", kind="constraints", data="t.jsonl")
    many = {"question": "Which?", "choices": [str(number) for number in range(27)], "answer": "26"}
    with pytest.raises(EvaluationError, match="27 choices and 26 letters"):
        build(choice, [many])
    assert build(replace(choice, scoring="likelihood"), [many]).items[0].reference == "26"
    for kwargs in (5, [{}, {}], "ab"):
        row = {"prompt": "Say it.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": kwargs}
        with pytest.raises(EvaluationError, match="`kwargs` is no list with one entry"):
            build(form, [row])


CELLS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "value", "role", "content"]), inner),
    max_leaves=5,
)
NAMES = (
    "question", "prompt", "messages", "answer", "label", "choices", "sources", "id", "group", "tests", "instruction_id_list",
    "kwargs", "system", "text", "entry_point", "pattern",
)  # fmt: skip


@given(
    kind=st.sampled_from(sorted(METRICS_OF_KIND)),
    row=st.dictionaries(st.sampled_from(NAMES), CELLS, max_size=6),
    is_likelihood=st.booleans(),
)
def test_no_row_of_a_file_stops_the_others(kind: Kind, row: dict[str, Any], is_likelihood: bool) -> None:
    scoring: Scoring = "likelihood" if is_likelihood and kind == "choice" else "generation"
    good = {"question": "2 + 2?", "text": "It is four.", "answer": "4", "id": "good", "choices": ["4", "5"]}
    task = TaskConfig(name="t", kind="text" if kind not in ("number", "choice", "perplexity") else kind, data="t.jsonl")
    built = build(replace(task, scoring=scoring), [row, good])
    assert len(built.items) + len(built.rejections) == built.num_rows == 2
    with contextlib.suppress(EvaluationError):  # no item at all
        build(TaskConfig(name="t", kind=kind, data="t.jsonl", scoring=scoring), [row])
