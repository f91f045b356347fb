"""Rows with a question and an answer, however the columns are called."""

from collections.abc import Callable
from typing import Any

import pytest

Read = Callable[..., list[Any]]


def talk(record: Any) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in record.messages]


def test_alpaca_with_input_system_and_history(read: Read) -> None:
    row = {
        "instruction": "Translate.",
        "input": "Hund \r\n",
        "output": "Dog",
        "system": "Be brief.",
        "history": [["Katze?", "Cat"], ["Maus?", "Mouse"]],
    }
    (record,) = read([row])
    assert talk(record) == [
        ("system", "Be brief."), ("user", "Katze?"), ("assistant", "Cat"), ("user", "Maus?"), ("assistant", "Mouse"),
        ("user", "Translate.\n\nHund"), ("assistant", "Dog"),
    ]  # fmt: skip
    (record,) = read([row], {"separator": "\n"})
    assert talk(record)[-2] == ("user", "Translate.\nHund")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"instruction": "Do", "output": ""}, "empty_text"),
        ({"instruction": " ", "output": "x"}, "empty_text"),
        ({"instruction": "Do"}, "missing_column"),
        ({"instruction": "Do", "output": None}, "missing_column"),
        ({"instruction": "Do", "output": ["x"]}, "not_text"),
        ({"instruction": "Do", "output": "x", "input": {"a": 1}}, "not_text"),
        ({"instruction": "Do", "output": "x", "history": [["a"]]}, "invalid_history"),
    ],
)
def test_alpaca_rows_that_say_too_little(read: Read, row: dict[str, Any], reason: str) -> None:
    found = read([{"instruction": "Do", "output": "done"}, {"instruction": "Do", "output": "done"}, row])
    assert getattr(found[2], "reason", "") == reason


def test_an_optional_column_of_the_wrong_type_in_one_row_spoils_that_row_only(read: Read) -> None:
    good = {"instruction": "Do", "input": "it", "output": "done", "history": []}
    bad = [{**good, "input": {"a": 1}}, {**good, "history": [["a"]]}, {**good, "history": [["", "x"]]}]
    found = read([good] * 40 + bad)
    assert [getattr(record, "reason", "") for record in found] == [""] * 40 + ["not_text", "invalid_history", "empty_turn"]


def test_an_optional_column_that_comes_late_is_read_all_the_same(open_rows: Callable[..., Any]) -> None:
    from curation.ingest.rows import Row

    shaper = open_rows([{"instruction": "Do", "output": "done"}])
    late = shaper.convert("k", Row(9, {"instruction": "Do", "output": "done", "input": "it", "system": "S"}))
    assert talk(late) == [("system", "S"), ("user", "Do\n\nit"), ("assistant", "done")]


def test_seed_tasks_have_one_instance(read: Read) -> None:
    rows = [
        {"instruction": "Add.", "instances": [{"input": "1, 2", "output": "3"}]},
        {"instruction": "Add.", "instances": [{"input": "", "output": "3"}] * 2},
        {"instruction": "Add.", "instances": [{"input": "", "output": ""}]},
    ]
    found = read(rows)
    assert talk(found[0]) == [("user", "Add.\n\n1, 2"), ("assistant", "3")]
    assert [record.reason for record in found[1:]] == ["several_instances", "empty_text"]


def test_prompt_and_completion_as_messages(read: Read) -> None:
    system, user, assistant = ({"role": role, "content": role} for role in ("system", "user", "assistant"))
    found = read([{"prompt": [system, user], "completion": [assistant]}, {"prompt": [user], "completion": "text"}])
    assert talk(found[0]) == [("system", "system"), ("user", "user"), ("assistant", "assistant")]
    assert talk(found[1]) == [("user", "user"), ("assistant", "text")]
    (twice,) = read([{"system": "other", "prompt": [system, user], "completion": [assistant]}])
    assert twice.reason == "two_system_prompts"


@pytest.mark.parametrize(
    ("cell", "answer"),
    [
        ("Ann", "Ann"),
        (["Ann", "Bob"], "Ann"),
        ({"text": ["Ann"], "answer_start": [3]}, "Ann"),
        ([{"text": "Ann", "answer_start": 3}], "Ann"),
        (4, "4"),
        ([" ", "Ann"], "Ann"),
    ],
)
def test_the_first_of_several_answers_counts(read: Read, cell: Any, answer: str) -> None:
    (record,) = read([{"question": "Who?", "context": ["One.", "Two."], "answer": cell}])
    assert talk(record) == [("user", "One.\n\nTwo.\n\nWho?"), ("assistant", answer)]


@pytest.mark.parametrize(
    ("cell", "reason"), [([], "no_answer"), ({"text": []}, "no_answer"), (" ", "empty_text"), (None, "missing_column")]
)
def test_questions_without_an_answer(read: Read, cell: Any, reason: str) -> None:
    found = read([{"question": "Who?", "answer": "Ann"}] * 2 + [{"question": "Who?", "answer": cell}])
    assert found[2].reason == reason


def test_a_class_is_the_answer(read: Read) -> None:
    (record,) = read([{"text": "Where is my card?", "label": 3, "label_text": "card_arrival"}])
    assert talk(record) == [("user", "Where is my card?"), ("assistant", "card_arrival")]


def test_texts_are_normalised(read: Read) -> None:
    (record,) = read([{"question": "\ufeffWho? \r\n", "answer": "e\u0301 \ud800"}])
    assert talk(record) == [("user", "Who?"), ("assistant", "\u00e9 \ufffd")]
