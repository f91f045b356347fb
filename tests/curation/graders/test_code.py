"""Code is right if its tests run to their end, however the answer is written and whatever it tries."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import SandboxUnavailableError
from curation.graders.code import Patience, grade_code, read_tests, sandbox_for
from curation.graders.code_answer import complete_code, find_code
from curation.sandbox.sandbox import LEVEL_VARIABLE
from tests.curation.sandbox.levels import level_here

pytestmark = pytest.mark.skipif(level_here() == "none", reason="this machine has no sandbox of any level")
CHECK = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(-3) == 9\n"
SQUARE = "def square(x):\n    return x * x\n"
PROMPT = 'import math\n\ndef half(x):\n    return x / 2\n\ndef square(x):\n    """Return x times x."""\n'
HUMAN_EVAL = json.dumps({"tests": CHECK, "entry_point": "square", "prompt": PROMPT})
CASES = json.dumps({"cases": [{"stdin": "1 2\n", "stdout": "3\n"}, {"stdin": "2 2\n", "stdout": "4"}]})


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        (SQUARE, "assert square(3) == 9"),
        (f"Sure:\n```python\n{SQUARE}```\nIt works.", CHECK),
        (
            f"<think>```python\nnonsense(\n```</think>\n```py\n{SQUARE}```\nUse it:\n```python\nprint(square(1))\n```",
            HUMAN_EVAL,
        ),
        ("  return math.prod([x, x])\n", HUMAN_EVAL),
        ("return half(x) * x * 2", HUMAN_EVAL),
        ("from __future__ import annotations\nimport math\ndef square(x: X):\n    return x * x", json.dumps({"tests": CHECK})),
        ("print(sum(map(int, input().split())))", CASES),
        ("import sys\nprint(sum(map(int, sys.stdin.read().split())), '')\nsys.exit()", CASES),
    ],
)
def test_right_code(answer: str, reference: str) -> None:
    grade = grade_code(answer, reference)
    assert (grade.is_right, grade.detail, grade.reward) == (True, "", 1.0), grade


@pytest.mark.parametrize(
    ("answer", "reference", "detail"),
    [
        ("def square(x):\n    return x", HUMAN_EVAL, "failed: AssertionError"),
        ("def cube(x):\n    return x", json.dumps({"tests": CHECK, "entry_point": "square"}), "NameError: name 'square'"),
        ("import sys\ndef square(x):\n    sys.exit(0)", HUMAN_EVAL, "finished: ended before its tests did"),
        ("import os\ndef square(x):\n    os._exit(0)", HUMAN_EVAL, "finished: ended before its tests did"),
        ("def square(x):\n    raise KeyboardInterrupt", HUMAN_EVAL, "failed: KeyboardInterrupt"),
        ("Just multiply it.", HUMAN_EVAL, "SyntaxError"),
        ("", HUMAN_EVAL, "The answer holds no code."),
        ("x" * 100_001, HUMAN_EVAL, "The code is too long."),
        (SQUARE, "", "The reference holds no test."),
        (SQUARE, '{"cases": []}', "The reference holds no test."),
        (SQUARE, '{"cases": [{"stdin": "1"}], "tests": "assert True"}', "The reference holds no test."),
        (SQUARE, '{"tests": "assert True", "seconds": 1e9}', "The reference holds no test."),
        (SQUARE, '{"tests": "assert True", "entry_point": "x; import os"}', "The reference holds no test."),
        ("print(3)", CASES, "Case 2 of 2: another output"),
    ],
)
def test_wrong_code_says_why(answer: str, reference: str, detail: str) -> None:
    grade = grade_code(answer, reference)
    assert not grade.is_right
    assert detail in grade.detail


def test_a_share_of_the_cases_earns_less_than_all() -> None:
    grade = grade_code("print(3)", CASES)
    assert (grade.share, grade.reward, grade.is_right) == (0.5, 0.5, False)


def test_ends_are_counted() -> None:
    sandbox = sandbox_for(4.5)
    before = sandbox.counts["failed"]
    grade_code("def square(x):\n    return x", json.dumps({"tests": CHECK, "seconds": 4.5}))
    assert sandbox.counts["failed"] == before + 1


def test_code_is_not_run_below_the_level_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LEVEL_VARIABLE, "strict")
    monkeypatch.setattr("curation.sandbox.sandbox.find_level", lambda: "plain")
    with pytest.raises(SandboxUnavailableError):
        grade_code(SQUARE, json.dumps({"tests": CHECK, "seconds": 4.25}))


@pytest.mark.slow
def test_a_loop_without_end_is_named() -> None:
    reference = json.dumps({"tests": CHECK, "seconds": 0.5})
    assert grade_code("def square(x):\n    while True: pass", reference).detail == "timeout"


def test_what_a_busy_machine_ended_is_run_again_and_what_had_its_time_is_not() -> None:
    reference = json.dumps({"tests": CHECK, "seconds": 0.3})
    waits = f"import time\ntime.sleep(0.45)\n{SQUARE}"
    assert grade_code(waits, reference).detail == "timeout"
    assert grade_code(waits, reference, Patience(clock=200.0)).is_right
    before = sandbox_for(0.3).counts["timeout"], sandbox_for(60.0, 0.3).counts["timeout"]
    assert grade_code("def square(x):\n    while True: pass", reference, Patience(clock=200.0)).detail == "timeout"
    counts = sandbox_for(0.3).counts["timeout"] - before[0], sandbox_for(60.0, 0.3).counts["timeout"] - before[1]
    assert counts in ((1, 0), (1, 1))  # run again only if the machine was so busy that it did not get its time


@given(st.text(), st.text(alphabet="f`\n x="), st.text(alphabet="sqare"))
def test_code_is_found_in_any_text(prose: str, code: str, name: str) -> None:
    text = prose.replace("`", "").replace("<", "").replace("\r", "")
    assert find_code(f"{text}\n```python\n{SQUARE}```\n", "square") == SQUARE
    assert isinstance(complete_code(code, prose, name or "f"), str)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["tests", "cases", "entry_point", "prompt", "seconds", "stdout", "stdin"]), inner)
        ),
    )
)
def test_any_reference_is_read_or_refused(value: object) -> None:
    tests = read_tests(json.dumps(value))
    assert tests is None or tests.tests or tests.cases
