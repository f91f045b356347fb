"""Pairs and thumbs: the prompt is found wherever it stands, and answers are told from it."""

from collections.abc import Callable
from typing import Any

import pytest

Read = Callable[..., list[Any]]
USER, GOOD, BAD = (
    {"role": role, "content": text} for role, text in (("user", "Hi"), ("assistant", "Hello"), ("assistant", "What"))
)
SYSTEM = {"role": "system", "content": "Be kind."}
PLAIN = [("user", "Hi")]
WITH_SYSTEM = [("system", "Be kind."), ("user", "Hi")]


def shared(*turns: dict[str, str]) -> list[dict[str, str]]:
    return [{"from": {"user": "human", "assistant": "gpt"}[turn["role"]], "value": turn["content"]} for turn in turns]


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"prompt": "Hi", "chosen": "Hello", "rejected": "What"}, PLAIN),
        ({"prompt": "Hi", "chosen": [USER, GOOD], "rejected": [USER, BAD]}, PLAIN),
        ({"prompt": "Hi", "chosen": [SYSTEM, USER, GOOD], "rejected": [SYSTEM, USER, BAD]}, WITH_SYSTEM),
        ({"prompt": [USER], "chosen": [GOOD], "rejected": [BAD]}, PLAIN),
        ({"prompt": [SYSTEM, USER], "chosen": GOOD, "rejected": BAD}, WITH_SYSTEM),
        ({"system": "Be kind.", "question": "Hi", "chosen": "Hello", "rejected": "What"}, WITH_SYSTEM),
        ({"system": "Be kind.", "prompt": "Hi", "chosen": [USER, GOOD], "rejected": [USER, BAD]}, WITH_SYSTEM),
        ({"chosen": [SYSTEM, USER, GOOD], "rejected": [SYSTEM, USER, BAD]}, WITH_SYSTEM),
        ({"conversations": shared(USER), "chosen": shared(GOOD)[0], "rejected": shared(BAD)[0]}, PLAIN),
        ({"conversations": shared(USER), "chosen": shared(GOOD), "rejected": shared(BAD)}, PLAIN),
        ({"chosen": "\n\nHuman: Hi\n\nAssistant: Hello", "rejected": "\n\nHuman: Hi\n\nAssistant: What"}, PLAIN),
    ],
)
def test_the_prompt_is_found(read: Read, row: dict[str, Any], prompt: list[tuple[str, str]]) -> None:
    (pair,) = read([row])
    assert [(message.role, message.content) for message in pair.prompt] == prompt
    assert (pair.chosen, pair.rejected, pair.rejected_kind) == ("Hello", "What", "dispreferred")


def test_pairs_of_many_turns_keep_them(read: Read) -> None:
    turns = shared(USER, GOOD, {"role": "user", "content": "And?"})
    (pair,) = read([{"conversations": turns, "chosen": shared(GOOD)[0], "rejected": shared(BAD)[0]}])
    assert [message.content for message in pair.prompt] == ["Hi", "Hello", "And?"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "Hi", "chosen": "Hello", "rejected": "Hello "}, "equal_answers"),
        ({"prompt": "Hi", "chosen": "Hello", "rejected": ""}, "empty_text"),
        ({"prompt": "Hi", "chosen": "Hello", "rejected": None}, "missing_column"),
        ({"prompt": "", "chosen": "Hello", "rejected": "What"}, "empty_text"),
        ({"chosen": "Hello", "rejected": "What"}, "no_user_turn"),
        ({"prompt": None, "chosen": [USER, GOOD], "rejected": [{**USER, "content": "Yo"}, BAD]}, "no_common_prompt"),
        ({"prompt": None, "chosen": [USER, GOOD], "rejected": [USER, BAD, USER, BAD]}, "no_common_prompt"),
        ({"prompt": "Hi", "chosen": [USER, GOOD], "rejected": [USER]}, "no_common_prompt"),
        ({"prompt": [USER, GOOD], "chosen": "Hello", "rejected": "What"}, "repeated_assistant_turn"),
        ({"prompt": "Hi", "chosen": [{**GOOD, "tool_calls": [{"name": "f"}]}], "rejected": [BAD]}, "tool_call_answer"),
        ({"prompt": "Hi", "chosen": "Hello", "rejected": "What", "tools": "x"}, "invalid_tools"),
    ],
)
def test_pairs_that_cannot_be_learned(read: Read, row: dict[str, Any], reason: str) -> None:
    good = {"prompt": "Hi", "chosen": "Hello", "rejected": "What", "tools": []}
    assert read([good] * 3 + [row])[3].reason == reason


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"prompt": "Hi", "completion": "Hello", "label": True}, PLAIN),
        ({"prompt": [SYSTEM, USER], "completion": [GOOD], "label": "True"}, WITH_SYSTEM),
        ({"messages": [USER, GOOD], "kto_tag": True}, PLAIN),
        ({"conversations": shared(USER, GOOD), "label": 1}, PLAIN),
        ({"system": "Be kind.", "instruction": "Hi", "response": "Hello", "is_desirable": "yes"}, WITH_SYSTEM),
    ],
)
def test_thumbs_have_a_prompt_and_an_answer(read: Read, row: dict[str, Any], prompt: list[tuple[str, str]]) -> None:
    (record,) = read([row])
    assert [(message.role, message.content) for message in record.prompt] == prompt
    assert (record.answer, record.is_desirable) == ("Hello", True)


def test_other_labels_must_be_declared(open_rows: Callable[..., Any], read: Read) -> None:
    rows = [{"prompt": "Hi", "completion": "Hello", "label": label} for label in ("5 stars", "1 star")]
    assert open_rows(rows).name == "prompt_completion"
    shape = {"name": "unpaired", "desirable_values": ("5 Stars", "4 stars"), "columns": {"label": "label"}}
    assert [record.is_desirable for record in read(rows, shape)] == [True, False]


def test_thumbs_cannot_bring_tools(open_rows: Callable[..., Any], read: Read) -> None:
    """If no row can be rated, the label is still not ignored: a bad answer must not become a good example."""
    rows = [{"messages": [USER, GOOD], "label": True, "tools": tools} for tools in (["[]"] * 20 + [[{"name": "f"}]])]
    assert [getattr(record, "reason", "") for record in read(rows)] == [""] * 20 + ["unsupported_tools"]
    assert open_rows(rows[20:] * 3).reason == "ambiguous_shape"


def test_a_row_that_ends_with_the_user_has_nothing_to_rate(read: Read) -> None:
    rows = [{"messages": [USER, GOOD], "label": True}, {"messages": [USER], "label": False}]
    assert read(rows)[1].reason == "ends_with_user"
