r"""What survives a paraphrase: numbers, the final answer and names.

    numbers_in("She eats three of 16 eggs, i.e. 1,000 g")       Counter({3: 1, 16: 1, 1000: 1}), as texts
    final_answer("... so 9 * 2 = 18.\n#### 18")                 "18"

A rewrite changes nearly every word of a question, but the question stays the same only if its numbers and its answer do.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

MAX_CHARS = 20_000
"""Evidence is read from at most this much of a text."""

_NUMBER = re.compile(r"[0-9]{1,3}(?:,[0-9]{3}){1,6}(?:\.[0-9]{1,12})?|[0-9]{1,18}(?:\.[0-9]{1,12})?|\.[0-9]{1,12}")
_WORD = re.compile(r"[^\W\d_]{2,40}")
_NAME = re.compile(r"(?<![.!?:\n\"'(] )(?<!^)\b[A-Z][a-z]{2,30}\b")
_FINAL_MARK = re.compile(r"(?:####|final answer|answer is|answer:)[ \t:$*]{0,5}", re.IGNORECASE)
_STRIPPED = " \t\r\n.,;:!?$%*`'\"()[]{}"
MAX_FINAL_CHARS = 100

_NUMBER_WORDS = {
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
    "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14", "fifteen": "15", "sixteen": "16",
    "seventeen": "17", "eighteen": "18", "nineteen": "19", "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50",
    "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90", "hundred": "100", "thousand": "1000",
    "million": "1000000", "dozen": "12",
}  # fmt: skip


def numbers_in(text: str) -> Counter[str]:
    """Return the numbers of a text, in digits or as words ("three"), each as often as it stands there."""
    text = text[:MAX_CHARS]
    found = [_plain(number) for number in _NUMBER.findall(text)]
    found += [_NUMBER_WORDS[word] for word in map(str.lower, _WORD.findall(text)) if word in _NUMBER_WORDS]
    return Counter(found)


def final_answer(answer: str) -> str:
    """Return what an answer comes to: what follows its last "####" or "answer is", else a short answer itself, else nothing.

    Numbers are written plainly, so "$1,000.00" and "1000" are one.
    """
    marks = list(_FINAL_MARK.finditer(answer[-MAX_CHARS:]))
    text = answer[-MAX_CHARS:][marks[-1].end() :] if marks else answer
    line = next((line for line in text[:MAX_CHARS].splitlines() if line.strip(_STRIPPED)), "").strip(_STRIPPED)
    if len(line) > MAX_FINAL_CHARS or (not marks and len(text.strip()) > MAX_FINAL_CHARS):
        return ""
    number = _NUMBER.fullmatch(line)
    return _plain(line) if number else " ".join(line.casefold().split())


def names_in(text: str) -> frozenset[str]:
    """Return the capitalised words of a text that do not begin a sentence, in lower case."""
    return frozenset(name.lower() for name in _NAME.findall(text[:MAX_CHARS]))


class Facts(NamedTuple):
    """What of a question survives a rewrite."""

    numbers: Counter[str]
    names: frozenset[str]
    answers: frozenset[str]
    """Final answers, without empty ones."""


def facts_of(prompt: str, answers: Iterable[str]) -> Facts:
    """Return the facts of a question with its answers."""
    finals = frozenset(final_answer(answer) for answer in answers) - {""}
    return Facts(numbers_in(prompt), names_in(prompt), finals)


class Agreement(NamedTuple):
    """How the facts of two questions compare."""

    num_kinds: int
    """How many kinds of facts (numbers, answer, names) agree; one less if the final answers are different numbers."""
    contradicts: bool
    """Whether numbers or final answers say that these are two questions."""


def compare_facts(row: Facts, item: Facts, *, within: bool = False) -> Agreement:
    """Compare the facts of a row with those of an item; `within` a longer text, what the item does not have counts for nothing.

    Numbers agree if half of them are shared (as multisets, two different ones at least); an answer agrees if it is the same
    and says something (a digit, or three words: labels and yes or no say nothing); names agree if two thirds are shared, and
    two at least.
    """
    if within:
        row = Facts(row.numbers & item.numbers, row.names & item.names, frozenset())
    shared = _jaccard(row.numbers, item.numbers)
    numbers_agree = shared >= 0.5 and len(row.numbers & item.numbers) >= 2
    numbers_differ = (within or bool(row.numbers)) and bool(item.numbers) and shared < 0.5
    same = row.answers & item.answers
    answer_agrees = any(_says_something(answer) for answer in same)
    answers_differ = not same and bool(_numeric(row.answers)) and bool(_numeric(item.answers))
    common = len(row.names & item.names)
    names_agree = common >= 2 and 3 * common >= 2 * len(row.names | item.names)
    contradicts = (numbers_differ and not answer_agrees) or (answers_differ and not numbers_agree)
    return Agreement(max(0, numbers_agree + answer_agrees + names_agree - answers_differ), contradicts)


def _jaccard(mine: Counter[str], theirs: Counter[str]) -> float:
    union = (mine | theirs).total()
    return (mine & theirs).total() / union if union else 0.0


def _says_something(answer: str) -> bool:
    return any(char.isdigit() for char in answer) or len(answer.split()) >= 3


def _numeric(answers: Iterable[str]) -> list[str]:
    return [answer for answer in answers if _NUMBER.fullmatch(answer)]


def _plain(number: str) -> str:
    digits = number.replace(",", "")
    whole, _, part = digits.partition(".")
    part = part.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{part}" if part else "")
