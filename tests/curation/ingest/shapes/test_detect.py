"""One reading wins, several are refused with all of them listed, none is refused with what is missing."""

from collections.abc import Callable
from typing import Any

import pytest

from curation.ingest.shapes.shaper import ShapeProblem

CHAT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
SHARED = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
TOOL = {"name": "head", "parameters": {}}
EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "alpaca": [
        {"instruction": "Do", "input": "it", "output": "done"},
        {"instruction": "Do", "response": "done", "category": "x"},
        {"Instruction": "Do", "Output": "done"},
        {"instruction": "Do", "context": "c", "response": "done", "category": "qa"},
        {"id": "s", "instruction": "Do", "instances": [{"input": "", "output": "done"}]},
        {"instruction": "Do", "input": "", "output": "done", "text": "Do\n\ndone"},
    ],
    "sharegpt": [{"conversations": SHARED}, {"id": 1, "messages": SHARED, "tools": "[]"}],
    "openai": [
        {"messages": CHAT},
        {"conversations": CHAT, "source": "x"},
        {"prompt": "Hi", "messages": CHAT},
        {"messages": '[{"role": "user", "content": "Hi"}]'},
    ],
    "prompt_completion": [
        {"prompt": "Hi", "completion": "Hello"},
        {"prompt": "Hi", "response": "Hello"},
        {"prompt": CHAT[:1], "completion": CHAT[1:]},
        {"input": "Hi", "target": "Hello"},
        {"inputs": "Hi", "targets": "Hello", "task": "greet"},
    ],
    "preference": [
        {"prompt": "Hi", "chosen": "Hello", "rejected": "What"},
        {"chosen": CHAT, "rejected": [CHAT[0], {"role": "assistant", "content": "What"}]},
        {"conversations": SHARED[:1], "chosen": SHARED[1], "rejected": {"from": "gpt", "value": "What"}},
        {"system": "Be kind.", "question": "Hi", "chosen": "Hello", "rejected": "What"},
        {"prompt": "Hi", "messages_id": "x", "chosen": "Hello", "rejected": "What", "score_chosen": 8.0},
    ],
    "unpaired": [
        {"prompt": "Hi", "completion": "Hello", "label": True},
        {"messages": CHAT, "kto_tag": False},
        {"prompt": "Hi", "completion": "Hello", "label": "false"},
        {"prompt": "Hi", "completion": "Hello", "label": 0},
    ],
    "question_answer": [
        {"question": "Who?", "answer": "Ann"},
        {"Question": "Who?", "Answer": "Ann", "@pid": "1", "Question@qtype": "info"},
        {"question": "Who?", "context": "It was Ann.", "answers": {"text": ["Ann"], "answer_start": [7]}},
        {"question": "How many?", "answer": 4},
        {"question": "Is it?", "passage": "It is.", "answer": True},
        {"problem": "2 + 2?", "solution": "4", "level": 1},
    ],
    "dialogue": [
        {"turns": [{"speaker": "USER", "utterance": "Hi"}, {"speaker": "SYSTEM", "utterance": "Hello"}]},
        {"dialogue": [["customer", "Hi"], ["agent", "Hello"]]},
    ],
    "classification": [{"text": "Lost card", "category": "lost"}, {"sentence": "Good", "label": "positive"}],
    "multiple_choice": [
        {"question": "2 + 2?", "options": ["A)3", "B)4"], "correct": "B", "rationale": "Count."},
        {"question": "2 + 2?", "choices": {"text": ["3", "4"], "label": ["A", "B"]}, "answerKey": "B"},
        {"question": "2 + 2?", "choices": ["3", "4"], "answer": 1, "subject": "sums"},
    ],
    "tool_calling": [
        {"query": "First rows?", "tools": [TOOL], "answers": [{"name": "head", "arguments": {}}]},
        {"question": [[CHAT[0]]], "function": [TOOL], "ground_truth": [{"head": {"n": [5]}}]},
    ],
}


@pytest.mark.parametrize(("name", "row"), [(name, row) for name, rows in EXAMPLES.items() for row in rows])
def test_every_shape_is_found_by_columns_and_types(open_rows: Callable[..., Any], name: str, row: dict[str, Any]) -> None:
    shaper = open_rows([row] * 3)
    assert not isinstance(shaper, ShapeProblem), shaper
    assert shaper.name == name


def test_people_are_told_what_is_read_as_what(open_rows: Callable[..., Any]) -> None:
    rows = [{"id": 1, "instruction": "Do", "input": "", "output": "done"}] * 2 + [{"instruction": "Do", "output": " "}]
    assert (
        open_rows(rows).describe() == "alpaca: instruction -> user, input appended, output -> assistant (2 of 3 head rows fit)"
    )


def test_a_file_with_two_readings_is_refused_with_both(open_rows: Callable[..., Any]) -> None:
    rows = [{"prompt": "Do it.", "instruction": "Do", "input": "it", "response": "done"}] * 3
    problem = open_rows(rows)
    assert problem.reason == "ambiguous_shape"
    assert "prompt_completion: prompt -> user, response -> assistant (3 of 3 head rows fit)" in problem.detail
    assert "alpaca: instruction -> user, input appended, response -> assistant (3 of 3 head rows fit)" in problem.detail
    assert "shape: {name: alpaca}" in problem.detail
    assert open_rows(rows, {"name": "alpaca"}).name == "alpaca"
    by_columns = open_rows(rows, {"columns": {"user": "prompt", "assistant": "response"}})
    assert by_columns.describe().endswith("prompt -> user, response -> assistant (3 of 3 head rows fit)")


def test_rows_with_a_conversation_and_an_answer_have_two_readings(open_rows: Callable[..., Any]) -> None:
    assert open_rows([{"messages": CHAT, "question": "Q", "answer": "A"}]).reason == "ambiguous_shape"


def test_a_file_with_no_reading_is_refused_with_what_it_lacks(open_rows: Callable[..., Any]) -> None:
    problem = open_rows([{"question": "Who?", "score": 3, "meta": {}}])
    assert problem.reason == "unknown_shape"
    for part in (
        "question (text), score (number), meta (dict)",
        "question_answer lacks assistant (answer, ",
        "role: documents",
    ):
        assert part in problem.detail
    assert open_rows([{"text": "only text"}]).reason == "unknown_shape"
    assert open_rows([]).reason == "unknown_shape"


def test_a_label_makes_an_answer_more_than_a_demonstration(open_rows: Callable[..., Any], read: Callable[..., Any]) -> None:
    """A row marked as bad must never be learned as if it were good."""
    rows = [{"prompt": "Hi", "completion": "Hello", "label": number % 2} for number in range(20)]
    assert [record.is_desirable for record in read(rows)] == [False, True] * 10
    rows[3]["label"] = "unsure"
    assert read(rows)[3].reason == "invalid_label"
    rows = [{**row, "label": "unsure"} if number % 3 else row for number, row in enumerate(rows)]
    with pytest.raises(AssertionError, match="declare|ambiguous"):
        read(rows[:3] + [{**rows[0], "label": 1}] * 3)


def test_a_few_strange_rows_do_not_hide_the_shape(read: Callable[..., Any]) -> None:
    rows: list[dict[str, Any]] = [{"instruction": "Do", "output": f"done {n}"} for n in range(20)]
    rows[3] = {"messages": CHAT}
    assert [getattr(record, "reason", "") for record in read(rows)] == [""] * 3 + ["missing_column"] + [""] * 16


def test_rows_that_match_but_cannot_be_used_are_refused_one_by_one(read: Callable[..., Any]) -> None:
    assert [record.reason for record in read([{"messages": CHAT[:1]}] * 2)] == ["ends_with_user"] * 2


def test_declared_columns_win_over_names(open_rows: Callable[..., Any], read: Callable[..., Any]) -> None:
    rows = [{"frage": "Wer?", "antwort": "Ann", "question": "unused", "answer": "unused"}]
    (record,) = read(rows, {"columns": {"user": "frage", "assistant": "antwort"}})
    assert [message.content for message in record.messages] == ["Wer?", "Ann"]
    (record,) = read(rows, question_column="frage", answer_column="antwort")
    assert [message.content for message in record.messages] == ["Wer?", "Ann"]
    problem = open_rows(rows, {"columns": {"user": "nowhere", "assistant": "antwort"}})
    assert (problem.reason, "'nowhere' for user" in problem.detail) == ("unknown_shape", True)


def test_older_column_fields_read_messages_or_answers_in_one_file(read: Callable[..., Any]) -> None:
    rows = [{"talk": CHAT}, {"q": "Q", "a": "A"}, {"q": "Q"}]
    found = read(rows, messages_column="talk", question_column="q", answer_column="a")
    assert [getattr(record, "answer", None) for record in found] == ["Hello", "A", None]
    assert "'talk', or 'q' and 'a'" in found[2].detail


def test_a_source_of_documents_is_told_that_its_rows_are_more(open_rows: Callable[..., Any]) -> None:
    rows = [{"instruction": "Do", "input": "it", "output": "done"}]
    shaper = open_rows(rows, role="documents")
    assert shaper.describe() == (
        "documents: instruction, input, output -> text (1 of 1 head rows fit); "
        "they look like alpaca, which `role: demonstrations` reads"
    )
    assert open_rows([{"text": "t"}], role="documents").describe() == "documents: text -> text (1 of 1 head rows fit)"
    assert open_rows(rows, {"name": "documents"}).name == "documents"


def test_the_order_of_columns_and_rows_does_not_matter(open_rows: Callable[..., Any]) -> None:
    rows = [row for rows in EXAMPLES.values() for row in rows]
    for row in rows:
        turned = dict(reversed(row.items()))
        assert open_rows([row, turned]).describe() == open_rows([turned, row]).describe()


def test_declared_columns_that_nothing_reads_are_refused(open_rows: Callable[..., Any]) -> None:
    rows = [{"instruction": "Do", "output": "done", "text": "t"}]
    for shape, fields, part in (
        ({"name": "alpaca", "columns": {"chosen": "output"}}, {}, "Shape 'alpaca' reads no chosen"),
        ({"columns": {"text": "text"}}, {}, "reads no text"),
        ({"columns": {"user": "instruction"}}, {"role": "documents"}, "declare `role: demonstrations`"),
    ):
        problem = open_rows(rows, shape, **fields)
        assert (problem.reason, part in problem.detail) == ("unknown_shape", True)


def test_a_column_of_another_type_is_not_what_its_name_says(open_rows: Callable[..., Any]) -> None:
    labels = ["spam", "ham", "good", "news", "jobs"]
    assert open_rows([{"prompt": "Hi", "completion": "Hello", "label": label} for label in labels]).name == "prompt_completion"
    assert open_rows([{"prompt": "Hi", "completion": "Hello", "messages": "3 new"}]).name == "prompt_completion"
