"""Grades answers that must be one text: a name, a word, a term.

    grade_exact("The answer is: `with_columns`.", "with_columns")     Grade(is_right=True, extracted="with_columns")

Case, white space, and quotes and punctuation at the ends do not count, as in SQuAD's exact match (Rajpurkar et al., 2016);
articles and everything inside do.
"""

import unicodedata

from curation.graders.grade import Grade, final_part, without_thoughts

MAX_TEXT_CHARS = 2_000


def grade_exact(answer: str, reference: str) -> Grade:
    """Tell whether the final part of an answer, or all of it where nothing marks that part, is the reference."""
    marked = final_part(answer)
    text = (without_thoughts(answer) if marked is None else marked).strip()
    extracted = text if len(text) <= MAX_TEXT_CHARS else ""
    wanted = fold_answer(reference)
    if marked is not None and fold_answer(without_thoughts(answer)) == wanted != "":
        return Grade(True, without_thoughts(answer).strip())
    return Grade(wanted != "" and fold_answer(extracted) == wanted, strip_marks(extracted))


def fold_answer(text: str) -> str:
    """Return a text as it is compared: NFKC, one case, single spaces, no quotes or punctuation at the ends."""
    return strip_marks(" ".join(unicodedata.normalize("NFKC", text).casefold().split()))


def strip_marks(text: str) -> str:
    """Return a text without quotes, brackets, stops and emphasis at its ends."""
    stripped = text.strip().strip("\"'`*.,;:!? \u2018\u2019\u201c\u201d\u3002")
    return stripped or text.strip()
