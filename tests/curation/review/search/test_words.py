"""Words: folded, split the same way however they were written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.review.search.words import MAX_WORD_CHARS, spaced_words, split_words

pytestmark = pytest.mark.slow


def test_words_are_folded_and_split() -> None:
    assert split_words("Größe: str_head(3), naïve CAFÉ") == ["grosse", "str", "head", "3", "naive", "cafe"]
    assert split_words("東京 Tower") == ["東", "京", "tower"]
    assert split_words("\0 \ud800 ... _") == []
    assert split_words("x" * 100) == ["x" * MAX_WORD_CHARS]


@given(st.text() | st.text(alphabet=st.characters(max_codepoint=127)) | st.just("a" * 70 + " b"))
def test_a_line_of_words_holds_just_the_words(text: str) -> None:
    assert spaced_words(text).split() == split_words(text)
