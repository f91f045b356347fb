"""Which copies go: each text is dropped against a kept text that it directly equals, earlier ones first.

    find_near_duplicates([Candidate("How do I sort?", ("a",), ("a",)), Candidate("how do I sort", ("a",), ("a",))], 0.8)
        {1: NearDuplicate(of=0, similarity=0.9)}

A text is only ever compared with texts that were kept, so no chain of small steps joins what is far apart, and no two kept
texts are near duplicates. Chains still show: texts that hang together in a large cluster are reported by `resolve`.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from curation.duplicates.clusters import Clusters
from curation.duplicates.config import Scope
from curation.duplicates.near_pairs import NearClasses, NearPairs, find_near_classes
from curation.duplicates.siblings import Marks, are_siblings, read_marks
from curation.garbage import collector_paused

SHORT_WORDS, SHORT_THRESHOLD = 15, 0.8
"""The guard asks texts with fewer words for this similarity: one word is much of a short text."""


class Candidate(NamedTuple):
    """A text. It is compared with those filed under a label that it looks under."""

    text: str
    filed_under: tuple[Hashable, ...]
    looks_under: tuple[Hashable, ...]
    source: str = ""
    looks_closely_under: tuple[Hashable, ...] = ()
    """Labels under which only what is at least as similar as `close_threshold` counts."""


class NearDuplicate(NamedTuple):
    """The kept candidate that a text nearly equals, and how similar they are."""

    of: int
    similarity: float
    measure: str = "near"
    """`near` (Jaccard of 5-grams) or `semantic` (cosine)."""


class Resolved(NamedTuple):
    """What to drop, and the clusters in which copies hang together (dropped ones and kept ones)."""

    found: dict[int, NearDuplicate]
    clusters: list[list[int]]


@collector_paused()
def find_near_duplicates(candidates: Sequence[Candidate], threshold: float, *, guard: bool = True) -> dict[int, NearDuplicate]:
    """Return for each dropped position the kept one that it nearly equals; empty if the threshold is 1."""
    if len(candidates) < 2 or threshold >= 1:
        return {}
    classes = find_near_classes((candidate.text for candidate in candidates), threshold)
    return resolve(candidates, classes, guard=guard).found


class SiblingGuard:
    """Tells siblings from copies; reads each text once."""

    def __init__(self, texts: Sequence[str], is_on: bool) -> None:
        self._texts = texts
        self._is_on = is_on
        self._marks: dict[int, Marks] = {}

    def refuses(self, one: int, two: int, similarity: float, measure: str) -> bool:
        """Tell whether two similar texts must not count as copies."""
        if not self._is_on:
            return False
        mine, theirs = self._read(one), self._read(two)
        is_short = max(len(mine.words), len(theirs.words)) < SHORT_WORDS
        if is_short and measure == "near" and similarity < SHORT_THRESHOLD:
            return True
        return are_siblings(mine, theirs)

    def _read(self, position: int) -> Marks:
        if position not in self._marks:
            self._marks[position] = read_marks(self._texts[position])
        return self._marks[position]


class _Filed:
    """The first candidate filed in one place, and the first of those kept."""

    __slots__ = ("first", "kept")

    def __init__(self, first: int) -> None:
        self.first = first
        self.kept = -1


class _Register:
    """Finds what a candidate has to be compared with: by class of text, label, and source."""

    def __init__(self, candidates: Sequence[Candidate], scope: Scope) -> None:
        self._candidates = candidates
        self._scope = scope
        self._filed: dict[tuple[int, Hashable], dict[str, _Filed]] = defaultdict(dict)

    def look(self, position: int, group: int, closely: bool) -> Iterable[_Filed]:
        """Yield what is filed in a class of texts that a candidate may be compared with."""
        candidate = self._candidates[position]
        for label in candidate.looks_under + (candidate.looks_closely_under if closely else ()):
            for source, filed in self._filed.get((group, label), {}).items():
                if self._scope == "all" or (source == candidate.source) == (self._scope == "within"):
                    yield filed

    def file(self, position: int, group: int, is_kept: bool) -> None:
        """File a candidate so that later ones find it."""
        candidate = self._candidates[position]
        source = "" if self._scope == "all" else candidate.source
        for label in candidate.filed_under:
            filed = self._filed[group, label].setdefault(source, _Filed(position))
            if is_kept and filed.kept < 0:
                filed.kept = position


def resolve(
    candidates: Sequence[Candidate],
    classes: NearClasses,
    semantic: NearPairs | None = None,
    *,
    guard: bool = True,
    scope: Scope = "all",
    close_threshold: float = 1.0,
) -> Resolved:
    """Decide what is dropped, in order of position (earlier candidates win); `semantic` holds pairs of positions."""
    siblings = SiblingGuard([candidate.text for candidate in candidates], guard)
    register, clusters = _Register(candidates, scope), Clusters()
    similar, joined = _neighbours(classes.pairs), _neighbours(semantic) if semantic is not None else {}
    class_of = classes.class_of.tolist()
    alone = np.bincount(classes.class_of, minlength=len(classes.firsts)) == 1 if len(candidates) else np.zeros(0, dtype=bool)
    found: dict[int, NearDuplicate] = {}
    for position, group in enumerate(class_of):
        if alone[group] and group not in similar and position not in joined:
            continue
        rivals = [
            NearDuplicate(other, similarity)
            for near, similarity in [(group, 1.0), *similar.get(group, ())]
            for filed in register.look(position, near, similarity >= close_threshold)
            for other in {filed.first, filed.kept} - {-1}
        ]
        rivals += [
            NearDuplicate(other, similarity, "semantic")
            for other, similarity in joined.get(position, ())
            if other < position and _may_meet(candidates[position], candidates[other], scope)
        ]
        for rival in sorted(rivals):
            if siblings.refuses(position, rival.of, rival.similarity, rival.measure):
                continue
            clusters.join(position, rival.of)
            if position not in found and rival.of not in found:
                found[position] = rival
        register.file(position, group, position not in found)
    return Resolved(found, clusters.groups())


def _may_meet(one: Candidate, two: Candidate, scope: Scope) -> bool:
    in_scope = scope == "all" or (one.source == two.source) == (scope == "within")
    return in_scope and not {*one.looks_under, *one.looks_closely_under}.isdisjoint(two.filed_under)


def _neighbours(pairs: NearPairs) -> dict[int, list[tuple[int, float]]]:
    found: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for left, right, similarity in zip(pairs.left.tolist(), pairs.right.tolist(), pairs.similarity.tolist(), strict=True):
        found[left].append((right, similarity))
        found[right].append((left, similarity))
    return dict(found)
