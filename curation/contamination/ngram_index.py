"""The word runs of evaluation items, made once and searched by any number of rows.

    index = NgramIndex.build(items, ngram=8)
    index.find(grams of a text)      numbers of the runs that are there

An item has two parts, its prompt and its answer (part 2 * item and 2 * item + 1). Each part is cut into runs of one length:
`ngram` words if it has 8 times as many, else 4, and a part of at most 8 words is one run as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from curation.contamination.items import EvalItem
from curation.contamination.word_hashes import Hashes, Positions, hash_ngrams, hash_texts, hash_words

SHORT_RUN = 4
"""Words a run in items that are too short for longer ones."""
WHOLE_ITEM_WORDS = 8
"""A part of at most this many words is compared as a whole."""
_MAX_FILTER_BITS = 26

Flags: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, kw_only=True)
class NgramIndex:
    """Runs of all parts, as sorted hashes, with the parts that hold each."""

    items: tuple[EvalItem, ...]
    sizes: tuple[int, ...]
    """Run lengths in use; a text is searched once for each."""
    grams: Hashes
    """(num_grams,) sorted; the position is the number of the run."""
    gram_starts: Positions
    """(num_grams + 1,) into `gram_parts`."""
    gram_parts: Positions
    """Parts that hold each run, one after the other."""
    gram_places: Positions
    """At which word of the part the run starts (the first time)."""
    part_words: Positions
    """(2 * num_items,): words a part."""
    part_sizes: Positions
    """(2 * num_items,): words a run of each part."""
    part_grams: Positions
    """(2 * num_items,): different runs a part, with those that are in too many items and left out of `grams`."""
    part_hashes: Hashes
    """(2 * num_items,): hash over all words of a part, 0 for an empty one."""
    seen: Flags
    """(2**k,): whether any run has this value in its upper k bits; a quick first look."""

    @classmethod
    def build(cls, items: Sequence[EvalItem], ngram: int, max_frequency: int) -> "NgramIndex":
        """Index items in the order given (`items_of` sorts them), without runs that are in more than `max_frequency` items.

        Equal prompts count once, so that an item which is there many times is no template; equal answers (labels) do not.
        """
        words = hash_words([text for item in items for text in (item.prompt, item.answer)])
        num_words = np.diff(words.starts)
        sizes = np.where(num_words >= 8 * ngram, ngram, np.where(num_words > WHOLE_ITEM_WORDS, SHORT_RUN, num_words))
        part_of_word = np.repeat(np.arange(len(num_words)), num_words)
        found: list[tuple[Hashes, Positions, Positions]] = []
        for size in sorted({int(size) for size in sizes} - {0}):
            places, hashes = hash_ngrams(words, size)
            parts = part_of_word[places]
            chosen = sizes[parts] == size
            found.append((hashes[chosen], parts[chosen], (places - words.starts[parts])[chosen]))
        pairs = _distinct_pairs(found)
        part_grams = np.bincount(pairs.part, minlength=len(num_words)).astype(np.int64)
        pairs = _without_templates(pairs, _counted_as(hash_texts(words)), max_frequency)
        grams, starts = _group(pairs.gram)
        return cls(
            items=tuple(items),
            sizes=tuple(sorted({int(size) for size in sizes} - {0})),
            grams=grams,
            gram_starts=starts,
            gram_parts=pairs.part,
            gram_places=pairs.place,
            part_words=num_words,
            part_sizes=sizes,
            part_grams=part_grams,
            part_hashes=hash_texts(words),
            seen=_first_look(grams),
        )

    def find(self, hashes: Hashes) -> tuple[Positions, Positions]:
        """Return which of the hashes are runs of an item (positions in `hashes`) and their numbers."""
        if not len(self.grams):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        maybe = np.flatnonzero(self.seen[_upper_bits(hashes, len(self.seen))])
        numbers = np.searchsorted(self.grams, hashes[maybe]).astype(np.int64)
        numbers[numbers == len(self.grams)] = 0
        right = self.grams[numbers] == hashes[maybe]
        return maybe[right], numbers[right]


class _Pairs(NamedTuple):
    """Runs, the parts that hold them, and where; sorted by run and part."""

    gram: Hashes
    part: Positions
    place: Positions


def _distinct_pairs(found: list[tuple[Hashes, Positions, Positions]]) -> _Pairs:
    """Return each run once a part."""
    none = (np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.int64))
    gram, part, place = (np.concatenate(column) for column in zip(none, *found, strict=True))
    order = np.lexsort((place, part, gram))
    gram, part, place = gram[order], part[order], place[order]
    new = np.ones(len(gram), dtype=bool)
    new[1:] = (gram[1:] != gram[:-1]) | (part[1:] != part[:-1])
    return _Pairs(gram[new], part[new], place[new])


def _group(grams: Hashes) -> tuple[Hashes, Positions]:
    distinct, starts = np.unique(grams, return_index=True)
    return distinct, np.append(starts, len(grams)).astype(np.int64)


def _counted_as(part_hashes: Hashes) -> Hashes:
    parts = np.arange(len(part_hashes), dtype=np.uint64)
    return np.where(parts % 2 == 1, parts, part_hashes)


def _without_templates(pairs: _Pairs, counted_as: Hashes, limit: int) -> _Pairs:
    _, starts = _group(pairs.gram)
    groups = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    texts = counted_as[pairs.part]
    order = np.lexsort((texts, groups))
    new = np.ones(len(texts), dtype=bool)
    new[1:] = (texts[order][1:] != texts[order][:-1]) | (groups[order][1:] != groups[order][:-1])
    keep = np.bincount(groups[order][new], minlength=len(starts) - 1)[groups] <= limit
    return _Pairs(pairs.gram[keep], pairs.part[keep], pairs.place[keep])


def _first_look(grams: Hashes) -> Flags:
    bits = min(_MAX_FILTER_BITS, max(12, int(len(grams)).bit_length() + 5))
    seen = np.zeros(1 << bits, dtype=bool)
    seen[_upper_bits(grams, len(seen))] = True
    return seen


def _upper_bits(hashes: Hashes, size: int) -> Positions:
    return (hashes >> np.uint64(64 - (size.bit_length() - 1))).astype(np.int64)
