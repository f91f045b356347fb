"""Grades answers to multiple-choice questions.

    grade_choice("The second law says so. Answer: (B)", "B")      Grade(is_right=True, extracted="B")

The letter is looked for after the last `####`, `Answer:` or `answer is`; without one of these it must be the whole answer
or its last line, or stand in brackets, or after `option`, `choice` or `answer`. A letter amid prose is none: "A" is an article.
"""

import re

from curation.graders.grade import Grade, final_part, without_thoughts

_FIRST = re.compile(r"[\s*_\"'(\[]{0,5}(?:(?:option|choice)\s+)?[\s*_\"'(\[]{0,5}([A-Z])(?![\w'])")
_ALONE = re.compile(r"[\s*_\"'(\[]*([A-Za-z])[\s*_\"')\].:]*")
_NAMED = re.compile(r"\(([A-Z])\)|\[([A-Z])\]|\b(?i:option|choice|answer)\s+\(?([A-Z])(?![\w'])")


def grade_choice(answer: str, reference: str) -> Grade:
    """Tell whether the letter that an answer chooses is that of the reference."""
    extracted = find_choice(answer)
    return Grade(extracted != "" and extracted == find_choice(reference), extracted)


def find_choice(answer: str) -> str:
    """Return the letter that an answer chooses, in upper case, or an empty text."""
    marked = final_part(answer, is_choice=True)
    if marked is not None and (found := _FIRST.match(marked) or _ALONE.fullmatch(marked)):
        return found[1].upper()
    text = without_thoughts(answer) if marked is None else marked
    last_line = text.strip().rpartition("\n")[2]
    alone = _ALONE.fullmatch(last_line) or re.match(r"\(?([A-Z])\s*[).:]", text.strip())
    if alone:
        return alone[1].upper()
    named = [next(filter(None, match)) for match in _NAMED.findall(text)]
    return named[-1].upper() if named else ""
