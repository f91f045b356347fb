r"""What a generated text goes through before it is scored.

apply_filter(Filter(name="strict", steps=({"function": "regex", "regex_pattern": "#### (\\d+)"},)), "so #### 42")     "42"
"""

from collections.abc import Callable
from typing import Any

import regex

from curation.errors import EvaluationError
from evaluation.harness_tasks.task_file import Filter, HarnessTask
from evaluation.harness_tasks.templates import REGEX_SECONDS

DEFAULT_PATTERN = r"#### (\-?[0-9\.\,]+)"
NOT_FOUND = "[invalid]"


def apply_filter(chain: Filter, text: str) -> str:
    """Return a text after all steps of a chain."""
    for step in chain.steps:
        settings = {name: value for name, value in step.items() if name != "function"}
        text = STEPS[str(step["function"])](text, settings)
    return text


def check_filters(task: HarnessTask) -> None:
    """Refuse steps and patterns that are not known. Raises EvaluationError."""
    for chain in task.filters:
        for step in chain.steps:
            name = step["function"]
            if name not in STEPS:
                reason = f"task '{task.task}' has the filter '{name}'; known are {', '.join(sorted(STEPS))}."
                raise EvaluationError(reason=reason)
            try:
                regex.compile(str(step.get("regex_pattern", "")))
            except regex.error as error:
                raise EvaluationError(reason=f"task '{task.task}' has a pattern that is none ({error}).") from error


def _find(text: str, settings: dict[str, Any]) -> str:
    """Return one match of a pattern: the whole, or its first group that matched something."""
    fallback = str(settings.get("fallback", NOT_FOUND))
    pattern = regex.compile(str(settings.get("regex_pattern", DEFAULT_PATTERN)))
    try:
        matches = pattern.findall(text, timeout=REGEX_SECONDS)
    except TimeoutError:
        return fallback
    try:
        match = matches[int(settings.get("group_select", 0))]
    except IndexError:
        return fallback
    if isinstance(match, tuple):
        match = next((part for part in match if part), fallback)
    return str(match).strip()


def _translate(text: str, settings: dict[str, Any]) -> str:
    return str(dict(settings.get("mapping_dict") or {}).get(text, settings.get("default_value")))


STEPS: dict[str, Callable[[str, dict[str, Any]], str]] = {
    "regex": _find,
    "remove_whitespace": lambda text, _: text.strip(),
    "lowercase": lambda text, _: text.lower(),
    "uppercase": lambda text, _: text.upper(),
    "map": _translate,
    "take_first": lambda text, _: text,
}
"""`take_first` changes nothing: greedy decoding gives one answer."""
