"""Verifiable tasks by rule, for the extractive teacher: a word or a number is taken out of a sentence.

    write_exact(prompt, salt)["tasks"][0]
        {"question": 'Which word is missing in this sentence about Tea? "Pour the water at 80 ____."', "answer": "degrees", ...}

Every answer stands in its quote word for word, and is the only one: a sentence in which it comes twice is passed over.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from curation.ids import stable_fraction
from curation.synthesis.passages import Sentence
from curation.synthesis.prompts.grounded import ReadPrompt
from curation.synthesis.sentence_questions import usable_sentences

MIN_WORD_CHARS = 5
NUM_WRONG = 3
_WORD = re.compile(rf"(?<![\w.])[A-Za-z_]\w{{{MIN_WORD_CHARS - 1},}}(?![\w.(])")
_NUMBER = re.compile(r"(?<![\w.,])\d{1,9}(?:\.\d{1,6})?(?![\w,]|\.\d)")
_BLANK = "____"


def write_exact(prompt: ReadPrompt, salt: str) -> dict[str, Any]:
    """Ask for the word that is missing in a sentence."""
    return {"tasks": [_task(prompt, "word", *taken) for taken in _taken(prompt, _WORD, salt)][: prompt.num_questions]}


def write_number(prompt: ReadPrompt, salt: str) -> dict[str, Any]:
    """Ask for the number that is missing in a sentence."""
    return {"tasks": [_task(prompt, "number", *taken) for taken in _taken(prompt, _NUMBER, salt)][: prompt.num_questions]}


def write_choice(prompt: ReadPrompt, salt: str) -> dict[str, Any]:
    """Ask which of four words is missing in a sentence; the wrong ones stand elsewhere in the document."""
    taken = list(_taken(prompt, _WORD, salt))
    tasks: list[dict[str, Any]] = []
    for sentence, word in taken:
        others = {other.casefold(): other for text in usable_sentences(prompt.passage) for other in _WORD.findall(text.text)}
        known = sentence.quote.casefold()
        wrong = [
            other for folded, other in others.items() if folded not in known and not folded.startswith(word.casefold()[:4])
        ]
        wrong.sort(key=lambda other: (abs(len(other) - len(word)), stable_fraction(f"{word}\n{other}", salt)))
        if len(wrong) >= NUM_WRONG:
            tasks.append({**_task(prompt, "word", sentence, word), "wrong": wrong[:NUM_WRONG]})
    return {"tasks": tasks[: prompt.num_questions]}


def _taken(prompt: ReadPrompt, pattern: re.Pattern[str], salt: str) -> Iterator[tuple[Sentence, str]]:
    """Yield sentences with the word that is taken out of each: one that stands there once, and not in the title."""
    seen: set[str] = set()
    for sentence in usable_sentences(prompt.passage):
        if _BLANK in sentence.text or sentence.text.casefold() in seen:
            continue
        seen.add(sentence.text.casefold())
        words = [word for word in pattern.findall(sentence.text) if _is_single(word, sentence, prompt.title)]
        if words and len(sentence.text.split()) >= 4:
            yield sentence, min(words, key=lambda word: stable_fraction(f"{sentence.text}\n{word}", salt))


def _is_single(word: str, sentence: Sentence, title: str) -> bool:
    text = sentence.text.casefold()
    is_verbatim = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", sentence.quote) is not None
    return text.count(word.casefold()) == 1 and word.casefold() not in title.casefold() and is_verbatim


def _task(prompt: ReadPrompt, what: str, sentence: Sentence, word: str) -> dict[str, Any]:
    blanked = sentence.text.replace(word, _BLANK)
    question = f'Which {what} is missing in this sentence about {prompt.title}? "{blanked}."'
    return {"question": question, "answer": word, "quote": sentence.quote}


VERIFIABLE_TASKS: dict[str, Callable[[ReadPrompt, str], dict[str, Any]]] = {
    "verifiable_exact": write_exact,
    "verifiable_number": write_number,
    "verifiable_choice": write_choice,
}
"""The tasks of this module, for the extractive teacher."""
