r"""Texts as the duplicate finder compares them: folded, numbered by content, in one flat buffer.

folded = fold_texts(["How  do I sort?", "how do i sort?", "Why?"])
folded.class_of      [0, 0, 1]      texts that are equal once folded share a class
folded.firsts        [0, 2]         the first text of each class
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

SHINGLE_CHARS = 5
"""Texts are compared by their sets of 5-grams; a shorter text is padded with spaces to one 5-gram."""
_CHUNK = 65_536

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class FoldedTexts:
    """Distinct folded texts, numbered in the order in which they first appear."""

    class_of: Array
    """int64 (texts,): the class of each text given."""
    firsts: Array
    """int64 (classes,): the position of the first text of each class."""
    codes: Array
    """uint32 (characters,): the code points of all classes, one after the other."""
    offsets: Array
    """int64 (classes + 1,): class c is `codes[offsets[c]:offsets[c + 1]]`."""

    def __len__(self) -> int:
        return len(self.firsts)


def fold_text(text: str) -> str:
    """Return the text without differences of case and white space."""
    text = text.casefold()
    if text.isprintable() and "  " not in text and text[:1] != " " and text[-1:] != " ":
        return text  # the only printable white space is a space; splitting takes longer than looking
    return " ".join(text.split())


def fold_texts(texts: Iterable[str]) -> FoldedTexts:
    """Fold texts and number what is distinct; lone surrogates are characters like all others."""
    numbers: dict[str, int] = {}
    class_of = np.fromiter((numbers.setdefault(fold_text(text), len(numbers)) for text in texts), dtype=np.int64)
    firsts = np.unique(class_of, return_index=True)[1] if len(class_of) else np.zeros(0, dtype=np.int64)
    codes, offsets = _flatten(list(numbers))
    return FoldedTexts(class_of, firsts, codes, offsets)


def _flatten(texts: Sequence[str]) -> tuple[Array, Array]:
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    chunks = []
    for start in range(0, len(texts), _CHUNK):
        chunk = [text.ljust(SHINGLE_CHARS) for text in texts[start : start + _CHUNK]]
        offsets[start + 1 : start + 1 + len(chunk)] = list(map(len, chunk))
        joined = "".join(chunk)
        is_ascii = joined.isascii()  # then a quarter of the bytes is written first
        data = joined.encode("ascii") if is_ascii else joined.encode("utf-32-le", "surrogatepass")
        chunks.append(
            np.frombuffer(data, dtype=np.uint8).astype(np.uint32) if is_ascii else np.frombuffer(data, dtype=np.uint32)
        )
    np.cumsum(offsets, out=offsets)
    return np.concatenate(chunks) if chunks else np.zeros(0, dtype=np.uint32), offsets
