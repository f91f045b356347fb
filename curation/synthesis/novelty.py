"""A pool of texts that tells what is new: verified near copies of what it holds are refused, everything else joins it.

    pool = NoveltyPool([("faq/1", "How do I sort a table by price?")], max_similarity=0.6)
    pool.admit([("x/0", "how do I sort a table by price"), ("x/1", "Name three seas.")])
        {0: Repeat(key="faq/1", similarity=0.93)}

Self-Instruct (Wang et al., 2022) compares each new text with each old one by ROUGE-L. Here rare character grams find the few
candidates and the exact Jaccard similarity of 5-grams decides (`curation.duplicates`), so that a pool of 100,000 texts costs
seconds and not hours.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from curation.duplicates.folding import fold_text
from curation.duplicates.near_duplicates import Candidate, find_near_duplicates

GRAM = 5


class Repeat(NamedTuple):
    """What a text repeats."""

    key: str
    similarity: float
    """Jaccard similarity of character 5-grams, 0 to 1."""


class NoveltyPool:
    """Texts by key, in the order in which they came."""

    def __init__(self, texts: Iterable[tuple[str, str]], *, max_similarity: float, sibling_guard: bool = False) -> None:
        """Start with texts that are there anyhow; they are never refused.

        Args:
            texts: pairs of key and text.
            max_similarity: similarity from which a text repeats another, 0.5 to 1; 1 refuses nothing.
            sibling_guard: let texts in that differ from an old one by a number, a name or a negation only.
        """
        self._texts = list(texts)
        self._max_similarity = max_similarity
        self._guard = sibling_guard

    def __len__(self) -> int:
        return len(self._texts)

    def admit(self, proposed: Sequence[tuple[str, str]]) -> dict[int, Repeat]:
        """Take in what is new; return for every other position what it repeats, in the pool or earlier in `proposed`."""
        start = len(self._texts)
        if not proposed:
            return {}
        candidates = [Candidate(text, ("all",), ()) for _, text in self._texts]
        candidates += [Candidate(text, ("all",), ("all",)) for _, text in proposed]
        found = find_near_duplicates(candidates, self._max_similarity, guard=self._guard)
        known = [*self._texts, *proposed]
        repeats = {at - start: Repeat(known[copy.of][0], float(copy.similarity)) for at, copy in found.items()}
        self._texts += [item for at, item in enumerate(proposed) if at not in repeats]
        return repeats


def gram_similarity(one: str, two: str) -> float:
    """Return the Jaccard similarity of the character 5-grams of two texts, without case and white space at breaks."""
    mine, theirs = _grams(one), _grams(two)
    return len(mine & theirs) / len(mine | theirs) if mine and theirs else float(mine == theirs)


def _grams(text: str) -> set[str]:
    folded = fold_text(text)
    return {folded[at : at + GRAM] for at in range(max(len(folded) - GRAM + 1, 1))} if folded else set()
