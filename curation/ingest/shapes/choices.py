r"""Multiple choice: a question, its options, and which one is right.

{"question": "2 + 2?", "options": ["A)3", "B)4"], "correct": "B", "rationale": "Count."}
    user "2 + 2?\n\nA)3\nB)4", assistant "Count.\n\nB)4"
"""

import re
import string
from collections.abc import Mapping, Sequence
from typing import Any

from curation.ingest.row_records import Unusable
from curation.ingest.shapes.cells import cell_text, load_json
from curation.ingest.shapes.instructions import SYSTEM, demonstrate
from curation.ingest.shapes.reading import Demonstration, Part, Reading, Shape
from curation.ingest.text import normalise_text

MAX_OPTIONS = 26
_LETTERED = re.compile(r"\(?([A-Za-z0-9]{1,2})[).:]\s*")


def _convert_choice(reading: Reading, values: Mapping[str, Any]) -> Demonstration | Unusable:
    question, correct = reading.required_text("user", values), reading.required_text("label", values)
    rationale = reading.text("rationale", values) if reading.config.include_rationale else ""
    context, system = reading.text("context", values), reading.text("system", values)
    options = _read_options(reading.cell("options", values))
    for part in (question, correct, rationale, context, system, options):
        if isinstance(part, Unusable):
            return part
    lines = [] if isinstance(options, Unusable) else options
    right = _find_right(lines, str(correct).strip(), reading.cell("label", values))
    if right is None:
        return Unusable("unknown_option", f"The right answer '{str(correct)[:60]}' is none of the {len(lines)} options.")
    user = reading.config.separator.join(text for text in (str(context), str(question), "\n".join(lines)) if text)
    answer = reading.config.separator.join(text for text in (str(rationale), lines[right]) if text)
    return demonstrate(str(system), user, answer)


def _read_options(value: Any) -> list[str] | Unusable:
    """Return the options as lines that begin with their letter; options without letters are given some."""
    labels = value.get("label") if isinstance(value, dict) else None
    items = load_json(value.get("text") if isinstance(value, dict) else value)
    texts = [cell_text(item) for item in items] if isinstance(items, list) else []
    options = [normalise_text(text).strip() for text in texts if text is not None]
    if len(options) != len(texts) or not 2 <= len(options) <= MAX_OPTIONS or not all(options):
        return Unusable("invalid_options", f"The options are no list of 2 to {MAX_OPTIONS} texts.")
    if isinstance(labels, list) and len(labels) == len(options):
        return [
            f"{normalise_text(cell_text(label) or '').strip()}) {option}" for label, option in zip(labels, options, strict=True)
        ]
    if all(_LETTERED.match(option) for option in options) and len({_letter(option) for option in options}) == len(options):
        return options
    return [f"{letter}) {option}" for letter, option in zip(string.ascii_uppercase, options, strict=False)]


def _letter(option: str) -> str:
    found = _LETTERED.match(option)
    return found[1].upper() if found is not None else ""


def _find_right(options: Sequence[str], correct: str, cell: Any) -> int | None:
    """Return the position of the right option, named by its letter, its text, or its position from 0."""
    for tell in (_letter, str, lambda option: _LETTERED.sub("", option, count=1)):
        named = [tell(option).strip().upper() for option in options]
        if named.count(correct.upper()) == 1:
            return named.index(correct.upper())
    is_position = isinstance(cell, int) and not isinstance(cell, bool)
    return cell if is_position and 0 <= cell < len(options) else None


MULTIPLE_CHOICE = Shape(
    "multiple_choice",
    (
        SYSTEM,
        Part("context", "context", "text", False, "{column} before the question"),
        Part("user", "question", "text"),
        Part("options", "options", "options", True, "{column} listed below it"),
        Part("rationale", "rationale", "text", False, "{column} before the answer"),
        Part("label", "correct", "text", True, "{column} -> assistant"),
    ),
    _convert_choice,
)
