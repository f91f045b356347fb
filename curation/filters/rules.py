"""What a rule says about a row that breaks it.

Problem("answer_too_long", "The answer has 20,000 characters, more than 16,000.")
"""

from typing import NamedTuple


class Problem(NamedTuple):
    """Why a row breaks a rule: short reason and one sentence."""

    reason: str
    detail: str
