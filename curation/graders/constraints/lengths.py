r"""Checks of how many words, sentences and paragraphs an answer has.

count_sentences("Dr. Who came. Did he? Yes!")        3
"""

import re

from curation.graders.constraints.relation import holds

_WORD = re.compile(r"\w+")
_END = re.compile(r"(?<![.!?])[.!?\u3002\uff01\uff1f\u0964]++[\"')\]*_\u201d\u2019]{0,4}(?=\s|$)|[\u3002\uff01\uff1f]+")
_NO_END = re.compile(
    r"(?:^|[\s(\"'])(?:[A-Za-z]|[Mm]rs?|[Mm]s|[Dd]r|[Pp]rof|[Ss]t|[Ss]r|[Jj]r|vs|etc|[Ff]ig|[Nn]o|cf|al|(?:\w\.)+\w)\.$"
)
_MARKS = ".,?!'\""


def has_num_words(text: str, *, num_words: int, relation: str) -> bool:
    """At least, or less than, so many words: runs of letters, digits and underscores."""
    return holds(len(_WORD.findall(text)), relation, num_words)


def has_num_sentences(text: str, *, num_sentences: int, relation: str) -> bool:
    """At least, or less than, so many sentences."""
    return holds(count_sentences(text), relation, num_sentences)


def count_sentences(text: str) -> int:
    """Count what ends in a full stop, question or exclamation mark, and what stands behind the last one.

    A stop after an initial, a title, or an abbreviation with inner stops ends nothing unless the text ends there.
    """
    num_sentences, start = 0, 0
    for match in _END.finditer(text):
        rest = text[match.end() : match.end() + 20].lstrip()
        is_abbreviation = _NO_END.search(text[max(start, match.start() - 12) : match.start() + 1]) is not None
        if rest and match[0] == "." and (is_abbreviation or rest[0].islower()):
            continue
        num_sentences += any(character.isalnum() for character in text[start : match.start()])
        start = match.end()
    return num_sentences + any(character.isalnum() for character in text[start:])


def has_num_paragraphs(text: str, *, num_paragraphs: int) -> bool:
    """Exactly so many paragraphs, none empty, with `***` between them."""
    parts = [part.strip() for part in text.split("***")]
    inner = parts[1:-1]
    return all(inner) and sum(map(bool, parts)) == num_paragraphs


def has_nth_paragraph_first_word(text: str, *, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    """Exactly so many paragraphs with an empty line between them, and the nth of them begins with a word."""
    parts = text.split("\n\n")
    if sum(bool(part.strip()) for part in parts) != num_paragraphs or not 1 <= nth_paragraph <= min(num_paragraphs, len(parts)):
        return False
    words = parts[nth_paragraph - 1].split(maxsplit=1)
    word = words[0].lstrip("'\"") if words else ""
    return re.split(f"[{re.escape(_MARKS)}]", word, maxsplit=1)[0].lower() == first_word.lower() != ""
