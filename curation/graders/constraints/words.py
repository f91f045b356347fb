"""Checks of words, letters and case in an answer.

has_keywords("A Cat sat.", keywords=["cat"])        True: anywhere, whatever the case
"""

import re

from curation.graders.constraints.language import is_language
from curation.graders.constraints.relation import holds

_WORD = re.compile(r"[^\W_]+(?:['.\u2019-][^\W_]+)*")


def has_keywords(text: str, *, keywords: list[str]) -> bool:
    """Every keyword stands somewhere in the text, be it within a word."""
    folded = text.casefold()
    return all(keyword.casefold() in folded for keyword in keywords)


def has_no_forbidden_words(text: str, *, forbidden_words: list[str]) -> bool:
    """None of the words stands in the text as a word of its own."""
    return not any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) for word in forbidden_words)


def has_keyword_often(text: str, *, keyword: str, frequency: int, relation: str) -> bool:
    """A keyword stands in the text at least, or less than, so many times."""
    return holds(text.casefold().count(keyword.casefold()), relation, frequency)


def has_letter_often(text: str, *, letter: str, let_frequency: int, let_relation: str) -> bool:
    """A character stands in the text at least, or less than, so many times, whatever its case."""
    return holds(text.lower().count(letter.lower()), let_relation, let_frequency)


def has_capital_words(text: str, *, capital_frequency: int, capital_relation: str) -> bool:
    """At least, or less than, so many words are in capitals altogether; `I` and `A` are."""
    return holds(sum(word.isupper() for word in _WORD.findall(text)), capital_relation, capital_frequency)


def is_english_capital(text: str) -> bool:
    """The text is English, and every letter is a capital."""
    return text.isupper() and is_language(text.lower(), language="en")


def is_english_lowercase(text: str) -> bool:
    """The text is English, and no letter is a capital."""
    return text.islower() and is_language(text, language="en")


def has_no_comma(text: str) -> bool:
    """There is no comma."""
    return "," not in text
