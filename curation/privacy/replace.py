"""Put replacements into a text and keep track of where everything else went.

edited = apply_edits("Mail ann@corp.com now", [Edit(5, 17, "[EMAIL]")])
edited.text                 "Mail [EMAIL] now"
edited.position(18)         13
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from curation.records import Section


@dataclass(frozen=True, slots=True)
class Edit:
    """A span (half-open, in the original text) and what takes its place."""

    start: int
    end: int
    replacement: str


class Edited:
    """The new text with the map from old offsets to new ones."""

    def __init__(self, text: str, edits: Sequence[Edit]) -> None:
        self.edits = tuple(edits)
        self.starts = [edit.start for edit in edits]
        parts: list[str] = []
        self.shifts = [0]
        place = 0
        for edit in edits:
            parts += (text[place : edit.start], edit.replacement)
            self.shifts.append(self.shifts[-1] + len(edit.replacement) - (edit.end - edit.start))
            place = edit.end
        self.text = "".join((*parts, text[place:]))

    def position(self, offset: int) -> int:
        """Return where an offset of the old text lies in the new one; inside a replaced span: after the replacement."""
        count = bisect_right(self.starts, offset - 1)
        if count and offset < self.edits[count - 1].end:
            return self.edits[count - 1].end + self.shifts[count]
        return offset + self.shifts[count]


def apply_edits(text: str, edits: Iterable[Edit]) -> Edited:
    """Replace spans that do not overlap, in any order."""
    ordered = sorted(edits, key=lambda edit: edit.start)
    assert all(left.end <= right.start for left, right in zip(ordered, ordered[1:], strict=False))
    return Edited(text, ordered)


def shift_sections(sections: Iterable[Section], edited: Edited) -> tuple[Section, ...]:
    """Move sections along: each covers the same text, with the replaced spans replaced.

    A replaced span that crosses a border goes to the section that it starts in; a section that lay wholly inside such a span
    and not at its start has no text left and is dropped (its text is part of the replacement).
    """
    moved = (replace(section, start=edited.position(section.start), end=edited.position(section.end)) for section in sections)
    return tuple(new for new, old in zip(moved, sections, strict=True) if new.start < new.end or old.start == old.end)
