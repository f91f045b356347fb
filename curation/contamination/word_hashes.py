"""Words and word n-grams of many texts as 64-bit hashes, in numpy: no Python loop over words.

    words = hash_words(["How do I sort?", "how do I SORT a list"])
    words.starts                       [0, 4, 9]: text 0 holds words 0 to 3, text 1 words 4 to 8
    starts_of, hashes = hash_ngrams(words, 3)      every run of 3 words inside a text

A word is a run of letters and digits after NFKC and case folding, so case, punctuation, full-width forms and invisible
characters make no difference; in scripts without spaces each character is a word. Hashes are polynomials modulo 2**64: the
sum of a run is the difference of two prefix sums, whatever its length.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

Hashes: TypeAlias = np.ndarray[Any, np.dtype[np.uint64]]
Positions: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]

_CHAR_BASE = 0x9E3779B97F4A7C15
_WORD_BASE = 0xD6E8FEB86659FD93
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])"
)
_SEPARATORS = re.compile(r"[\W_]+")
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]")


class Words(NamedTuple):
    """The hashed words of texts, one after the other."""

    hashes: Hashes
    """(num_words,)"""
    starts: Positions
    """(num_texts + 1,): the first word of each text, and the end."""


def hash_words(texts: Sequence[str]) -> Words:
    """Return the hashed words of all texts. Lone surrogates and NUL separate or stay; nothing fails."""
    if not texts:
        return Words(np.zeros(0, np.uint64), np.zeros(1, np.int64))
    joined = "\0".join(texts)
    if not joined.isascii():
        joined = "\0".join([text if text.isascii() else fold(text) for text in texts])
    if joined.count("\0") != len(texts) - 1:
        joined = "\0".join([(text if text.isascii() else fold(text)).replace("\0", " ") for text in texts])
    data = b"\0" + joined.encode("utf-8", "surrogatepass") + b"\0"
    codes = np.frombuffer(data.translate(_CODES), dtype=np.uint8)
    is_word = codes > 0
    edges = np.flatnonzero(is_word[1:] != is_word[:-1]) + 1
    first, last = edges[0::2], edges[1::2]
    text_ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == 0)[1:]
    starts = np.concatenate([[0], np.searchsorted(first, text_ends)]).astype(np.int64)
    return Words(_hash_runs(codes, first, last), starts)


def fold(text: str) -> str:
    """Return a text in which words are separated by spaces and written in one way (NFKC, case folded)."""
    folded = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold()
    return _SEPARATORS.sub(" ", _UNSPACED.sub(r" \1 ", folded))


def words_of(text: str) -> list[str]:
    """Return the words of one text as `hash_words` sees them."""
    return fold(text).split()


def hash_ngrams(words: Words, size: int) -> tuple[Positions, Hashes]:
    """Return the first word (its position) and the hash of every run of `size` words inside one text."""
    num_words = len(words.hashes)
    if num_words < size:
        return np.zeros(0, np.int64), np.zeros(0, np.uint64)
    sums = _prefix_sums(words.hashes)
    grams = (sums[size:] - sums[:-size]) * _powers(_inverse(_WORD_BASE), num_words)[: num_words - size + 1]
    inside = np.ones(num_words - size + 1, dtype=bool)
    for back in range(1, size):
        ends = words.starts[1:-1] - back
        inside[ends[(ends >= 0) & (ends < len(inside))]] = False
    places = np.flatnonzero(inside)
    return places, _mix(grams[places] + np.uint64(size))


def hash_texts(words: Words) -> Hashes:
    """Return one hash a text over its words; 0 for a text without words."""
    sums = _prefix_sums(words.hashes)
    first, last = words.starts[:-1], words.starts[1:]
    values = (sums[last] - sums[first]) * _powers(_inverse(_WORD_BASE), len(sums))[first]
    return np.where(last > first, _mix(values + (last - first).astype(np.uint64)), np.uint64(0))


def _hash_runs(codes: "np.ndarray[Any, np.dtype[np.uint8]]", first: Positions, last: Positions) -> Hashes:
    """Return the hash of each run of word characters; the first character of all is none."""
    if not len(first):
        return np.zeros(0, np.uint64)
    terms = codes * _powers(_CHAR_BASE, len(codes))[: len(codes)]
    sums = np.cumsum(terms, out=terms)
    values = (sums[last - 1] - sums[first - 1]) * _powers(_inverse(_CHAR_BASE), len(codes))[first]
    return _mix(values + (last - first).astype(np.uint64))


def _prefix_sums(hashes: Hashes) -> Hashes:
    sums = np.zeros(len(hashes) + 1, dtype=np.uint64)
    np.cumsum(hashes * _powers(_WORD_BASE, len(hashes))[: len(hashes)], out=sums[1:])
    return sums


def _mix(values: Hashes) -> Hashes:
    values = (values ^ (values >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    return values ^ (values >> np.uint64(32))


def _inverse(base: int) -> int:
    return pow(base, -1, 1 << 64)


_POWERS: dict[int, Hashes] = {}


def _powers(base: int, count: int) -> Hashes:
    """Return at least `count` powers of an odd number modulo 2**64, kept for the next call."""
    known = _POWERS.get(base)
    if known is None or len(known) < count:
        factors = np.full(max(count, 1 << 16), np.uint64(base), dtype=np.uint64)
        factors[0] = 1
        known = np.multiply.accumulate(factors)
        _POWERS[base] = known
    return known


def _make_codes() -> bytes:
    """Return for each byte what it is hashed as: lower case for a letter, 0 for what separates words."""
    plain = {char: char for char in b"0123456789abcdefghijklmnopqrstuvwxyz"}
    upper = {char: char + 32 for char in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    return bytes((plain | upper).get(char, char if char >= 128 else 0) for char in range(256))


_CODES = _make_codes()
