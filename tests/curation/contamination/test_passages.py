"""What of a row is embedded: questions whole, documents by paragraph and sentence."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.contamination.passages import PARAGRAPH_WORDS, WINDOW_WORDS, passages_of
from tests.curation.contamination.rows import QUESTION, chat, document, example, filler, pair

LONG = " ".join(f"This is sentence number {number} of a long page." for number in range(60))


def test_a_chat_gives_its_prompts() -> None:
    assert [passage.text for passage in passages_of(0, example("a/1", QUESTION, "no", system="You are a helpful bot."))] == [
        QUESTION
    ]
    assert [passage.text for passage in passages_of(0, chat("a/1", QUESTION, "Hm.", "And why is that so?", "Because."))] == [
        f"{QUESTION}\nHm.\nAnd why is that so?",
        QUESTION,
        "And why is that so?",
    ]
    assert [passage.text for passage in passages_of(0, pair("a/1", QUESTION, "a", "b"))] == [QUESTION]
    assert list(passages_of(0, example("a/1", "Hello there!"))) == []


def test_a_paragraph_is_one_passage() -> None:
    page = document("w/1", f"# Title\n\n{LONG}\n\n{QUESTION}\n\n{filler(3)}\n\n{QUESTION}", title="A page of questions")
    texts = [passage.text for passage in passages_of(5, page)]
    assert (texts[0], texts[-2], texts[-1]) == ("A page of questions", QUESTION, filler(3))
    assert texts.count(QUESTION) == 1
    assert {(passage.row, passage.field) for passage in passages_of(5, page)} == {(5, "document")}


def test_windows_begin_and_end_with_sentences() -> None:
    texts = [passage.text for passage in passages_of(0, document("w/1", LONG, title=""))]
    assert all(text.startswith("This is") and text.endswith("page.") for text in texts)
    assert all(len(text.split()) <= WINDOW_WORDS for text in texts)
    assert {f"number {number} of" for number in range(60)} <= {
        " ".join(text.split()[i : i + 3]) for text in texts for i in range(50)
    }


@given(st.text(alphabet="ab .!?\n\t", max_size=600))
def test_every_long_enough_sentence_is_in_a_passage(text: str) -> None:
    found = [passage.text for passage in passages_of(0, document("w/1", text, title=""))]
    assert all(4 <= len(passage.split()) <= max(PARAGRAPH_WORDS, WINDOW_WORDS) for passage in found)


@pytest.mark.parametrize(
    "text", ["\n" * 300_000, " " * 300_000, "a" * 300_000, "a. " * 100_000, "\n \t" * 100_000, "a " * 150_000]
)
def test_hostile_documents_take_little_time_and_few_passages(text: str) -> None:
    started = time.perf_counter()
    assert len(list(passages_of(0, document("w/1", text)))) <= 1_000
    assert time.perf_counter() - started < 60
