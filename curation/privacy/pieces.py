"""Long texts in overlapping pieces, so that the prefilter can pass over the parts in which nothing can be found.

list(pieces_of("short"))          [(0, 5)]
list(pieces_of(page))             [(0, 1987), (1802, 3790), ...]     borders at white space, never inside of a word
"""

import re
from collections.abc import Iterator

SIZE, OVERLAP = 2000, 200
_SPACE = re.compile(r"\s")


def pieces_of(text: str) -> Iterator[tuple[int, int]]:
    """Return the spans of pieces of about 2,000 characters that share about 200; a word of any length stays whole."""
    start = 0
    while start + SIZE < len(text):
        end = _last_space(text, start + SIZE // 2, start + SIZE)
        if end is None:
            end = _next_space(text, start + SIZE)
        if end == len(text):
            break
        yield start, end
        start = _next_space(text, max(end - OVERLAP, start + 1))
    yield start, len(text)


def _last_space(text: str, start: int, end: int) -> int | None:
    place = max(text.rfind("\n", start, end), text.rfind(" ", (start + end) // 2, end))
    return place if place >= 0 else None


def _next_space(text: str, start: int) -> int:
    match = _SPACE.search(text, start)
    return match.start() if match is not None else len(text)
