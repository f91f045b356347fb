r"""JSON text (tool calls, tool definitions, answers in JSON) that stays JSON when parts of it are replaced.

shadow = unescape('{"note": "mail\njohn@corp.com"}')    the escapes decoded, with the offset of each character
fit_edit('{"card": 4539148803436467}', edit)            the number, which was bare, gets quotes
"""

import json
import re
from collections.abc import Sequence

from curation.privacy.replace import Edit

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+\-]?\d+)?")


def is_json(text: str) -> bool:
    """Tell whether a text is a JSON object or array."""
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def unescape(text: str) -> tuple[str, list[int]] | None:
    """Return the text with its escapes decoded, and for each character (and the end) its offset in the original.

    None where there is no escape: then the text stands for itself.
    """
    if "\\" not in text:
        return None
    decoded: list[str] = []
    offsets: list[int] = []
    place = 0
    for match in _ESCAPE.finditer(text):
        decoded.append(text[place : match.start()])
        offsets.extend(range(place, match.start() + 1))
        decoded.append(chr(int(match[1], 16)) if match[1] else _SIMPLE.get(match[2], match[2]))
        place = match.end()
    decoded.append(text[place:])
    offsets.extend(range(place, len(text) + 1))
    return "".join(decoded), offsets


def fit_edit(text: str, edit: Edit) -> Edit:
    """Return the edit in a form that can stand where it stands: a bare number is replaced whole, by a string."""
    start, end = edit.start, edit.end
    while start and text[start - 1] in "0123456789.-+eE":
        start -= 1
    while end < len(text) and text[end] in "0123456789.+-eE":
        end += 1
    outside = text[:start].rstrip()[-1:] in ("[", ",", ":") and text[end:].lstrip()[:1] in (",", "]", "}")
    if outside and _NUMBER.fullmatch(text, start, end):
        is_number = _NUMBER.fullmatch(edit.replacement) is not None and not edit.replacement.startswith("0")
        return Edit(start, end, edit.replacement if is_number else json.dumps(edit.replacement))
    return edit


def fit_edits(text: str, edits: Sequence[Edit]) -> list[Edit]:
    """Fit every edit; of two that now replace the same number the first stays."""
    fitted: list[Edit] = []
    for edit in sorted((fit_edit(text, edit) for edit in edits), key=lambda edit: edit.start):
        if not fitted or fitted[-1].end <= edit.start:
            fitted.append(edit)
    return fitted
