"""Replies are hostile: everything in one ends as a question or as a problem with a reason."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.chat_model import ChatReply
from curation.records import Document
from curation.synthesis.parse import ParsedReply, UnusableError, find_json, locate_quote, parse_questions
from curation.synthesis.prompts.grounded import GROUNDED_QA, ROUTING

QUOTE = "Turn the label into capital letters."
GOOD = {"question": "How do I make a label louder?", "quote": QUOTE}


def parse(document: Document, value: Any, **settings: Any) -> ParsedReply:
    text = value if isinstance(value, str) else json.dumps(value)
    return parse_questions(ChatReply(text=text), document, **({"template": ROUTING, "num_questions": 5} | settings))


def reasons(parsed: ParsedReply) -> list[str]:
    return [problem.reason for problem in parsed.problems]


WORDS = st.text(alphabet="abcdefgh XYZ?'\"{}\\[]:,", min_size=3, max_size=60)


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(
    st.lists(WORDS, max_size=6),
    st.sampled_from(["plain", "fenced", "prose", "indented", "list"]),
    st.integers(0, 200),
    st.integers(4, 80),
)
def test_questions_survive_the_way_there_and_back(
    document: Document, words: list[str], wrapping: str, start: int, length: int
) -> None:
    start = min(start, len(document.text) - length)
    quote = document.text[start : start + length].strip()
    hypothesis.assume(sum(map(len, quote.split())) >= 4)
    questions = list(dict.fromkeys(f"How {' '.join(text.split()).casefold()} {index}?" for index, text in enumerate(words)))
    hypothesis.assume(questions)
    value = {"questions": [{"question": question, "quote": quote} for question in questions]}
    text = {
        "plain": json.dumps(value),
        "indented": f"\n {json.dumps(value, indent=2)} \n",
        "fenced": f"Sure!\n```json\n{json.dumps(value)}\n```\nDone.",
        "prose": f"<think>hm</think> Here you are: {json.dumps(value)}",
        "list": json.dumps(value["questions"]),
    }[wrapping]
    parsed = parse(document, text, num_questions=10)
    assert reasons(parsed) == []
    assert [item.question for item in parsed.questions] == questions
    for item in parsed.questions:
        assert " ".join(document.text[slice(*item.span)].split()) == " ".join(quote.split())


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["questions", "question", "quote", "answer", "x"]), inner)
    ),
    max_leaves=12,
)


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], max_examples=100)
@hypothesis.given(
    st.text() | JSON.map(lambda value: json.dumps(value)) | JSON.map(lambda value: json.dumps({"questions": [value] * 3}))
)
def test_nothing_crashes_and_everything_is_accounted_for(document: Document, text: str) -> None:
    for template in (ROUTING, GROUNDED_QA):
        parsed = parse(document, text, template=template)
        assert parsed.questions or parsed.problems
        assert all(problem.reason and problem.detail and len(problem.excerpt) <= 500 for problem in parsed.problems)
        indices = [item.index for item in (*parsed.questions, *parsed.problems)]
        assert len(set(indices)) == len(indices)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty_reply"),
        ("  \n", "empty_reply"),
        ('{"questions": []}', "empty_reply"),
        ("I cannot help with that.", "unparsable_reply"),
        ('{"questions": [{"question": "How do I', "unparsable_reply"),
        ('{"answers": []}', "unparsable_reply"),
        ('{"questions": "How?"}', "unparsable_reply"),
        ('{"questions": {"question": "How?"}}', "unparsable_reply"),
        ("17", "unparsable_reply"),
        ("[" * 200_000, "unparsable_reply"),
        ('{"a":' * 100_000, "unparsable_reply"),
        ("{" * 50_000, "unparsable_reply"),
        ('{"questions": [NaN]}', "unparsable_reply"),
        ("x" * 2_000_000, "unparsable_reply"),
        ("9" * 10_000, "unparsable_reply"),
        (json.dumps({"questions": [GOOD] * 201}), "unparsable_reply"),
    ],
)
def test_a_reply_without_questions_is_one_problem(document: Document, text: str, reason: str) -> None:
    parsed = parse(document, text)
    assert parsed.questions == ()
    assert [(problem.index, problem.reason) for problem in parsed.problems] == [(None, reason)]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("How?", "invalid_entry"),
        ({"question": "How do I make a label louder?"}, "invalid_entry"),
        (GOOD | {"question": 5}, "invalid_entry"),
        (GOOD | {"extra": "x"}, "invalid_entry"),
        (GOOD | {"question": ""}, "empty_question"),
        (GOOD | {"question": "How?"}, "short_question"),
        (GOOD | {"question": "How " * 500}, "long_question"),
        (GOOD | {"question": "How do I \x00 it?"}, "invalid_characters"),
        (GOOD | {"question": "How do I \ud800 it?"}, "invalid_characters"),
        (GOOD | {"question": "What does shop.cart.TEXT.shout do?"}, "names_the_title"),
        (GOOD | {"quote": "Turn the label into small letters."}, "quote_not_in_source"),
        (GOOD | {"quote": "a"}, "quote_not_in_source"),
        (GOOD | {"quote": ""}, "quote_not_in_source"),
        (GOOD | {"quote": "Turn " * 5_000}, "quote_not_in_source"),
    ],
)
def test_a_bad_entry_costs_that_entry_only(document: Document, entry: Any, reason: str) -> None:
    parsed = parse(document, {"questions": [entry, GOOD]})
    assert [item.index for item in parsed.questions] == [1]
    assert [(problem.index, problem.reason) for problem in parsed.problems] == [(0, reason)]


def test_a_repeated_question_and_too_many(document: Document) -> None:
    louder = GOOD | {"question": GOOD["question"].upper()}
    others = [GOOD | {"question": f"How do I make label {number} louder?"} for number in range(3)]
    parsed = parse(document, {"questions": [GOOD, louder, *others]}, num_questions=3)
    assert [item.index for item in parsed.questions] == [0, 2]
    assert reasons(parsed) == ["repeated_question", "surplus_question", "surplus_question"]


def test_grounded_questions_need_an_answer_and_may_name_the_title(document: Document) -> None:
    entry = GOOD | {"question": f"What does {document.title} do?", "answer": "  It shouts.\nLoudly. "}
    parsed = parse(
        document, {"questions": [entry, GOOD, entry | {"question": "And now?  x", "answer": " "}]}, template=GROUNDED_QA
    )
    assert [item.answer for item in parsed.questions] == ["It shouts.\nLoudly."]
    assert reasons(parsed) == ["invalid_entry", "empty_answer"]


def test_a_reply_cut_off_says_what_to_do(document: Document) -> None:
    reply = ChatReply(text='{"questions": [', finish_reason="length")
    (problem,) = parse_questions(reply, document, template=ROUTING, num_questions=5).problems
    assert "raise teacher.max_tokens" in problem.detail


def test_a_quote_with_other_line_breaks_is_found() -> None:
    text = "One two\n    three. Four (five+) six."
    assert locate_quote("two three. Four", text) == (4, 23)
    assert locate_quote(" Four (five+) ", text) == (19, 31)
    with pytest.raises(UnusableError):
        locate_quote("two four", text)


def test_a_quote_full_of_patterns_is_only_text() -> None:
    with pytest.raises(UnusableError):
        locate_quote("(a+)+$ (a+)+$", "a" * 5_000)


def test_find_json_takes_the_first_that_is_one() -> None:
    assert find_json('Not {this} but {"a": 1} and {"b": 2}') == {"a": 1}
    with pytest.raises(ValueError, match="no JSON"):
        find_json("see [1] and [2]")


def test_the_excerpt_is_printable(document: Document) -> None:
    (problem,) = parse(document, "\x00\x1b[31m\ud800 no json").problems
    assert problem.excerpt.isprintable()


def test_the_span_is_the_quote(document: Document, make_document: Callable[..., Document]) -> None:
    (item,) = parse(document, {"questions": [GOOD]}).questions
    assert document.text[slice(*item.span)] == QUOTE
    assert dataclasses.asdict(item)["answer"] == ""
