"""Whether a reference can be graded at all, by kind of task: an item without one would score 0 for everybody.

find_problem("number", "about a dozen", ())      "the reference holds no number"
find_problem("number", "#### 12", ())            ""
"""

from collections.abc import Sequence

import regex

from curation.graders.choice import find_choice
from curation.graders.code import read_tests
from curation.graders.constraints.grading import read_constraints
from curation.graders.json_value import NO_VALUE, read_json
from curation.graders.number import find_number, read_number
from curation.graders.tool_call import read_wanted
from evaluation.tasks.config import Kind
from evaluation.tasks.measures import position_of


def find_problem(kind: Kind, reference: str, choices: Sequence[str]) -> str:
    """Return why answers cannot be graded against a reference, or an empty text."""
    if not reference.strip():
        return "there is no reference"
    if kind == "number" and read_number(find_number(reference.rpartition("####")[2])) is None:
        return "the reference holds no number"
    if kind == "choice":
        return _choice_problem(reference, choices)
    if kind == "code" and read_tests(reference) is None:
        return "the reference holds no test that could fail"
    if kind == "tool_call" and read_wanted(reference)[0] is None:
        return "the reference is no call of a tool"
    if kind == "json" and read_json(reference) is NO_VALUE:
        return "the reference is no JSON"
    if kind == "constraints":
        fields = read_json(reference.strip())
        found = read_constraints(fields.get("constraints") if isinstance(fields, dict) else fields)
        return found if isinstance(found, str) else ""
    return _pattern_problem(reference) if kind == "regex" else ""


def _choice_problem(reference: str, choices: Sequence[str]) -> str:
    if not choices:
        return "" if find_choice(reference) else "there are no choices, and the reference is no letter"
    if len(set(choices)) != len(choices):
        return "two choices are equal"
    return "" if position_of(reference, choices) is not None else "the reference is none of the choices"


def _pattern_problem(reference: str) -> str:
    fields = read_json(reference)
    pattern = fields.get("pattern") if isinstance(fields, dict) else reference
    try:
        regex.compile(str(pattern))
    except (regex.error, OverflowError, RecursionError) as error:
        return f"the reference is no pattern ({error})"
    return ""
