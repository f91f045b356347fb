r"""Showing text that nobody here wrote: escaped, with what is invisible made visible.

reveal("a\u202eb")                       Markup('a<span class="hidden" title="RIGHT-TO-LEFT OVERRIDE">U+202E</span>b')
diff_words("a red fox", "a blue fox")    [Change("same", "a "), Change("gone", "red"), Change("new", "blue"), ...]
"""

import json
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from markupsafe import Markup, escape

from curation.records import Message

MAX_DIFF_WORDS = 4_000
"""Longer texts are shown one after the other: the comparison takes time in the product of the lengths."""

MAX_PAGE_CHARS = 32_000
"""Longer fields are cut on a page, with a link to the whole: a browser lays out 10 MB in many seconds."""

MAX_DIFF_EDITS = 500
"""Texts that differ in more words are shown one after the other as well."""

_INVISIBLE_LETTERS = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
_VISIBLE_CONTROLS = "\n\t"
_MAYBE_HIDDEN = re.compile(
    "[^\\n\\t\\x20-\\x7e\\xa0-\\xac\\xae-\\u034e\\u0400-\\u052f\\u3041-\\u3096\\u30a1-\\u30fa\\u4e00-\\u9fd5\\uac00-\\ud7a3]"
)
"""Everything but letters and signs that are known to be seen; the rest is looked up."""
_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Change:
    """A stretch of text and whether both versions have it."""

    kind: Literal["same", "gone", "new"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortened:
    """As much of a text as a page shows, and how long (in characters) the whole is."""

    text: str
    num_chars: int

    @property
    def is_cut(self) -> bool:
        """Tell whether there is more."""
        return len(self.text) < self.num_chars


def reveal(text: str) -> Markup:
    """Return text as HTML in which every invisible, bidirectional or control character is named."""
    shown = str(escape(text.replace("\r\n", "\n")))
    return Markup(_MAYBE_HIDDEN.sub(_shown, shown))  # noqa: S704 - escaped above


def is_hidden(character: str) -> bool:
    """Tell whether a reader would not see a character, or would see others in another order because of it."""
    if character in _VISIBLE_CONTROLS:
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn") or character in _INVISIBLE_LETTERS


@lru_cache(maxsize=1024)
def named(character: str) -> Markup:
    """Return a badge that names a character which cannot be seen."""
    name = unicodedata.name(character, "control character")
    return Markup('<span class="hidden" title="{}">U+{:04X}</span>').format(name, ord(character))


def _shown(match: re.Match[str]) -> str:
    return str(named(match[0])) if is_hidden(match[0]) else match[0]


def shorten_for_page(text: str, max_chars: int = MAX_PAGE_CHARS) -> Shortened:
    """Return the beginning of a text that is too long for a page; the page links to the rest (see `raw_routes.raw_path`)."""
    if len(text) <= max_chars:
        return Shortened(text=text, num_chars=len(text))
    end = max(text.rfind("\n", max_chars - 1_000, max_chars), text.rfind(" ", max_chars - 200, max_chars)) + 1
    return Shortened(text=text[: end or max_chars], num_chars=len(text))


def pretty_json(text: str) -> str:
    """Return a JSON object or array with line breaks; empty if the text is none, or says nothing more that way."""
    try:
        parsed = json.loads(text)
        pretty = json.dumps(parsed, indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return ""
    return pretty if isinstance(parsed, dict | list) and pretty != text.strip() else ""


def diff_words(old: str, new: str) -> list[Change]:
    """Return the word-by-word way from one text to another, or both in full where they are long or have little in common."""
    before, after = _TOKEN.findall(old), _TOKEN.findall(new)
    if len(before) + len(after) > MAX_DIFF_WORDS:
        return [Change("gone", old), Change("new", new)] if old != new else [Change("same", old)]
    changes: list[Change] = []
    at = (0, 0)
    for i, j, length in [*_common_stretches(before, after), (len(before), len(after), 0)]:
        pieces = (("gone", before[at[0] : i]), ("new", after[at[1] : j]), ("same", before[i : i + length]))
        changes += [Change(kind, "".join(words)) for kind, words in pieces if words]  # type: ignore[arg-type]
        at = (i + length, j + length)
    return changes


def _common_stretches(before: list[str], after: list[str]) -> list[tuple[int, int, int]]:
    """Return the stretches that two lists share, as (place in one, place in the other, length).

    Myers 1986, "An O(ND) difference algorithm and its variations", given up after MAX_DIFF_EDITS: `difflib` takes a minute for
    two hostile texts of 2,000 characters.
    """
    start = _shared_start(before, after)
    end = _shared_start(before[start:][::-1], after[start:][::-1])
    middle = _matches(before[start : len(before) - end], after[start : len(after) - end])
    points = [*((i, i) for i in range(start)), *((start + i, start + j) for i, j in middle)]
    points += [(len(before) - left, len(after) - left) for left in range(end, 0, -1)]
    stretches: list[tuple[int, int, int]] = []
    for i, j in points:
        if stretches and (i, j) == (stretches[-1][0] + stretches[-1][2], stretches[-1][1] + stretches[-1][2]):
            stretches[-1] = (*stretches[-1][:2], stretches[-1][2] + 1)
        else:
            stretches.append((i, j, 1))
    return stretches


def _shared_start(one: list[str], other: list[str]) -> int:
    return next(
        (at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right), min(len(one), len(other))
    )


def _matches(before: list[str], after: list[str]) -> list[tuple[int, int]]:
    """Return the pairs of places that the shortest way from one list to the other keeps; none if it is too long."""
    reach = {1: 0}
    steps: list[dict[int, int]] = []
    for edits in range(min(MAX_DIFF_EDITS, len(before) + len(after)) + 1):
        steps.append(dict(reach))
        for diagonal in range(-edits, edits + 1, 2):
            down = diagonal == -edits or (diagonal != edits and reach[diagonal - 1] < reach[diagonal + 1])
            i = reach[diagonal + 1] if down else reach[diagonal - 1] + 1
            while i < len(before) and 0 <= i - diagonal < len(after) and before[i] == after[i - diagonal]:
                i += 1
            reach[diagonal] = i
            if i >= len(before) and i - diagonal >= len(after):
                return _walk_back(steps, len(before), len(after))
    return []


def _walk_back(steps: list[dict[int, int]], i: int, j: int) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for edits in range(len(steps) - 1, -1, -1):
        reach, diagonal = steps[edits], i - j
        down = diagonal == -edits or (diagonal != edits and reach[diagonal - 1] < reach[diagonal + 1])
        before_i = reach[diagonal + 1] if down else reach[diagonal - 1]
        before_j = before_i - (diagonal + 1 if down else diagonal - 1)
        while i > max(before_i, 0) and j > max(before_j, 0) and (edits == 0 or i > before_i + (not down)):
            i, j = i - 1, j - 1
            kept.append((i, j))
        i, j = before_i, before_j
    return kept[::-1]


def prompt_text(prompt: tuple[Message, ...]) -> str:
    """Return a prompt as one text, for excerpts and diffs."""
    return "\n\n".join(message.text for message in prompt)


def excerpt(text: str, num_chars: int = 160) -> str:
    """Return the start of a text on one line."""
    line = " ".join(text[: num_chars * 4].split())
    return line if len(line) <= num_chars else line[: num_chars - 3] + "..."
