"""What shared word runs are worth: which rows give which evaluation items away.

    decide(hits, row_of_text, index, config)          [Match(row=7, item=3, text=12, score=0.8), ...]

A run is rare if at most `max_row_frequency` rows, and as many items, hold it; equal prompts count once, so that an item copied
a hundred times is not mistaken for a template. A row gives an item away if

1. it holds `min_hits` rare runs of the prompt or of the answer and the asked share of them, or as many of both together;
2. or it holds every run of a prompt that has fewer rare ones than that, if none of its runs is in too many items;
3. or one of its texts equals the prompt (of 4 words or more; a shorter one, if the answer is equal too);
4. or it holds a short prompt whole, in a text at most half as long again.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from curation.contamination.config import ContaminationConfig
from curation.contamination.ngram_index import WHOLE_ITEM_WORDS, Flags, NgramIndex
from curation.contamination.ngram_scan import Hits
from curation.contamination.word_hashes import Positions

MIN_WORDS_ALONE = 4
"""Shorter prompts ("Hello", "Yes or no?") are no evidence by themselves, shorter answers are none at all."""


Scores: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]


class Match(NamedTuple):
    """A row gives an item away; numbers are positions among the rows, the items and the texts of the rows."""

    row: int
    item: int
    text: int
    """The text with most of the evidence."""
    score: float
    """Share of the item's rare runs that the row holds; 1 for an equal text."""


class _Entries(NamedTuple):
    """A row holds a run of a part."""

    row: Positions
    part: Positions
    text: Positions
    place: Positions
    """Where in the part the run starts."""


class _Shares(NamedTuple):
    """How many runs of a part (or an item) a row holds."""

    row: Positions
    part: Positions
    hits: Positions
    span: Positions
    """Words from the first of these runs to the last."""


def decide(hits: Hits, row_of_text: Positions, index: NgramIndex, config: ContaminationConfig) -> list[Match]:
    """Return every pair of a row and an item that it gives away, sorted by row and item."""
    runs = _runs_of_rows(hits, row_of_text)
    rare = _is_rare(runs[1], runs[2], hits, index, config.max_row_frequency)
    entries = _expand(*runs, rare, index)
    rare_total = _total(rare, index)
    best: dict[tuple[int, int], Match] = {}
    found = [
        _by_runs(entries, rare_total, index, config),
        _by_whole_prompt(runs, rare_total, index, config),
        _by_short_prompt(entries, hits, index),
        _by_equal_text(hits, row_of_text, index, config.max_row_frequency),
    ]
    for match in (match for matches in found for match in matches):
        known = best.get(match[:2])
        if known is None or (match.score, -match.text) > (known.score, -known.text):
            best[match[:2]] = match
    return [best[pair] for pair in sorted(best)]


def _runs_of_rows(hits: Hits, row_of_text: Positions) -> tuple[Positions, Positions, Positions]:
    """Return each run once a row, with the first text that holds it."""
    row = row_of_text[hits.text]
    key = row * max(1, int(hits.gram.max(initial=0)) + 1) + hits.gram
    order = np.argsort(key, kind="stable")
    order = order[_is_new(key[order])]
    return row[order], hits.gram[order], hits.text[order]


def _is_new(*columns: Positions) -> Flags:
    """Tell where sorted columns differ from the line before."""
    new = np.ones(len(columns[0]), dtype=bool)
    if len(new):
        new[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return new


def _is_rare(gram: Positions, text: Positions, hits: Hits, index: NgramIndex, limit: int) -> Flags:
    _, same_text = np.unique(hits.counted_as, return_inverse=True)
    key = np.sort(gram * max(1, len(same_text)) + same_text[text])
    frequency = np.bincount(key[_is_new(key)] // max(1, len(same_text)), minlength=len(index.grams))
    return frequency <= limit


def _expand(row: Positions, gram: Positions, text: Positions, chosen: Flags, index: NgramIndex) -> _Entries:
    """Return one entry for each part that holds a run, for the chosen runs."""
    keep = np.flatnonzero(chosen[gram])
    row, gram, text = row[keep], gram[keep], text[keep]
    first = index.gram_starts[gram]
    count = index.gram_starts[gram + 1] - first
    within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    chosen_pairs = np.repeat(first, count) + within
    places = index.gram_places[chosen_pairs]
    return _Entries(np.repeat(row, count), index.gram_parts[chosen_pairs], np.repeat(text, count), places)


def _total(chosen: Flags, index: NgramIndex) -> Positions:
    of_entry = np.repeat(chosen, np.diff(index.gram_starts))
    return np.bincount(index.gram_parts[of_entry], minlength=len(index.part_words)).astype(np.int64)


def _count(row: Positions, part: Positions, place: Positions | None = None) -> _Shares:
    place = np.zeros(len(row), np.int64) if place is None else place
    order = np.lexsort((place, part, row))
    row, part, place = row[order], part[order], place[order]
    new = np.flatnonzero(_is_new(row, part))
    after = np.append(new[1:], len(row))[: len(new)]
    return _Shares(row[new], part[new], after - new, place[after - 1] - place[new])


def _by_runs(entries: _Entries, rare_total: Positions, index: NgramIndex, config: ContaminationConfig) -> Iterator[Match]:
    """Rule 1."""
    counts = index.part_words >= MIN_WORDS_ALONE
    entries = _select(entries, counts[entries.part])
    parts = _count(entries.row, entries.part, entries.place)
    share = parts.hits / rare_total[parts.part]
    asked = np.where(parts.part % 2 == 0, config.min_coverage, config.min_answer_coverage)
    alone = (parts.hits >= config.min_hits) & (share >= asked) & (index.part_words[parts.part] > WHOLE_ITEM_WORDS)
    alone &= (parts.span >= index.part_sizes[parts.part]) | (share >= 0.75)
    yield from _matches(parts.row[alone], parts.part[alone] // 2, share[alone], entries)
    items = _count(entries.row, entries.part // 2)
    totals = np.where(counts, rare_total, 0).reshape(-1, 2).sum(axis=1)
    share = items.hits / totals[items.part]
    together = (items.hits >= config.min_hits) & (share >= config.min_coverage)
    together &= _count(parts.row, parts.part // 2).hits == 2
    yield from _matches(items.row[together], items.part[together], share[together], entries)


def _by_whole_prompt(
    runs: tuple[Positions, Positions, Positions], rare_total: Positions, index: NgramIndex, config: ContaminationConfig
) -> Iterator[Match]:
    """Rule 2: the prompts whose runs are nearly all frequent, so that only all of them together say something."""
    is_prompt = np.arange(len(index.part_words)) % 2 == 0
    num_grams = np.bincount(index.gram_parts, minlength=len(index.part_words))
    asked = is_prompt & (index.part_words > WHOLE_ITEM_WORDS) & (rare_total < config.min_hits) & (num_grams == index.part_grams)
    asked &= _part_frequency(index) <= config.max_row_frequency
    of_entry = asked[index.gram_parts]
    chosen = np.zeros(len(index.grams), dtype=np.bool_)
    chosen[np.repeat(np.arange(len(index.grams)), np.diff(index.gram_starts))[of_entry]] = True
    entries = _expand(*runs, chosen, index)
    entries = _select(entries, asked[entries.part])
    parts = _count(entries.row, entries.part)
    whole = parts.hits == index.part_grams[parts.part]
    yield from _matches(parts.row[whole], parts.part[whole] // 2, np.ones(int(whole.sum())), entries)


def _by_short_prompt(entries: _Entries, hits: Hits, index: NgramIndex) -> Iterator[Match]:
    """Rule 4."""
    words = index.part_words[entries.part]
    short = (entries.part % 2 == 0) & (words >= MIN_WORDS_ALONE) & (words <= WHOLE_ITEM_WORDS)
    entries = _select(entries, short & (hits.num_words[entries.text] <= 1.5 * words))
    yield from _matches(entries.row, entries.part // 2, np.ones(len(entries.row)), entries)


def _by_equal_text(hits: Hits, row_of_text: Positions, index: NgramIndex, limit: int) -> Iterator[Match]:
    """Rule 3."""
    items_of: dict[int, list[int]] = defaultdict(list)
    usable = (index.part_words[0::2] > 0) & (_part_frequency(index)[0::2] <= limit)
    for item in np.flatnonzero(usable).tolist():
        items_of[int(index.part_hashes[2 * item])].append(item)
    equal = np.flatnonzero(np.isin(hits.hashes, np.array(list(items_of), dtype=np.uint64)))
    for text, words, row in zip(equal.tolist(), hits.num_words[equal].tolist(), row_of_text[equal].tolist(), strict=True):
        for item in items_of[int(hits.hashes[text])]:
            if words >= MIN_WORDS_ALONE or _has_answer(row, item, hits, row_of_text, index):
                yield Match(row, item, text, 1.0)


def _has_answer(row: int, item: int, hits: Hits, row_of_text: Positions, index: NgramIndex) -> bool:
    answer = index.part_hashes[2 * item + 1]
    first, last = np.searchsorted(row_of_text, [row, row + 1])
    return bool(answer) and bool((hits.hashes[first:last] == answer).any())


def _part_frequency(index: NgramIndex) -> Positions:
    """Return how many parts have the text of each part."""
    _, inverse, counts = np.unique(index.part_hashes, return_inverse=True, return_counts=True)
    return counts[inverse].astype(np.int64)


def _select(entries: _Entries, chosen: Flags) -> _Entries:
    return _Entries(*(column[chosen] for column in entries))


def _matches(row: Positions, item: Positions, score: Scores, entries: _Entries) -> Iterator[Match]:
    """Name for each pair the text that holds most of its runs (the first of several)."""
    num_items = int(max(entries.part.max(initial=0) // 2, item.max(initial=0))) + 1
    wanted = row * num_items + item
    pair = entries.row * num_items + entries.part // 2
    chosen = np.isin(pair, wanted)
    texts = _count(pair[chosen], entries.text[chosen])
    order = np.lexsort((texts.part, -texts.hits, texts.row))
    pairs, text = texts.row[order], texts.part[order]
    text = text[np.searchsorted(pairs, wanted)] if len(pairs) else text
    columns = (row.tolist(), item.tolist(), text.tolist(), score.tolist())
    return (Match(*values) for values in zip(*columns, strict=True))
