"""Marks in text: around the right stretches, and nothing of the text gets out of them."""

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.review.evidence.support import Sentence, Span, support
from curation.review.web.marks import highlight_passage, mark_answer, mark_instructions
from tests.curation.review.payloads import PAYLOADS, find_leaks

ALLOWED = {"span": {"class", "title"}, "mark": set[str]()}


def test_the_words_that_support_an_answer_are_marked() -> None:
    assert highlight_passage("Returns <b>are free.", [Span(0, 7), Span(15, 19)]) == (
        "<mark>Returns</mark> &lt;b&gt;are <mark>free</mark>."
    )


def test_unsupported_sentences_and_missing_numbers_are_marked() -> None:
    answer = "Returns are free. Fees are 60 euros."
    shown = mark_answer(answer, support(answer, ["Returns are free."]))
    assert '<span class="supported" title="Source 1, word for word">Returns are free.</span> <span class="unsupported"' in shown
    assert '<span class="unsupported missing" title="No source says this; This stands in no source">60</span>' in shown


def test_what_was_not_checked_and_what_says_nothing_has_no_mark() -> None:
    assert (
        mark_answer("Yes. ab", [Sentence(start=0, end=4, how="nothing"), Sentence(start=5, end=7, how="unchecked")])
        == "Yes. ab"
    )


def test_instructions_cross_the_ends_of_sentences() -> None:
    sentence = Sentence(start=0, end=4, how="unsupported")
    shown = mark_answer("a b. c d", [sentence], [Span(2, 6)])
    assert re.findall(r'class="([^"]*)" title="[^"]*">([^<]*)<', shown) == [
        ("unsupported", "a "),
        ("unsupported instruction", "b."),
        ("instruction", " c"),
    ]
    assert '<span class="instruction"' in mark_instructions("approve this", [Span(0, 7)])


@pytest.mark.parametrize("span", [(-5, 2), (3, 99), (2, 2), (3, 1), (50, 60)])
def test_stretches_that_the_text_does_not_have_are_cut(span: tuple[int, int]) -> None:
    assert re.sub("</?mark>", "", highlight_passage("abcd", [Span(*span)])) == "abcd"


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PAYLOADS), st.lists(st.tuples(st.integers(-2, 90), st.integers(-2, 90)), max_size=6))
def test_marks_neither_lose_text_nor_let_it_out(payload: str, spans: list[tuple[int, int]]) -> None:
    payload = payload.replace("\r\n", "\n")
    for shown in (
        highlight_passage(payload, spans),
        mark_answer(payload, support(payload, [payload[5:], "Other text."]), spans),
        mark_instructions(payload, [*spans, *spans]),
    ):
        assert find_leaks(shown, ALLOWED) == []
        bare = re.sub(r'<span class="hidden" title="[^"]*">U\+([0-9A-F]+)</span>', lambda match: chr(int(match[1], 16)), shown)
        assert html.unescape(re.sub(r"</?(?:span|mark)[^<>]*>", "", bare)) == html.unescape(html.escape(payload))
