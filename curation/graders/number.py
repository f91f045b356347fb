r"""Grades answers that end in a number, as in GSM8K.

    grade_number("She sells 9 eggs.\n9 * 2 = 18\nA: 18", "18")     Grade(is_right=True, extracted="18")
    grade_number("That makes $1,234.50.", "1234.5")               Grade(is_right=True, extracted="1,234.50")

What counts is the last number after the last `####`, `A:`, `Answer:` or in the last `\boxed{}`, or without any of these the
last number of the text (Cobbe et al., "Training verifiers to solve math word problems", 2021). Numbers are compared
exactly as rational numbers: `0.5`, `.50` and `1/2` are equal, and so are `2,125` and `2125`.
"""

import re
from fractions import Fraction

from curation.graders.grade import Grade, final_part, without_thoughts

MAX_NUMBER_CHARS = 60
_PLAIN = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+"
_NUMBER = re.compile(rf"(?<![\w.,])(-?\s?\$?(?:{_PLAIN})(?:\s?/\s?(?:\d+))?)|(-?(?:{_PLAIN}))")


def grade_number(answer: str, reference: str) -> Grade:
    """Tell whether the final number of an answer equals the number of the reference."""
    marked = final_part(answer)
    extracted = find_number(without_thoughts(answer) if marked is None else marked)
    found, wanted = read_number(extracted), read_number(find_number(reference.rpartition("####")[2]))
    return Grade(found is not None and found == wanted, extracted)


def find_number(text: str) -> str:
    """Return the last number in a text as it is written there, or an empty text."""
    found = [match[0] for match in _NUMBER.finditer(text)]
    return found[-1].strip() if found else ""


def read_number(text: str) -> Fraction | None:
    """Return the value of a written number (thousands commas, `$` and fractions allowed), or None if it is none."""
    bare = re.sub(r"[,$\s]", "", text)
    if not 0 < len(bare) <= MAX_NUMBER_CHARS:
        return None
    try:
        return Fraction(bare)
    except (ValueError, ZeroDivisionError):
        return None
