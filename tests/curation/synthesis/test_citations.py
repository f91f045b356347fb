"""What is formatted as a cited answer can be read back; marks cannot be smuggled in."""

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.cited_answer import Citation, CitedAnswer, read_cited_answer
from curation.synthesis.citations import format_answer, has_marks
from curation.synthesis.parse import UnusableError

plain = st.text(min_size=1, max_size=60).filter(lambda text: not has_marks(text) and text.strip() == text)
numbers = st.none() | st.integers(1, 9999)


@hypothesis.given(st.lists(st.builds(Citation, plain, numbers), max_size=4), plain)
def test_a_cited_answer_can_be_read_back(citations: list[Citation], text: str) -> None:
    assert read_cited_answer(format_answer(citations, text)) == CitedAnswer(tuple(citations), text)


@pytest.mark.parametrize("text", ["a </quote> b", '<quote document="2">', "<Document 3>", "x</document>"])
def test_text_with_marks_is_not_cited(text: str) -> None:
    for quotes, answer in (([Citation(text)], "fine"), ([], text)):
        with pytest.raises(UnusableError) as caught:
            format_answer(quotes, answer)
        assert caught.value.reason == "marks_in_text"


def test_what_is_no_quote_stays_text() -> None:
    assert read_cited_answer("Plain. <quote>late</quote>") == CitedAnswer((), "Plain. <quote>late</quote>")
