"""Options are listed with letters, and the right one is found by letter, position or text."""

from collections.abc import Callable
from typing import Any

import pytest

Read = Callable[..., list[Any]]


@pytest.mark.parametrize(
    ("options", "correct", "lines", "right"),
    [
        (["A)3", "B)4"], "B", "A)3\nB)4", "B)4"),
        (["(a) 3", "(b) 4"], "B", "(a) 3\n(b) 4", "(b) 4"),
        (["3", "4"], "B", "A) 3\nB) 4", "B) 4"),
        (["3", "4"], 1, "A) 3\nB) 4", "B) 4"),
        (["three", "four"], "four", "A) three\nB) four", "B) four"),
        ({"text": ["3", "4"], "label": ["1", "2"]}, "2", "1) 3\n2) 4", "2) 4"),
        ('["3", "4"]', "A", "A) 3\nB) 4", "A) 3"),
    ],
)
def test_the_right_option_is_the_answer(read: Read, options: Any, correct: Any, lines: str, right: str) -> None:
    (record,) = read([{"question": "2 + 2?", "options": options, "correct": correct}])
    assert [message.content for message in record.messages] == [f"2 + 2?\n\n{lines}", right]


def test_the_rationale_comes_first_unless_it_is_switched_off(read: Read) -> None:
    row = {"question": "2 + 2?", "options": ["A)3", "B)4"], "correct": "B", "rationale": "Count."}
    assert read([row])[0].answer == "Count.\n\nB)4"
    assert read([row], {"include_rationale": False})[0].answer == "B)4"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"correct": "C"}, "unknown_option"),
        ({"correct": 7}, "unknown_option"),
        ({"correct": ""}, "empty_text"),
        ({"options": ["A)3"]}, "invalid_options"),
        ({"options": ["A)3", ""]}, "invalid_options"),
        ({"options": ["A)3", {}]}, "invalid_options"),
        ({"options": [str(n) for n in range(30)]}, "invalid_options"),
        ({"options": ["same", "same"], "correct": "same"}, "unknown_option"),
    ],
)
def test_choices_that_make_no_sense(read: Read, change: dict[str, Any], reason: str) -> None:
    good = {"question": "2 + 2?", "options": ["A)3", "B)4"], "correct": "B"}
    assert read([good, good, {**good, **change}])[2].reason == reason
