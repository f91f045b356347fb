r"""Grades answers that must have a form: a date, a version, a code.

    grade_regex(" 2026-03-01 ", r"\d{4}-\d\d-\d\d")                              Grade(is_right=True, extracted="2026-03-01")
    grade_regex("Let me see.\nv1.2", '{"pattern": "v\\\\d+\\\\.\\\\d+", "part": "last_line"}')    right as well

The reference is the pattern, or JSON with the pattern and the part that it must match as a whole: `answer` (all but the
reasoning, without white space around it), `last_line`, or `final` (what follows `####`, `Answer:` or stands in `\boxed{}`).
Patterns backtrack in the worst case, so each match has a tenth of a second; one that takes longer is no match.
"""

import json

import regex

from curation.graders.grade import Grade, final_part, without_thoughts

MAX_PATTERN_CHARS = 2_000
MAX_TEXT_CHARS = 20_000
_SECONDS = 0.1
_PARTS = ("answer", "last_line", "final")


def grade_regex(answer: str, reference: str) -> Grade:
    """Tell whether an answer, or the named part of it, matches a pattern from its beginning to its end."""
    pattern, part = _read_reference(reference)
    if not 0 < len(pattern) <= MAX_PATTERN_CHARS or part not in _PARTS:
        return Grade(False, "", "The reference is no pattern.")
    text = _take(answer, part)
    if len(text) > MAX_TEXT_CHARS:
        return Grade(False, "", f"The answer is longer than {MAX_TEXT_CHARS} characters.")
    try:
        is_right = regex.compile(pattern).fullmatch(text, timeout=_SECONDS) is not None
    except TimeoutError:
        return Grade(False, text, "The pattern takes too long on this answer.")
    except (regex.error, ValueError, OverflowError, RecursionError, MemoryError, KeyError, IndexError, TypeError) as error:
        return Grade(False, text, f"The reference is no pattern: {error}")
    return Grade(is_right, text, "" if is_right else "The answer does not match.")


def _read_reference(reference: str) -> tuple[str, str]:
    try:
        fields = json.loads(reference)
    except (ValueError, RecursionError):
        fields = None
    if isinstance(fields, dict) and isinstance(fields.get("pattern"), str):
        return fields["pattern"], str(fields.get("part", "answer"))
    return reference, "answer"


def _take(answer: str, part: str) -> str:
    text = without_thoughts(answer).strip()
    if part == "last_line":
        return text.rpartition("\n")[2].strip()
    return (final_part(answer) or "") if part == "final" else text
