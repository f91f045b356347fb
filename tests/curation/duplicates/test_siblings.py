"""The sibling guard tells tasks apart that look alike, and lets rewordings of one task pass."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.duplicates.siblings import are_siblings, read_marks


def _differ(one: str, two: str) -> bool:
    found = are_siblings(read_marks(one), read_marks(two))
    assert found == are_siblings(read_marks(two), read_marks(one))
    return found


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("What is 7 times 8?", "What is 8 times 7?"),
        ("What is seven times 8?", "What is six times 8?"),
        ("What day was 2024-03-04?", "What day was 2024-04-03?"),
        ("Which rows are null?", "Which rows are not null?"),
        ("Can I sort?", "Can't I sort?"),
        ("\u8fd9\u662f\u597d\u7684\u5417", "\u8fd9\u4e0d\u662f\u597d\u7684\u5417"),
        ("What does `head` do?", "What does `tail` do?"),
        ("What does read_csv do?", "What does read_ipc do?"),
        ("What does Expr.str do?", "What does Expr.dt do?"),
        ("Does a.sort come before b.sort?", "Does b.sort come before a.sort?"),
        ("What does groupBy do?", "What does orderBy do?"),
        ("What does head() do?", "What does tail() do?"),
        ('Rename "a" to b', 'Rename "c" to b'),
        ("Write CSV files", "Write IPC files"),
        ("What I Need To Know About Hepatitis A", "What I Need To Know About Hepatitis B"),
        ("What is the capital of France?", "What is the capital of Spain?"),
        ("Show me the first row of the table", "Show me the last row of the table"),
        ("Name the largest animal on land", "Name the smallest animal on land"),
    ],
)
def test_siblings_differ(one: str, two: str) -> None:
    assert _differ(one, two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("How do I sort the rows?", "how can I sort rows, please"),
        ("What does read_csv do in Polars?", "WHAT DOES READ_CSV DO IN POLARS!"),
        ("What does groupBy do with CSV files?", "what does groupby do with csv files"),
        ("Please answer: What is the capital of France?", "What Is The Capital Of France"),
        ("Don't sort the rows of 1,000 files", "do not sort the rows of 1000 files"),
        ("What is 7 times 8?", "Hello. What is 7 times 8, please?"),
        ("What is seven times eight?", "What is 7 times 8?"),
        ("I do not know what `head` does", "I don\u2019t know what head does"),
    ],
)
def test_rewordings_are_no_siblings(one: str, two: str) -> None:
    assert not _differ(one, two)


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_text_is_no_sibling_of_itself_and_order_does_not_matter(one: str, two: str) -> None:
    assert not _differ(one, one)
    _differ(one, two)


@given(st.text("abc XYZ.5'\"`_(", max_size=60))
def test_case_is_no_difference(text: str) -> None:
    assert not _differ(text, text.upper())


@pytest.mark.parametrize("part", ["a", "A", "a.", "_", "`", '"', "aB", "\u201c", "(", "7,", "A1", "a_", " "])
def test_long_texts_take_little_time(part: str) -> None:
    started = time.process_time()
    read_marks(part * (1_000_000 // len(part)))
    assert time.process_time() - started < 60
