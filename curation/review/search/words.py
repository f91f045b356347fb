"""The words of a text as the search sees them, the same for both databases: folded, without accents, split in Python.

    split_words("Size: str_head(3)")          ["size", "str", "head", "3"]
    split_words("Tower-bridge")               ["tower", "bridge"]; of Chinese and Japanese each character is a word

Whoever changes what a word is must fill the index anew in a migration: an update takes the old words out of it.
"""

import re
import unicodedata

from curation.records import ReviewItem
from curation.review.items import shown_record_key

MAX_WORD_CHARS = 64
MAX_INDEXED_CHARS = 200_000
"""Text of one item that is searched; what stands behind that is shown, but not found."""

_ALONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Scripts without spaces: each character is a word, and a longer word is a phrase of them."""

WORD = re.compile(rf"(?=\w)[{_ALONE}]|[^\W_{_ALONE}]+")


def fold(text: str) -> str:
    """Return text in the form in which words are compared."""
    if text.isascii():
        return text.lower()
    plain = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return unicodedata.normalize("NFKC", plain).casefold()


def split_words(text: str) -> list[str]:
    """Return the words of a text in order. Words hold letters and digits only."""
    return [word[:MAX_WORD_CHARS] for word in WORD.findall(fold(text))]


def fields_of(item: ReviewItem) -> list[str]:
    """Return the texts of an item that are searched; what a hit is best shown in comes first."""
    prompt = [message.text for message in item.prompt]
    return [item.answer, item.alternative, *reversed(prompt), *item.evidence, shown_record_key(item.record_key), item.task]


def spaced_words(text: str) -> str:
    """Return the words of a text with spaces between them; plain ASCII, which most texts are, is not split for that."""
    if not text.isascii():
        return " ".join(split_words(text))
    line = text.lower().translate(_TO_SPACE)
    is_long = max(map(len, line.split()), default=0) > MAX_WORD_CHARS
    return " ".join(split_words(text)) if is_long else line


_TO_SPACE = {code: " " for code in range(128) if not chr(code).isalnum()}


def item_words(item: ReviewItem) -> str:
    """Return the words of an item, as both databases index them."""
    return spaced_words("\n".join(text for text in fields_of(item) if text)[:MAX_INDEXED_CHARS])
