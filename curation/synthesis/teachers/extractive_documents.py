"""What the extractive teacher writes for the methods that work from documents, by rule.

    write_raft(prompt, salt)      {"questions": [{"question": ..., "quotes": [...], "reasoning": "", "answer": ...}]}

Every answer is a sentence of the document, so it is grounded, and no better than that. Unanswerable questions are about
subjects of which no word stands in the document.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from curation.ids import stable_fraction
from curation.synthesis.passages import Sentence
from curation.synthesis.prompts.grounded import ReadPrompt
from curation.synthesis.teachers.sentence_questions import NO_ANSWERS, ask_about_sentence, usable_sentences

_SUBJECTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Under which licence may I use {title}?", ("licen", "copyright")),
    ("What does it cost to use {title}?", ("cost", "price", "fee", "pay", "free")),
    ("Who wrote {title}, and who looks after it now?", ("author", "wrote", "written", "maintain", "creator")),
    ("In which year did {title} first appear?", ("year", "first", "since", "release", "history", "20", "19")),
    ("How much memory does {title} need at most?", ("memory", "ram", "bytes", " mb", " gb")),
    ("How many people use {title} every day?", ("people", "daily", "every day", "popular", "user")),
    ("Which countries is {title} not available in?", ("countr", "region", "available", "europe", "abroad")),
    ("Whom do I call on the telephone when {title} fails?", ("call", "phone", "contact", "support")),
    ("How long does it take to learn {title}?", ("learn", "hours", "weeks", "course", "take")),
    ("Which competitor of {title} is the fastest?", ("competitor", "alternative", "fast", "compar", "benchmark")),
    ("What was {title} called before it got its name?", ("called", "name", "former")),
    ("What will change in {title} next year?", ("next", "change", "future", "plan", "roadmap", "year")),
    ("Is there a mobile app for {title}?", ("mobile", "app", "phone", "ios", "android")),
    ("Which certificate proves that I know {title}?", ("certif", "exam", "prove", "diploma")),
)
"""Questions, and the words that a document must not hold for them to stay without an answer."""
_STOP_TEXT = (
    "what which when where does have with from that this there about into your will would could should under much many long "
    "they their them been than then also only most more some such need next before after every whom"
)
_STOP_WORDS = frozenset(_STOP_TEXT.split())
_SPEAKER = re.compile(r"^[ \t]*([A-Z][\w .'-]{0,40}?)(?: ?\([^)\n]{0,40}\))?:[ \t]+(\S.*)$")


def write_document_qa(prompt: ReadPrompt, salt: str) -> dict[str, Any]:
    """Ask what single sentences answer; the answer is the sentence."""
    questions = [
        {"question": question, "answer": _flat(sentence), "quotes": [sentence.quote]}
        for question, sentence in _asked(prompt, salt)
    ]
    return {"questions": questions[: prompt.num_questions]}


def write_unanswerable(prompt: ReadPrompt, salt: str) -> dict[str, Any]:
    """Ask about subjects that the document does not touch."""
    text = f"{prompt.title}\n{prompt.passage}".casefold()
    open_subjects = [question for question, words in _SUBJECTS if not any(word in text for word in words)]
    chosen = sorted(open_subjects, key=lambda question: stable_fraction(question, salt))[: prompt.num_questions]
    title = prompt.title or "this subject"
    return {"questions": [{"question": question.format(title=title), "missing": ""} for question in chosen]}


def write_answer_check(prompt: ReadPrompt, salt: str) -> dict[str, Any]:
    """Quote the sentence that shares the most words with each question, if it shares most of them."""
    asked = [json.loads(line) for line in prompt.after.split("\n") if line.startswith("{")][: prompt.num_questions]
    known = _content(prompt.title)
    sentences = [(sentence, _content(sentence.text)) for sentence in usable_sentences(prompt.passage)]
    answers = []
    for item in asked:
        wanted = _content(item["question"]) - known
        best = max(sentences, key=lambda pair: len(pair[1] & wanted), default=None)
        is_answered = best is not None and bool(wanted) and len(best[1] & wanted) * 2 > len(wanted)
        answers.append({"quote": best[0].quote if best is not None and is_answered else ""})
    return {"answers": answers}


def write_raft(prompt: ReadPrompt, salt: str) -> dict[str, Any]:
    """Ask what the fullest sentences answer."""
    asked = sorted(_asked(prompt, salt), key=lambda pair: -min(len(pair[1].text), 200))
    questions = [
        {"question": question, "quotes": [sentence.quote], "reasoning": "", "answer": _flat(sentence)}
        for question, sentence in asked
    ]
    return {"questions": questions[: prompt.num_questions]}


def write_conversation(prompt: ReadPrompt, salt: str) -> dict[str, Any]:
    """Ask about one sentence after the other, in the order of the document."""
    turns = [
        {"user": question, "assistant": _flat(sentence), "quote": sentence.quote} for question, sentence in _asked(prompt, salt)
    ]
    return {"turns": turns[: prompt.num_questions]}


def write_conversion(prompt: ReadPrompt, salt: str) -> dict[str, Any]:
    """Take what the first speaker says first as the request, and what another says last as the answer."""
    said = [(match[1], match[2].strip()) for line in prompt.passage.split("\n") if (match := _SPEAKER.match(line))]
    answers = [text for speaker, text in said if speaker != said[0][0]]
    if not answers:
        return {"is_solved": False, "prompt": "", "prompt_quotes": [], "answer": "", "answer_quotes": []}
    request, answer = said[0][1], answers[-1]
    return {
        "is_solved": True,
        "prompt": request,
        "prompt_quotes": [request],
        "answer": answer,
        "answer_quotes": [answer],
    }


def _asked(prompt: ReadPrompt, salt: str) -> list[tuple[str, Sentence]]:
    """Return the questions that the document's sentences answer, each once, in the order of the document."""
    found: dict[str, Sentence] = {}
    said: set[str] = set()
    for sentence in usable_sentences(prompt.passage):
        question = ask_about_sentence(sentence, prompt.title, salt)
        if sentence.section not in NO_ANSWERS and question not in found and _flat(sentence).casefold() not in said:
            found[question] = sentence
            said.add(_flat(sentence).casefold())
    return list(found.items())


def _flat(sentence: Sentence) -> str:
    return " ".join(sentence.quote.split())


def _content(text: str) -> set[str]:
    """Return the words of a text that carry meaning, cut to their first six letters and without a final s."""
    return {word[:6].removesuffix("s") for word in re.findall(r"\w{4,}", text.casefold()) if word not in _STOP_WORDS}


DOCUMENT_TASKS: dict[str, Callable[[ReadPrompt, str], dict[str, Any]]] = {
    "document_qa": write_document_qa,
    "unanswerable": write_unanswerable,
    "answer_check": write_answer_check,
    "raft": write_raft,
    "conversation": write_conversation,
    "conversion": write_conversion,
}
"""The tasks of this module, for the extractive teacher."""
