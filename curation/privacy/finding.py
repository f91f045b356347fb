"""A finding, and the seam through which another way of finding is plugged in.

Finding(entity="EMAIL", start=11, end=27, detector="email", score=0.85)
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from curation.privacy.entities import is_secret


@dataclass(frozen=True, slots=True)
class Finding:
    """Where something private stands in a text (half-open character span) and who says so; never what it is."""

    entity: str
    start: int
    end: int
    detector: str
    score: float


class Recogniser(Protocol):
    """A further way of finding, such as a named-entity model."""

    def find(self, text: str) -> Iterable[Finding]:
        """Return the findings in a text, in any order; spans lie inside it and are not empty."""


def without_overlaps(text: str, findings: Iterable[Finding], weak: frozenset[str] = frozenset()) -> list[Finding]:
    """Make findings disjoint, sorted by start.

    Findings of one entity that overlap, and secrets that overlap, become one span. Of other findings that overlap one stays
    whole: a secret, then one whose entity is not `weak` (those that are only reported), then the surer, the longer, the
    earlier one. What the others cover besides stays theirs, unless they are weak or no letter or digit is left of it.
    """
    groups: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.start < finding.end:
            groups["" if is_secret(finding.entity) else finding.entity].append(finding)
    secrets = _merged(groups.pop("", []))
    others = [finding for group in groups.values() for finding in _merged(group)]
    others.sort(key=lambda item: _rank(item, weak))
    kept: list[Finding] = []
    taken = _Spans()
    for finding in (*secrets, *others):
        for start, end in taken.free_parts(finding.start, finding.end):
            whole = (start, end) == (finding.start, finding.end)
            part = text[start:end]
            if whole or (finding.entity not in weak and any(char.isalnum() for char in part)):
                start, end = (start, end) if whole else (end - len(part.lstrip()), start + len(part.rstrip()))
                taken.add(start, end)
                kept.append(replace(finding, start=start, end=end))
    return sorted(kept, key=lambda finding: finding.start)


def _rank(finding: Finding, weak: frozenset[str] = frozenset()) -> tuple[bool, float, int, int, str, str]:
    length = finding.end - finding.start
    return finding.entity in weak, -finding.score, -length, finding.start, finding.entity, finding.detector


def _merged(group: Iterable[Finding]) -> list[Finding]:
    merged: list[Finding] = []
    for finding in sorted(group, key=lambda item: (item.start, *_rank(item))):
        if merged and finding.start < merged[-1].end:
            better = min(merged[-1], finding, key=_rank)
            end = max(merged[-1].end, finding.end)
            merged[-1] = replace(better, start=merged[-1].start, end=end)
        else:
            merged.append(finding)
    return merged


class _Spans:
    """Spans that do not overlap, kept sorted."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []

    def add(self, start: int, end: int) -> None:
        """Add a span that overlaps none of the others."""
        place = bisect_right(self.starts, start)
        self.starts.insert(place, start)
        self.ends.insert(place, end)

    def free_parts(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the parts of a span that no other one covers."""
        place = max(0, bisect_right(self.starts, start) - 1)
        parts: list[tuple[int, int]] = []
        while place < len(self.starts) and self.starts[place] < end:
            if start < self.starts[place]:
                parts.append((start, self.starts[place]))
            start = max(start, self.ends[place])
            place += 1
        return [*parts, (start, end)] if start < end else parts
