"""Measures of text columns: words, tokens, ends, copies, odd ids; and that hostile texts cost no more than others."""

import time

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.quality.text_measures import (
    count_words,
    ends_properly,
    estimate_tokens,
    find_odd_ids,
    find_sources,
    number_copies,
)


@pytest.mark.parametrize(
    ("text", "proper"),
    [
        ("It returns the first rows.", True),
        ("text", True),
        ("72", True),
        ("#### 72", True),
        ("def f(x):\n    return x", True),
        ("- apples and pears from the big garden\n- plums and cherries from the small garden", True),
        ("See:\n```python\nprint(1)\n```", True),
        ("See:\n```python\nprint(1)", False),
        ("We first take the rows, then", True),
        ("We first take all of the rows and then we", False),
        ("First,", False),
        ("It calls f(", False),
    ],
)
def test_answers_that_stop_in_the_middle(text: str, proper: bool) -> None:
    assert ends_properly(pa.array([text])).to_pylist() == [proper]


def test_words_tokens_and_nothing() -> None:
    assert count_words(pa.array(["one  two\nthree", "", None])).to_pylist() == [3, 0, None]
    assert estimate_tokens(pa.array([0, 1, 4, 5])).to_pylist() == [0, 1, 1, 2]
    assert ends_properly(pa.array([None], pa.string())).to_pylist() == [None]


def test_sources_are_the_first_part_of_the_key() -> None:
    assert find_sources(pa.array(["api/polars.Expr#routing/0", "bare", "a/\nb"])).to_pylist() == ["api", "bare", "a"]


@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from("ab"), st.sampled_from(["", "x"])), min_size=1, max_size=30))
def test_copies_are_numbered_in_key_order_whatever_the_row_order(rows: list[tuple[int, str, str]]) -> None:
    rows = sorted({key: (f"{key:02}", first, second) for key, first, second in rows}.values())
    numbers = number_copies(*(pa.array(column) for column in zip(*rows, strict=True))).to_pylist()
    mirrored = number_copies(*(pa.array(column) for column in zip(*rows[::-1], strict=True))).to_pylist()
    assert mirrored[::-1] == numbers
    assert numbers.count(1) == len({row[1:] for row in rows})


def test_rows_without_text_are_no_copies() -> None:
    nothing = pa.array([None, None], pa.string())
    assert number_copies(pa.array(["a", "b"]), nothing, nothing).to_pylist() == [None, None]


def test_ids_of_the_rarer_kind_are_odd_in_their_file_only() -> None:
    keys = ["s/a#1", "s/a#2", "s/a#x3", "s/b#x", "s/b#y", "s/c.md", "t/a#x", "s/d#1", "s/d#x"]
    assert find_odd_ids(pa.array(keys)).to_pylist() == [False, False, True, False, False, False, False, True, False]
    assert find_odd_ids(pa.chunked_array([keys[:2], keys[2:]])).to_pylist()[2] is True


def test_long_hostile_texts_are_quick() -> None:
    texts = pa.array(["a " * 500_000, "((((" * 200_000, "```" * 200_001, "\n" * 1_000_000, "a" * 1_000_000, "a\n" * 500_000])
    started = time.process_time()
    ends_properly(texts)
    count_words(texts)
    assert time.process_time() - started < 60
