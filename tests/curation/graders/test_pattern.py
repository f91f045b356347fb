"""A pattern must match the whole of the named part, and no pattern holds a training up."""

import json
import time

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from curation.graders.pattern import grade_regex


def named(pattern: str, part: str) -> str:
    return json.dumps({"pattern": pattern, "part": part})


@pytest.mark.parametrize(
    ("answer", "reference", "is_right"),
    [
        (" 2026-03-01\n", r"\d{4}-\d\d-\d\d", True),
        ("On 2026-03-01", r"\d{4}-\d\d-\d\d", False),
        ("<think>no</think>yes", "yes|no", True),
        ("Let me see.\nv1.2", named(r"v\d+\.\d+", "last_line"), True),
        ("v1.2\nOr so", named(r"v\d+\.\d+", "last_line"), False),
        ("I say 3.\n#### 18", named("1[78]", "final"), True),
        ("no mark", named("no mark", "final"), False),
        ("YES", "(?i)yes", True),
        ("x", "(", False),
        ("x", "", False),
        ("x", named("x", "first_line"), False),
        ('{"a": 1}', r'\{"a": \d\}', True),
        ("x" * 20_001, "x*", False),
        ("x", "(" * 1_000 + ")" * 1_000, False),
    ],
)
def test_the_whole_part_must_match(answer: str, reference: str, is_right: bool) -> None:
    grade = grade_regex(answer, reference)
    assert grade.is_right == is_right
    assert bool(grade.detail) == (not is_right)


def test_catastrophic_patterns_are_ended() -> None:
    start = time.process_time()
    grade = grade_regex("a" * 5_000 + "b", "(a|a|aa)*[cd](.*.*)*")
    assert not grade.is_right
    assert "too long" in grade.detail
    assert time.process_time() - start < 60


@given(st.text(max_size=50).map(lambda text: text.replace("<", "").strip()).filter(bool))
def test_a_text_matches_itself_escaped(text: str) -> None:
    assert grade_regex(f" {text} ", regex.escape(text, literal_spaces=True)).is_right
    assert not grade_regex(text, regex.escape(text) + "!").is_right
