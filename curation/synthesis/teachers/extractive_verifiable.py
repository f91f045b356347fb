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
from curation.synthesis.prompts.reasoning import Kind
from curation.synthesis.references import is_given_away, stands_in_quote
from curation.synthesis.teachers.sentence_questions import usable_sentences

MIN_WORD_CHARS = 5
MIN_WORDS = 4
NUM_WRONG = 3
_WORD = re.compile(rf"(?<![\w.])[A-Za-z_]\w{{{MIN_WORD_CHARS - 1},}}(?![\w.(])")
_NUMBER = re.compile(r"(?<![\w.,])\d{1,9}(?:\.\d{1,6})?(?![\w,]|\.\d)")
_BLANK = "____"


def write_exact(prompt: ReadPrompt, salt: str) -> dict[str, Any]:
    """Ask for the word that is missing in a sentence."""
    return {"tasks": list(_tasks(prompt, "exact", salt))[: prompt.num_questions]}


def write_number(prompt: ReadPrompt, salt: str) -> dict[str, Any]:
    """Ask for the number that is missing in a sentence."""
    return {"tasks": list(_tasks(prompt, "number", salt))[: prompt.num_questions]}


def write_choice(prompt: ReadPrompt, salt: str) -> dict[str, Any]:
    """Ask which of four words is missing in a sentence; the wrong ones stand elsewhere in the document."""
    words = {word.casefold(): word for sentence in usable_sentences(prompt.passage) for word in _WORD.findall(sentence.text)}
    tasks: list[dict[str, Any]] = []
    for task in _tasks(prompt, "exact", salt):
        word, quote = task["answer"].casefold(), task["quote"].casefold()
        wrong = [other for folded, other in words.items() if folded not in quote and not folded.startswith(word[:4])]
        wrong.sort(key=lambda other: (abs(len(other) - len(word)), stable_fraction(f"{word}\n{other}", salt)))
        if len(wrong) >= NUM_WRONG:
            tasks.append({**task, "wrong": wrong[:NUM_WRONG]})
    return {"tasks": tasks[: prompt.num_questions]}


def _tasks(prompt: ReadPrompt, kind: Kind, salt: str) -> Iterator[dict[str, Any]]:
    """Yield a task for each sentence in which something can be left out: it must be the only one, and not be given away."""
    seen: set[str] = set()
    for sentence in usable_sentences(prompt.passage):
        if _BLANK in sentence.text or sentence.text.casefold() in seen or len(sentence.text.split()) < MIN_WORDS:
            continue
        seen.add(sentence.text.casefold())
        found = _NUMBER.findall(sentence.text) if kind == "number" else _WORD.findall(sentence.text)
        tasks = [_task(prompt.title, kind, sentence, word) for word in sorted(set(found)) if found.count(word) == 1]
        usable = [task for task in tasks if _is_usable(task, kind)]
        if usable:
            yield min(usable, key=lambda task: stable_fraction(f"{sentence.text}\n{task['answer']}", salt))


def _task(title: str, kind: Kind, sentence: Sentence, word: str) -> dict[str, Any]:
    what = "number" if kind == "number" else "word"
    blanked = re.sub(rf"(?<![\w.]){re.escape(word)}(?!\w)", _BLANK, sentence.text)
    question = f'Which {what} is missing in this sentence about {title}? "{blanked}."'
    return {"question": question, "answer": word, "quote": sentence.quote}


def _is_usable(task: dict[str, Any], kind: Kind) -> bool:
    question, answer = task["question"], task["answer"]
    return (
        question.count(_BLANK) == 1
        and answer.casefold() not in question.casefold()
        and not is_given_away(kind, answer, question)
        and stands_in_quote(kind, answer, task["quote"])
    )


VERIFIABLE_TASKS: dict[str, Callable[[ReadPrompt, str], dict[str, Any]]] = {
    "verifiable_exact": write_exact,
    "verifiable_number": write_number,
    "verifiable_choice": write_choice,
}
"""The tasks of this module, for the extractive teacher."""
