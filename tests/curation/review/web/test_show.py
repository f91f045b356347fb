"""Hostile text is shown for what it is."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from curation.review.web.show import (
    MAX_PAGE_CHARS,
    Change,
    diff_words,
    excerpt,
    is_hidden,
    pretty_json,
    reveal,
    shorten_for_page,
)


def test_markup_is_escaped() -> None:
    assert reveal('<img src=x onerror="alert(1)">') == "&lt;img src=x onerror=&#34;alert(1)&#34;&gt;"


def test_bidi_zero_width_control_and_half_characters_are_named() -> None:
    for character in "\u202e\u2066\u200b\u200d\ufeff\u00ad\0\x1b\u2028\U000e0041\u3164\ud83d":
        shown = reveal(f"a{character}b")
        assert character not in shown
        assert f"U+{ord(character):04X}" in shown


def test_line_ends_and_tabs_stay_as_they_are() -> None:
    assert reveal("a\n\tb\r\nc") == "a\n\tb\nc"


@given(st.text())
def test_what_is_shown_holds_no_markup_but_ours_and_can_be_sent(text: str) -> None:
    shown = str(reveal(text))
    bare = re.sub(r'<span class="hidden" title="[^"<>]*">U\+[0-9A-F]+</span>', "", shown)
    assert "<" not in bare
    assert "\u202e" not in shown
    shown.encode()


@given(st.text(), st.text())
def test_a_diff_holds_both_texts(old: str, new: str) -> None:
    changes = diff_words(old, new)
    assert "".join(change.text for change in changes if change.kind != "new") == old
    assert "".join(change.text for change in changes if change.kind != "gone") == new


def test_a_diff_of_long_texts_does_not_take_forever() -> None:
    changes = diff_words("a b " * 50_000, "b a " * 50_000)
    assert [change.kind for change in changes] == ["gone", "new"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a b " * 499, "b c " * 499),
        (".," * 990, ".;," * 660),
        ("." * 1_990 + "a", "b" + "." * 1_990),
        ("a" * 500_000, "a" * 500_000 + "b"),
        ("ab" * 5 + "a.b." * 490, "b.a." * 490),
        ("".join(f"w{number} " for number in range(990)), "".join(f"w{number * 7 % 991} " for number in range(990))),
    ],
)
def test_a_hostile_diff_takes_little_time(old: str, new: str) -> None:
    start = time.thread_time()
    changes = diff_words(old, new)
    assert time.thread_time() - start < 30, "difflib takes a minute for some"
    assert "".join(change.text for change in changes if change.kind != "new") == old
    assert "".join(change.text for change in changes if change.kind != "gone") == new


def test_a_diff_names_the_words_that_changed() -> None:
    assert diff_words("a red fox, quick", "a blue fox is quick") == [
        Change("same", "a "),
        Change("gone", "red"),
        Change("new", "blue"),
        Change("same", " fox"),
        Change("gone", ","),
        Change("new", " is"),
        Change("same", " quick"),
    ]
    assert diff_words("same", "same") == [Change("same", "same")]
    assert diff_words("", "x") == [Change("new", "x")]
    assert diff_words("x", "") == [Change("gone", "x")]


@given(
    st.lists(st.sampled_from(["a", "b", " ", "."]), max_size=14), st.lists(st.sampled_from(["a", "b", " ", "."]), max_size=14)
)
def test_a_diff_is_as_short_as_can_be(old: list[str], new: list[str]) -> None:
    before, after = re.findall(r"\s+|\w+|[^\w\s]", "".join(old)), re.findall(r"\s+|\w+|[^\w\s]", "".join(new))
    lengths = [[0] * (len(after) + 1) for _ in range(len(before) + 1)]
    for i, left in enumerate(before):
        for j, right in enumerate(after):
            lengths[i + 1][j + 1] = lengths[i][j] + 1 if left == right else max(lengths[i][j + 1], lengths[i + 1][j])
    changes = diff_words("".join(old), "".join(new))
    kept = sum(len(re.findall(r"\s+|\w+|[^\w\s]", change.text)) for change in changes if change.kind == "same")
    assert kept == lengths[-1][-1]


def test_json_is_formatted_and_anything_else_left_alone() -> None:
    assert pretty_json('{"a":[1]}') == '{\n  "a": [\n    1\n  ]\n}'
    assert pretty_json("no json") == pretty_json("12") == pretty_json("[" * 20_000) == ""


def test_excerpts_are_one_short_line() -> None:
    assert excerpt("a\n b", 10) == "a b"
    assert len(excerpt("x" * 1000, 20)) == 20


def test_every_hidden_character_is_named_and_no_other() -> None:
    for code in range(0x110000):
        if code > 0x3200 and code % 601:  # a sample of the large blocks
            continue
        character = chr(code)
        assert (reveal(f"a{character}") != escape(f"a{character}")) == is_hidden(character), hex(code)


@pytest.mark.parametrize("text", ["word " * 2_000_000, "\u202e<b>" * 2_500_000, "\ud83d" * 1_000_000, "x" * 10_000_000])
def test_a_long_field_is_cut_for_the_page(text: str) -> None:
    start = time.thread_time()
    short = shorten_for_page(text)
    shown = reveal(short.text)
    assert time.thread_time() - start < 30
    assert short.is_cut
    assert short.num_chars == len(text)
    assert text.startswith(short.text)
    assert 31_000 <= len(short.text) <= MAX_PAGE_CHARS
    assert len(shown) < 3_000_000


def test_a_short_field_is_shown_whole() -> None:
    short = shorten_for_page("a b")
    assert (short.text, short.is_cut) == ("a b", False)
