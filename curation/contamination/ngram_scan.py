"""Texts against the index: which runs of which items each text holds.

    hits = scan(texts, index)                      the runs that each text shares with any item

Scanning a row depends on nothing but the row; only the frequencies of runs look at all rows.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from curation.contamination.items import RowTexts
from curation.contamination.ngram_index import NgramIndex
from curation.contamination.word_hashes import Hashes, Positions, hash_ngrams, hash_texts, hash_words

CHUNK_CHARS = 400_000
NUM_THREADS = 2


class Hits(NamedTuple):
    """What a scan found: one entry for each text and run, and the size and hash of each text."""

    text: Positions
    gram: Positions
    num_words: Positions
    """(num_texts,)"""
    hashes: Hashes
    """(num_texts,): hash over all words of a text."""
    counted_as: Hashes
    """(num_texts,): texts with one value count once when the frequency of a run is taken. Equal prompts and documents do, so
    that an item which was copied a hundred times is no template; equal answers (labels, refusals) do not."""


def scan(texts: RowTexts, index: NgramIndex) -> Hits:
    """Find the runs of all texts in an index; threads share the work, the order of the result does not depend on them."""
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        parts = list(pool.map(lambda chunk: _scan_chunk(texts, chunk, index), _chunks(texts)))
    if not parts:
        parts = [_scan_chunk(texts, range(0), index)]
    return Hits(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _chunks(texts: RowTexts) -> Iterator[range]:
    start, size = 0, 0
    for position, text in enumerate(texts.texts):
        size += len(text)
        if size >= CHUNK_CHARS:
            yield range(start, position + 1)
            start, size = position + 1, 0
    if start < len(texts.texts):
        yield range(start, len(texts.texts))


def _scan_chunk(texts: RowTexts, chunk: range, index: NgramIndex) -> Hits:
    words = hash_words(texts.texts[chunk.start : chunk.stop])
    num_words = np.diff(words.starts)
    text_of_word = np.repeat(np.arange(len(chunk)), num_words)
    found: list[tuple[Positions, Positions]] = []
    for size in index.sizes:
        places, hashes = hash_ngrams(words, size)
        where, numbers = index.find(hashes)
        found.append((text_of_word[places[where]], numbers))
    num_grams = max(1, len(index.grams))
    keys = np.concatenate([np.zeros(0, np.int64), *(texts_found * num_grams + numbers for texts_found, numbers in found)])
    keys = np.unique(keys)
    hashes = hash_texts(words)
    is_answer = np.array([texts.fields[position] == "answer" for position in chunk], dtype=bool)
    counted_as = np.where(is_answer, np.arange(chunk.start, chunk.stop, dtype=np.uint64), hashes)
    return Hits(keys // num_grams + chunk.start, keys % num_grams, num_words, hashes, counted_as)
