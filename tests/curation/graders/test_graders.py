"""Each grader finds the final answer of a text, and no text makes it raise."""

import dataclasses

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.errors import UnknownGraderError
from curation.graders.grade import Grade, final_part
from curation.graders.registry import GRADERS, grade
from curation.records import Message, Provenance, VerifiableTask

RIGHT = [
    ("number", "9 * 2 = 18\nA: 18", "18"),
    ("number", "It costs $1,234.50.", "1234.5"),
    ("number", "#### 2,125", "2125"),
    ("number", "So it is \\boxed{1/2}, and not 7.", "0.5"),
    ("number", "<think>A: 3? No, 4.</think>The answer is 4 apples.", "4"),
    ("number", "The temperature falls to -7.", "-7"),
    ("number", "18", "She makes 9 * 2 = 18\n#### 18"),
    ("number", "In all: 12.", "12.0"),
    ("choice", "A planet moves. Answer: (B)", "B"),
    ("choice", "C", "C"),
    ("choice", "c.", "C"),
    ("choice", "The answer is **D**, since A: and B: fail.", "D"),
    ("choice", "I choose option E because it fits", "E"),
    ("choice", "P(A) = P(B) / 2\nA", "A"),
    ("choice", "That leaves (i) and (I). Answer C", "C"),
    ("choice", "B) the second law", "B"),
    ("exact", "The answer is: `with_columns`.", "with_columns"),
    ("exact", "  Mount   Everest ", "mount everest"),
    ("exact", "<think>Rome?</think>\nParis", "Paris"),
    ("json", 'Here: {"b": [1], "a": 2.0}', '{"a": 2, "b": [1]}'),
    ("json", '```json\n["x"]\n```\nDone.', '["x"]'),
    ("json", "3", "3.0"),
]
WRONG = [
    ("number", "A: 18 or 19", "18"),
    ("number", "no number at all", "18"),
    ("number", "1/0", "0"),
    ("number", "<think>It is 18", "18"),
    ("number", "9" * 5_000, "9"),
    ("number", "3,14", "314"),
    ("choice", "A good question.", "A"),
    ("choice", "", ""),
    ("choice", "Answer: Both", "B"),
    ("exact", "", ""),
    ("exact", "Paris or Rome", "Paris"),
    ("exact", "a" * 5_000, "a"),
    ("json", '{"a": true}', '{"a": 1}'),
    ("json", "[1, 2]", "[2, 1]"),
    ("json", '{"a": NaN}', '{"a": NaN}'),
    ("json", "[" * 100_000, "[]"),
    ("json", '{"a": "1"}', '{"a": 1}'),
]


@pytest.mark.parametrize(("grader", "answer", "reference"), RIGHT)
def test_right_answers(grader: str, answer: str, reference: str) -> None:
    found = GRADERS[grader](answer, reference)
    assert found.is_right, found
    assert found.reward == 1.0
    assert found.extracted != ""


@pytest.mark.parametrize(("grader", "answer", "reference"), WRONG)
def test_wrong_answers(grader: str, answer: str, reference: str) -> None:
    assert GRADERS[grader](answer, reference).reward == 0.0


@hypothesis.given(st.text(), st.text())
def test_no_text_makes_a_grader_raise(answer: str, reference: str) -> None:
    for grader in GRADERS.values():
        assert grader(answer, reference).is_right in (True, False)


@hypothesis.given(st.integers(-(10**9), 10**9), st.text(alphabet="abc \n(),."))
def test_a_marked_number_is_found_behind_any_reasoning(number: int, reasoning: str) -> None:
    assert GRADERS["number"](f"{reasoning} 7\n#### {number:,}", str(number)).is_right
    assert not GRADERS["number"](f"{reasoning} {number}\n#### {number + 1}", str(number)).is_right


@hypothesis.given(st.floats())
def test_a_wrong_answer_earns_less_than_a_right_one_whatever_its_share(share: float) -> None:
    assert 0 <= Grade(False, "", share=share).reward < 1
    assert Grade(True, "", share=share).reward == 1


def test_the_last_mark_counts() -> None:
    assert final_part("A: 1\nAnswer: 2") == "2"
    assert final_part("nothing is marked") is None
    assert final_part("USA: 5") is None


def test_a_task_is_graded_by_the_grader_that_it_names() -> None:
    task = VerifiableTask(
        key="t",
        task="t",
        prompt=(Message(role="user", content="2 + 2?"),),
        reference="4",
        grader="number",
        group="t",
        provenance=Provenance(origin="human", method="t"),
    )
    assert grade(task, "4").is_right
    with pytest.raises(UnknownGraderError, match="number, choice, exact, json"):
        grade(dataclasses.replace(task, grader="oracle"), "4")
