r"""Grades code by running it on tests, in a sandbox and nowhere else.

    grade_code("```python\ndef f(x): return x + 1\n```", "assert f(1) == 2")                            right
    grade_code(answer, '{"entry_point": "f", "tests": "def check(candidate): assert candidate(1) == 2"}')    as in HumanEval
    grade_code("print(input())", '{"cases": [{"stdin": "a", "stdout": "a"}]}')                           stdin and stdout

The reference is Python that asserts, or that defines `check(candidate)` (Chen et al. 2021, arXiv:2107.03374), or JSON:

tests          the same as text
entry_point    the function that is asked for; without it `check` gets the last function of the answer
prompt         code that the answer goes on with; imports and helpers of it count
cases          programs that read and write: each `{"stdin": ..., "stdout": ...}`, white space at ends of lines does not count
seconds        longest run of each, 5 if it does not say, 60 at most

An answer is right if the tests run to their end: one that exits, is killed or hides its errors is not. The tests share a
process with the answer, so one that is written to cheat (values equal to everything, a search for the sandbox's own
variables) can: look at high rewards before you believe them. `detail` names how it ended, and `sandbox_for(...).counts` counts.

The limit is one on the clock as well as on the processor, so a busy machine can end what is right. With `Patience` what ended
so is run again with more time on the clock, and is still ended once it has had its time on the processor.
"""

import functools
import json
import os
import re
from typing import Any, NamedTuple

from curation.graders.code_answer import complete_code, find_code
from curation.graders.grade import Grade
from curation.sandbox.limits import Limits
from curation.sandbox.sandbox import LEVEL_VARIABLE, Run, Sandbox

MAX_CODE_CHARS = 100_000
MAX_CASES = 100
_SECONDS, _MAX_SECONDS = 5.0, 60.0
_USED_UP = 0.8
"""Share of the limit from which on a program that met it had the processor to itself."""
_LAST_FUNCTION = "candidate = [value for value in globals().values() if type(value).__name__ == 'function'][-1]"
_GIVE_UP = ("timeout", "output", "memory")


class Patience(NamedTuple):
    """How much longer a second run may take after one that met its limit of time; by default there is none."""

    clock: float = 1.0
    """Times the limit, by the clock."""
    processor: float = 1.0
    """Times the limit, of the processor. With 1 only those are run again that did not get that time."""


IMPATIENT = Patience()


class CodeTests(NamedTuple):
    """What an answer has to pass."""

    tests: str
    cases: tuple[tuple[str, str], ...]
    """Standard input and the output that is wanted."""
    entry_point: str
    prompt: str
    seconds: float


def grade_code(answer: str, reference: str, patience: Patience = IMPATIENT) -> Grade:
    """Tell whether the code in an answer passes the tests of the reference.

    Args:
        answer: text that holds code.
        reference: the tests.
        patience: whether what met its limit of time is run again.

    Raises:
        SandboxUnavailableError: this machine has no sandbox of the level that TUNEWRIGHT_SANDBOX asks for.
    """
    tests = read_tests(reference)
    if tests is None:
        return Grade(False, "", "The reference holds no test.")
    code = find_code(answer, tests.entry_point)
    if not code.strip():
        return Grade(False, "", "The answer holds no code.")
    if len(code) > MAX_CODE_CHARS:
        return Grade(False, "", "The code is too long.")
    program = complete_code(tests.prompt, code, tests.entry_point)
    return _run_cases(program, tests, patience) if tests.cases else _run_tests(program, tests, patience)


def sandbox_for(seconds: float, processor_seconds: float | None = None) -> Sandbox:
    """Return the sandbox that all answers with these limits of time share, and that counts how they ended."""
    return _sandbox(seconds, processor_seconds, os.environ.get(LEVEL_VARIABLE))


@functools.cache
def _sandbox(seconds: float, processor_seconds: float | None, required: str | None) -> Sandbox:
    return Sandbox(Limits(seconds=seconds, processor_seconds=processor_seconds), required)


def _run(seconds: float, patience: Patience, *sources: str, stdin: str = "") -> Run:
    run = sandbox_for(seconds).run(*sources, stdin=stdin)
    had_its_time = run.cpu_seconds >= _USED_UP * seconds and patience.processor <= 1
    if run.outcome != "timeout" or patience.clock <= 1 or had_its_time:
        return run
    again = sandbox_for(seconds * patience.clock, seconds * patience.processor)
    return again.run(*sources, stdin=stdin)


def read_tests(reference: str) -> CodeTests | None:
    """Read a reference; None if nothing in it could fail."""
    try:
        fields = json.loads(reference)
    except (ValueError, RecursionError):
        fields = {"tests": reference}
    if not isinstance(fields, dict):
        return None
    tests, cases = _text(fields, "tests"), _read_cases(fields.get("cases"))
    name, seconds = _text(fields, "entry_point").strip(), fields.get("seconds", _SECONDS)
    is_time = isinstance(seconds, (int, float)) and 0.1 <= seconds <= _MAX_SECONDS
    can_fail = bool(cases) if "cases" in fields else re.search(r"\bassert\b|\bdef\s+check\b|\bassert[A-Z]", tests) is not None
    if not can_fail or not is_time or (name and not name.isidentifier()):
        return None
    return CodeTests(tests, cases, name, _text(fields, "prompt"), float(seconds))


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name, "")
    return value if isinstance(value, str) else ""


def _read_cases(value: Any) -> tuple[tuple[str, str], ...]:
    """Return the cases; none at all if one of them cannot be read, since the rest would prove less than was asked."""
    cases = value if isinstance(value, list) else []
    if len(cases) > MAX_CASES or not all(isinstance(case, dict) and isinstance(case.get("stdout"), str) for case in cases):
        return ()
    return tuple((_text(case, "stdin"), case["stdout"]) for case in cases)


def _run_tests(program: str, tests: CodeTests, patience: Patience) -> Grade:
    sources = [program, f"candidate = {tests.entry_point}" if tests.entry_point else "", tests.tests]
    if re.search(r"^def\s+check\b", tests.tests, re.MULTILINE) and not re.search(r"^check\(", tests.tests, re.MULTILINE):
        sources[1] = sources[1] or _LAST_FUNCTION
        sources.append("check(candidate)")
    run = _run(tests.seconds, patience, *filter(None, sources))
    return Grade(run.is_complete, program, "" if run.is_complete else _describe(run))


def _run_cases(program: str, tests: CodeTests, patience: Patience) -> Grade:
    num_right, detail, cases = 0, "", tests.cases
    for number, (stdin, wanted) in enumerate(cases, 1):
        run = _run(tests.seconds, patience, program, stdin=stdin)
        is_right = run.outcome == "finished" and _lines(run.stdout) == _lines(wanted)
        num_right += is_right
        wrong = "another output" if run.outcome == "finished" else _describe(run)
        detail = detail or ("" if is_right else f"Case {number} of {len(cases)}: {wrong}")
        if run.outcome in _GIVE_UP:
            break
    return Grade(num_right == len(cases), program, detail, num_right / len(cases))


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


def _describe(run: Run) -> str:
    ended = "ended before its tests did" if run.outcome == "finished" else run.error
    return f"{run.outcome}: {ended}" if ended else run.outcome
