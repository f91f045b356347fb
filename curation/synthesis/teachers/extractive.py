"""A teacher without a model: it writes grounded examples out of the documents themselves, by rule.

    ExtractiveTeacher().complete(request).text
        {"questions":[{"question":"How can I change strings to their uppercase equivalent?",
                       "quote":"Modify strings to their uppercase equivalent."}, ...]}

It reads the prompt that every teacher gets and answers in the same format, always the same for the same request. Every
quote, and every answer of a grounded question, is a stretch of the document. Rows made by it say `extractive`.
"""

import json
import re
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any

from curation.chat_model import ChatReply, ChatRequest, request_id
from curation.errors import RequestRefusedError
from curation.ids import canonical_json, stable_fraction
from curation.synthesis.passages import Sentence
from curation.synthesis.prompts.grounded import ReadPrompt, read_prompt
from curation.synthesis.teachers.extractive_documents import DOCUMENT_TASKS
from curation.synthesis.teachers.extractive_tool_calls import TOOL_CALL_TASKS
from curation.synthesis.teachers.extractive_verifiable import VERIFIABLE_TASKS
from curation.synthesis.teachers.phrasing import add_context, as_verb, describe_owner, phrase
from curation.synthesis.teachers.sentence_questions import NO_ANSWERS, ask_about_sentence, usable_sentences

REVISION = "1"
"""Version of the rules; raise it when they change, so that stored replies are not taken for new ones."""
MAX_DETAIL_CHARS = 140
"""Longest sentence that is added to a question about the summary."""


class ExtractiveTeacher:
    """Rephrases the documents by rule. Thread-safe."""

    def __init__(self) -> None:
        self.provider = "extractive"
        self.endpoint = "local"
        self.model = "extractive"
        self.revision = REVISION
        self.is_model = False

    def complete(self, request: ChatRequest) -> ChatReply:
        """Answer one request. Raises RequestRefusedError for a prompt that this teacher has no rules for."""
        try:
            prompt = read_prompt(request.messages)
            write = _TASKS[prompt.task]
        except (ValueError, KeyError) as error:
            reason = f"the extractive teacher has no rules for this prompt ({error})"
            raise RequestRefusedError(endpoint=self.endpoint, request_id=request_id(self, request), reason=reason) from error
        salt = f"{request.parameters.get('seed', 0)}/{request.sample_index}/{prompt.title}"
        return ChatReply(text=canonical_json(write(prompt, salt)))


# -- routing ----------------------------------------------------------------------------------------------------------


def _write_routing(prompt: ReadPrompt, salt: str) -> dict[str, Any]:
    """Ask for what the summary, other sentences, parameters and examples say, each in another frame."""
    owner = describe_owner(prompt.title)
    questions: list[dict[str, str]] = []
    seen: set[str] = set()
    for sentence, question in _routing_questions(prompt, salt):
        question = add_context(question, owner, salt=salt)
        if question.casefold() not in seen and not _names(prompt.title, question):
            seen.add(question.casefold())
            questions.append({"question": question, "quote": sentence.quote})
        if len(questions) == prompt.num_questions:
            break
    return {"questions": questions}


def _routing_questions(prompt: ReadPrompt, salt: str) -> Iterator[tuple[Sentence, str]]:
    """Yield the questions, the best first: two of three rest on the summary, the others on what else the passage says."""
    sentences = usable_sentences(prompt.passage)
    if not sentences:
        yield from _questions_from_name(prompt)
        return
    core, others = sentences[0], _order_others(sentences[1:])
    about_core = ((core, question) for question in phrase(core.text, salt=salt))
    about_others = ((other, _ask_about(other, core, salt)) for other in others if len(other.text) <= MAX_DETAIL_CHARS)
    for first, second, third in zip_longest(about_core, about_core, about_others):
        yield from filter(None, (first, second, third))


def _order_others(sentences: list[Sentence]) -> list[Sentence]:
    """Return the sentences besides the summary that say what the thing is for, those that begin with a verb first."""
    rank = {"body": 0, "examples": 1, "parameters": 2, "returns": 3}
    chosen = [sentence for sentence in sentences if sentence.section not in ("see also", "references", "raises")]
    return sorted(chosen, key=lambda item: (rank.get(item.section, 4), as_verb(item.text.split()[0]) is None))


def _ask_about(sentence: Sentence, core: Sentence, salt: str) -> str:
    """Ask about a sentence that says little by itself together with the summary."""
    if as_verb(sentence.text.split()[0]) is not None and sentence.section not in ("parameters", "returns"):
        return phrase(sentence.text, salt=salt)[0]
    question = phrase(core.text, salt=f"{salt} with more")[0]
    lead = {"parameters": "One input is this", "returns": "The result is this"}.get(sentence.section, "I know this much")
    return f"{question} {lead}: {sentence.text}."


def _questions_from_name(prompt: ReadPrompt) -> Iterator[tuple[Sentence, str]]:
    """Without prose there is only the name: one question, resting on the first line."""
    line = next((line.strip() for line in prompt.passage.split("\n") if line.strip()), "")
    words = " ".join(re.findall(r"[A-Za-z][a-z]*|\d+", prompt.title.rpartition(".")[2])).lower()
    if line and words:
        sentence = Sentence(section="signature", label="", text=words, quote=line)
        yield sentence, phrase(words, salt="name")[0]


def _names(title: str, question: str) -> bool:
    return "." in title and title.casefold() in question.casefold()


# -- grounded questions and answers -----------------------------------------------------------------------------------


def _write_grounded_qa(prompt: ReadPrompt, salt: str) -> dict[str, Any]:
    """Ask what single sentences answer; the answer is the sentence."""
    questions: dict[str, dict[str, str]] = {}
    for sentence in usable_sentences(prompt.passage):
        if sentence.section in NO_ANSWERS:
            continue
        question = ask_about_sentence(sentence, prompt.title, salt)
        answer = " ".join(sentence.quote.split())
        questions.setdefault(question, {"question": question, "answer": answer, "quote": sentence.quote})
    return {"questions": list(questions.values())[: prompt.num_questions]}


# -- wrong answers ----------------------------------------------------------------------------------------------------


def _write_ungrounded(prompt: ReadPrompt, salt: str) -> dict[str, Any]:
    """Answer each question with a sentence that stands elsewhere in the document; none if there is no other."""
    sentences = usable_sentences(prompt.passage)
    asked = [json.loads(line) for line in prompt.after.split("\n") if line.startswith("{")][: prompt.num_questions]
    return {"answers": [_answer_elsewhere(item["question"], item["answer"], sentences, salt) for item in asked]}


def _answer_elsewhere(question: str, answer: str, sentences: list[Sentence], salt: str) -> str:
    right = next((item.section for item in sentences if " ".join(item.quote.split()) == answer), None)
    wrong = [(item.section == right, " ".join(item.quote.split())) for item in sentences]
    others = [(same, text) for same, text in wrong if text.casefold() not in answer.casefold()]
    ranked = sorted(others, key=lambda item: (item[0], stable_fraction(f"{question}\n{item[1]}", salt)))
    return ranked[0][1] if ranked else ""


_TASKS: dict[str, Callable[[ReadPrompt, str], dict[str, Any]]] = {
    "routing": _write_routing,
    "grounded_qa": _write_grounded_qa,
    "ungrounded": _write_ungrounded,
    **DOCUMENT_TASKS,
    **TOOL_CALL_TASKS,
    **VERIFIABLE_TASKS,
}
