"""Marks of a calculator such as `<<16-3=13>>`, which GSM8K's solutions carry: taken out, held against the row, or kept.

strip_marks("16 - 3 = <<16-3=13>>13")    "16 - 3 = 13"
"""

import re
from dataclasses import replace
from typing import TypeVar

from curation.filters.rule_config import RuleConfig
from curation.filters.rules import Problem
from curation.filters.text_view import TextView
from curation.records import Example, PreferencePair, UnpairedPreference, VerifiableTask

R = TypeVar("R", Example, PreferencePair, UnpairedPreference, VerifiableTask)

_MARK = re.compile(r"<<(?!\s)[\d\s.,+\-*/x()%$^]{1,200}=(?!=)[\d\s.,+\-*/x()%$^=]{1,200}(?<!\s)>>")


def count_marks(text: str) -> int:
    """Return how many marks stand in a text."""
    return len(_MARK.findall(text)) if "<<" in text else 0


def strip_marks(text: str) -> str:
    """Return the text without marks; nothing else changes."""
    return _MARK.sub("", text) if "<<" in text else text


def clean_marks(row: R, config: RuleConfig) -> R:
    """Return the row without marks in its answers if `calculator_marks` says `strip`, otherwise the row itself."""
    if config.calculator_marks != "strip" or "calculator_marks" in config.off:
        return row
    if isinstance(row, Example):
        if not row.messages or "<<" not in row.messages[-1].content:
            return row
        last = replace(row.messages[-1], content=strip_marks(row.messages[-1].content))
        return replace(row, messages=(*row.messages[:-1], last))
    if isinstance(row, PreferencePair):
        if "<<" not in row.chosen and "<<" not in row.rejected:
            return row
        return replace(row, chosen=strip_marks(row.chosen), rejected=strip_marks(row.rejected))
    if isinstance(row, VerifiableTask):
        return row
    return replace(row, answer=strip_marks(row.answer)) if "<<" in row.answer else row


def check_marks(view: TextView, config: RuleConfig) -> Problem | None:
    """Reject an answer with marks if `calculator_marks` says `reject`."""
    if config.calculator_marks != "reject" or "<<" not in view.answer:
        return None
    found = _MARK.search(view.answer)
    return Problem("calculator_marks", f"The answer carries the calculator mark {found[0][:60]!r}.") if found else None
