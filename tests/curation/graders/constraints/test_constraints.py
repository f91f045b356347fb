"""Each of the 25 constraints holds where the paper says so, and fails one step beside it."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.graders.constraints.grading import (
    CHECKS,
    Accuracy,
    Constraint,
    Kept,
    grade_constraints,
    measure_accuracy,
    measure_constraints,
    read_constraints,
)
from curation.graders.constraints.lengths import count_sentences

ENGLISH = "this is a plain english sentence about the weather of today"
CASES: list[tuple[str, dict[str, Any], str, str]] = [
    ("keywords:existence", {"keywords": ["cat", "C++"]}, "A Cat writes c++.", "A cat writes C."),
    ("keywords:frequency", {"keyword": "war", "frequency": 2, "relation": "at least"}, "War and WAR.", "War and peace."),
    ("keywords:frequency", {"keyword": "war", "frequency": 2, "relation": "less than"}, "War.", "War, war."),
    ("keywords:forbidden_words", {"forbidden_words": ["rock", "C++"]}, "Rocket science in C.", "A Rock."),
    ("keywords:letter_frequency", {"letter": "q", "let_frequency": 2, "let_relation": "at least"}, "Qq", "q"),
    ("keywords:letter_frequency", {"letter": "!", "let_frequency": 1, "let_relation": "less than"}, "Quiet.", "Loud!"),
    ("language:response_language", {"language": "de"}, "Das ist ein Satz in deutscher Sprache.", ENGLISH),
    ("length_constraints:number_sentences", {"num_sentences": 3, "relation": "less than"}, "One. Two!", "One. Two! Three?"),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "One\n***\nTwo\n***\n", "One\n\nTwo"),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "One *** Two", "One *** *** Two"),
    ("length_constraints:number_words", {"num_words": 3, "relation": "at least"}, "one, two-three", "one two"),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "rain"},
        'It pours.\n\n"Rain, again."',
        "Rain.\n\nIt pours.",
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "Dear [name], [text]", "Dear [name], text]"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye.\nP. S. Hello", "Bye. PS Hello"),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "Bye.\np.p.s. Hello", "Bye.\nP.S. Hello"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "List:\n* a\n  - b\n**bold**", "* a"),
    ("detectable_format:constrained_response", {}, "My answer is maybe. Who knows?", "Maybe."),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*a* and **b**", "*a* and ** **"),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Part", "num_sections": 2},
        "Part 1\na\nPart 2\nb",
        "Part 1\npart 2",
    ),
    ("detectable_format:json_format", {}, '```json\n{"a": 1}\n```', 'Here: {"a": 1}'),
    ("detectable_format:title", {}, "<<Rain>>\nIt falls.", "<< >>\n<Rain>"),
    ("combination:two_responses", {}, "Yes.\n******\nNo.", "Yes.\n******\nYes."),
    ("combination:two_responses", {}, "******Yes.******No.******", "Yes.******No.******Maybe."),
    (
        "combination:repeat_prompt",
        {"prompt_to_repeat": "Write a poem."},
        "write a poem. Roses are red.",
        "Roses. Write a poem.",
    ),
    ("startend:end_checker", {"end_phrase": "Any questions?"}, '"Bye. any questions?"', "Any questions? Bye."),
    ("startend:quotation", {}, ' "Bye."\n', '"'),
    ("change_case:capital_word_frequency", {"capital_frequency": 2, "capital_relation": "at least"}, "I SAW it", "I saw It"),
    ("change_case:capital_word_frequency", {"capital_frequency": 2, "capital_relation": "less than"}, "NASA flew", "NASA, ESA"),
    ("change_case:english_capital", {}, ENGLISH.upper(), ENGLISH.capitalize()),
    ("change_case:english_lowercase", {}, ENGLISH, ENGLISH.capitalize()),
    ("change_case:english_lowercase", {}, ENGLISH, "das ist ein satz in deutscher sprache und kein anderer"),
    ("punctuation:no_comma", {}, "None here.", "One, here."),
]


def reference(*constraints: tuple[str, dict[str, Any]], loose: bool = False) -> str:
    listed = [{"id": name, "kwargs": kwargs} for name, kwargs in constraints]
    return json.dumps({"constraints": listed, "loose": True} if loose else listed)


@pytest.mark.parametrize(("name", "kwargs", "right", "wrong"), CASES)
def test_each_constraint(name: str, kwargs: dict[str, Any], right: str, wrong: str) -> None:
    assert grade_constraints(right, reference((name, kwargs))).is_right
    grade = grade_constraints(wrong, reference((name, kwargs)))
    assert (grade.is_right, grade.reward, grade.detail) == (False, 0.0, f"Not kept: {name}")


def test_all_25_constraints_are_tested() -> None:
    assert {name for name, *_ in CASES} == set(CHECKS)
    assert len(CHECKS) == 25


def test_some_kept_constraints_earn_a_share() -> None:
    words = ("length_constraints:number_words", {"num_words": 2, "relation": "at least"})
    grade = grade_constraints("One, two.", reference(words, ("punctuation:no_comma", {})))
    assert (grade.is_right, grade.reward) == (False, 0.5)


def test_loose_forgives_an_introduction_a_farewell_and_emphasis() -> None:
    quoted = ("startend:quotation", {})
    for answer in ('Sure, here:\n"Rain."', '"Rain."\nHope it helps!', 'Sure:\n"Rain."\nBye', '**"Rain."**'):
        assert not grade_constraints(answer, reference(quoted)).is_right
        assert grade_constraints(answer, reference(quoted, loose=True)).is_right
    assert not grade_constraints("Rain.", reference(quoted, loose=True)).is_right


def test_reasoning_does_not_count_and_an_empty_answer_keeps_nothing() -> None:
    no_comma = reference(("punctuation:no_comma", {}))
    assert grade_constraints("<think>one, two</think>Three.", no_comma).is_right
    assert not grade_constraints(" ", no_comma).is_right


@pytest.mark.parametrize(
    "broken",
    [
        [],
        {},
        [{"id": "punctuation:no_semicolon"}],
        [{"id": ["punctuation:no_comma"]}],
        [{"id": "punctuation:no_comma", "kwargs": {"num": 1}}],
        [{"id": "length_constraints:number_words", "kwargs": {"num_words": "3", "relation": "at least"}}],
        [{"id": "length_constraints:number_words", "kwargs": {"num_words": True, "relation": "at least"}}],
        [{"id": "length_constraints:number_words", "kwargs": {"num_words": 3, "relation": "about"}}],
        [{"id": "keywords:existence", "kwargs": {"keywords": []}}],
        [{"id": "punctuation:no_comma"}] * 51,
    ],
)
def test_what_is_no_constraint_is_named(broken: Any) -> None:
    assert isinstance(read_constraints(broken), str)
    assert not grade_constraints("x", json.dumps(broken)).is_right


@pytest.mark.parametrize(
    ("text", "num_sentences"),
    [
        ("Dr. Who came. Did he? Yes!", 3),
        ("It costs 3.50 in the U.S. today.", 1),
        ('He said: "Go." Then he went... away. No end', 4),
        ("e.g. this. J. R. Tolkien wrote it", 2),
        ("...", 0),
        ("", 0),
        ("\u4f60\u597d\u3002\u518d\u89c1\u3002", 2),
    ],
)
def test_sentences(text: str, num_sentences: int) -> None:
    assert count_sentences(text) == num_sentences


@given(st.lists(st.booleans(), min_size=1, max_size=6), st.lists(st.booleans(), min_size=1, max_size=6))
def test_accuracies(one: list[bool], two: list[bool]) -> None:
    found = measure_accuracy([Kept(tuple(one), tuple([True] * len(one))), Kept(tuple(two), tuple(two))])
    assert found.prompt_strict == (all(one) + all(two)) / 2
    assert found.instruction_strict == pytest.approx((sum(one) + sum(two)) / (len(one) + len(two)))
    assert found.prompt_strict <= found.instruction_strict or not all(one) or not all(two)
    assert found.prompt_loose >= found.prompt_strict
    assert measure_accuracy([Kept((True,), (True,))]) == Accuracy(1, 1, 1, 1)
    with pytest.raises(ValueError, match="no constraints"):
        measure_accuracy([])


@given(st.text(alphabet="aA ,.!*-[]<>\n\"'1\u3002"), st.sampled_from(CASES))
def test_loose_is_never_stricter_and_nothing_raises(text: str, case: tuple[str, dict[str, Any], str, str]) -> None:
    kept = measure_constraints(text, [Constraint(case[0], case[1])])
    assert kept.loose[0] >= kept.strict[0]


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["[", "<<", "*", "\n", ".", '!"', "- ", "***", "a.", "Part ", ">> <<", "1", "(", "``` "])
def test_long_hostile_answers_cost_no_more_than_a_moment(piece: str) -> None:
    answer = (piece * 200_000)[:200_000]
    constraints = [Constraint(name, kwargs) for name, kwargs, *_ in CASES]
    start = time.process_time()
    measure_constraints(answer, constraints)
    assert time.process_time() - start < 60
