"""Grades calls of tools.

    grade_tool_call('<tool_call>{"name": "head", "arguments": {"n": 5.0}}</tool_call>',
                    '{"name": "head", "arguments": {"n": 5}}')                 Grade(is_right=True, ...)

The reference is JSON: a call, a list of calls in their order (`[]`: no tool must be called), or `{"any_order": [...]}`. A call
is `{"name": ..., "arguments": {...}}`; instead of one value for an argument, `allowed` may list several, and `optional` names
arguments that may be left out (the shape of the Berkeley Function Calling Leaderboard, Patil et al. 2025):

    {"name": "area", "arguments": {"base": 10}, "allowed": {"unit": ["cm", "centimetre"]}, "optional": ["unit"]}

Names are compared exactly, arguments by JSON value. A wrong answer earns the share of names and arguments that are right.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from curation.graders.found_calls import Call, find_calls, read_call
from curation.graders.grade import Grade
from curation.graders.json_value import NO_VALUE, is_same_json, read_json
from curation.graders.matching import match_pairs
from curation.ids import canonical_json

MAX_CALLS = 50


class Wanted(NamedTuple):
    """A call as the reference describes it."""

    name: str
    allowed: dict[str, list[Any]]
    """The values that each argument may have."""
    optional: frozenset[str]


class Comparison(NamedTuple):
    """How a call that was found compares with one that was wanted."""

    share: float
    problems: tuple[str, ...]


def grade_tool_call(answer: str, reference: str) -> Grade:
    """Tell whether an answer calls the tools of the reference with its arguments, and no others."""
    wanted, in_order = read_wanted(reference)
    if wanted is None:
        return Grade(False, "", "The reference is no call of a tool.")
    calls = find_calls(answer)
    if len(calls) > MAX_CALLS:
        return Grade(False, "", f"There are more than {MAX_CALLS} calls.")
    try:
        return _compare_all(calls, wanted, in_order=in_order)
    except (RecursionError, ValueError):
        return Grade(False, "", "The arguments are nested too deeply.")


def read_wanted(reference: str) -> tuple[list[Wanted] | None, bool]:
    """Return the calls that a reference wants, None if it is no reference, and whether their order counts."""
    value = read_json(reference.strip())
    in_order = not (isinstance(value, dict) and "any_order" in value)
    items = value if in_order else value["any_order"]
    listed = items if isinstance(items, list) else [items]
    wanted = [_read_wanted(item) for item in listed]
    found = [call for call in wanted if call is not None]
    is_complete = items is not NO_VALUE and len(found) == len(wanted) <= MAX_CALLS
    return (found if is_complete else None), in_order


def _read_wanted(item: Any) -> Wanted | None:
    call = read_call(item)
    if call is None or not isinstance(call.arguments, dict):
        return None
    allowed, optional = item.get("allowed", {}), item.get("optional", [])
    if not isinstance(allowed, dict) or not all(isinstance(values, list) for values in allowed.values()):
        return None
    if not isinstance(optional, list) or not all(isinstance(name, str) for name in optional):
        return None
    return Wanted(call.name, {name: [value] for name, value in call.arguments.items()} | allowed, frozenset(optional))


def _compare_all(calls: list[Call], wanted: list[Wanted], *, in_order: bool) -> Grade:
    extracted = "\n".join(canonical_json({"name": call.name, "arguments": call.arguments}) for call in calls)
    table = [[compare(call, want) for want in wanted] for call in calls]
    pairs = list(zip(range(len(calls)), range(len(wanted)), strict=False))
    if not in_order:
        pairs = match_pairs([[comparison.share for comparison in row] for row in table])
    problems = [f"call {one + 1}: {problem}" for one, two in pairs for problem in table[one][two].problems]
    problems += _name_rest(calls, wanted, pairs)
    share = sum(table[one][two].share for one, two in pairs) / max(len(calls), len(wanted), 1)
    return Grade(not problems, extracted, "; ".join(problems)[:2_000], share)


def compare(call: Call, wanted: Wanted) -> Comparison:
    """Compare two calls. The share counts the name and each argument that either has; another name is worth nothing."""
    if call.name != wanted.name:
        return Comparison(0.0, (f"'{call.name}' is called, not '{wanted.name}'",))
    if not isinstance(call.arguments, dict):
        return Comparison(0.0, ("the arguments are no JSON object",))
    problems = [problem for name in wanted.allowed if (problem := _find_problem(call.arguments, wanted, name))]
    problems += [f"argument '{name}' is not wanted" for name in call.arguments if name not in wanted.allowed]
    num_parts = 1 + len(wanted.allowed.keys() | call.arguments.keys())
    return Comparison(1 - len(problems) / num_parts, tuple(problems))


def _find_problem(arguments: dict[str, Any], wanted: Wanted, name: str) -> str:
    if name not in arguments:
        return "" if name in wanted.optional else f"argument '{name}' is missing"
    if any(is_same_json(arguments[name], value) for value in wanted.allowed[name]):
        return ""
    return f"argument '{name}' has another value"


def _name_rest(calls: Sequence[Call], wanted: Sequence[Wanted], pairs: list[tuple[int, int]]) -> list[str]:
    used, met = {one for one, _ in pairs}, {two for _, two in pairs}
    rest = [f"a call of '{call.name}' is not wanted" for number, call in enumerate(calls) if number not in used]
    return rest + [f"a call of '{want.name}' is missing" for number, want in enumerate(wanted) if number not in met]
