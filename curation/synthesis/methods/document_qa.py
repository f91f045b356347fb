"""`document_qa`: questions about a document with answers that quote it, and questions that it does not answer.

    method = DocumentQa(DocumentQaConfig(questions_per_document=4, share_unanswerable=0.25))
    made = method.make(method.plan(Inputs(documents=documents)), session)
    made.examples[0].key         "guides/intro.md#document_qa/0"
    made.figures                 {"share_unanswerable": 0.24, "instructions_in_documents": 0.0, ...}

A question that the document does not answer gets one fixed refusal, so that a model learns to say so (Rajpurkar et al. 2018,
"Know what you don't know", arXiv 1806.03822). It counts only if a second call, which is asked to quote the answer, finds none.
"""

import functools
from collections.abc import Sequence

from curation.cited_answer import Citation
from curation.config import check, config
from curation.ids import stable_fraction
from curation.records import Document, Example, Message, SourceSpan
from curation.synthesis.asking import Answer, Ask, Session
from curation.synthesis.chunks import Chunk
from curation.synthesis.citations import format_answer
from curation.synthesis.grounding import (
    Source,
    count_flagged,
    distinct_spans,
    open_messages,
    open_source,
    read_answer,
    read_question,
)
from curation.synthesis.methods.method import Inputs, Made, Unit
from curation.synthesis.methods.tally import Tally, cold
from curation.synthesis.parse import UnusableError
from curation.synthesis.prompts.document_qa import render_answer_check, render_questions, render_unanswerable
from curation.synthesis.prompts.grounded import cut_passage
from curation.synthesis.prompts.template import Prompt

MAX_QUESTIONS = 50
REFUSAL = "The document does not say."
NO_QUOTE = frozenset({"none", "na", "null", "empty", "noquote", "notanswered"})
"""What teachers write, punctuation aside, where they were told to leave a quote empty."""


@config
class DocumentQaConfig:
    """Questions and answers about each document."""

    questions_per_document: int = 3
    """Questions that the teacher is asked for, for each document, unanswerable ones included."""

    share_unanswerable: float = 0.2
    """Share of the questions that the document does not answer, 0 to 0.5. Which ones is drawn for each document by hash."""

    refusal: str = REFUSAL
    """The answer to a question that the document does not answer."""

    with_document: bool = True
    """Whether the document stands in the prompt. Without it the answer must be known by heart: nothing can be unanswerable."""

    with_quotes: bool = True
    """Whether the answer begins with its quotes (see `curation.synthesis.citations`)."""

    system_prompt: str | None = None
    """System message of every row; empty: none. Default: it says how to answer, where the document stands in the prompt."""

    def __post_init__(self) -> None:
        number = self.questions_per_document
        check(1 <= number <= MAX_QUESTIONS, "questions_per_document", f"must lie in 1..{MAX_QUESTIONS}", number)
        check(0 <= self.share_unanswerable <= 0.5, "share_unanswerable", "must lie in 0..0.5", self.share_unanswerable)
        fits = self.with_document or self.share_unanswerable == 0
        check(fits, "share_unanswerable", "must be 0 without the document in the prompt", self.share_unanswerable)
        check(self.refusal.strip() != "", "refusal", "must not be empty", self.refusal)
        used = self.share_unanswerable > 0 or self.refusal == REFUSAL
        check(used, "refusal", "has no effect while `share_unanswerable` is 0", self.refusal)


def _default_system(config: DocumentQaConfig) -> str:
    """Return the system message that tells what the rows show."""
    if not config.with_document:
        return ""
    quotes = " First quote word for word what the answer rests on." if config.with_quotes else ""
    return f"Answer from the document.{quotes} If the document does not answer, say so."


class _Work:
    """What a unit asks for: answerable or unanswerable questions about one document."""

    def __init__(self, document: Document, num: int, is_answerable: bool) -> None:
        self.document = document
        self.num = num
        self.is_answerable = is_answerable

    @functools.cached_property
    def source(self) -> Source:
        """What the teacher sees, and the rows show: the beginning of the document."""
        shown = Chunk(title=self.document.title, start=0, end=len(cut_passage(self.document.text)))
        return open_source(self.document, shown)


class DocumentQa:
    """Makes rows of documents."""

    name = "document_qa"

    def __init__(self, config: DocumentQaConfig) -> None:
        self.config = config
        self._system = _default_system(config) if config.system_prompt is None else config.system_prompt

    def plan(self, inputs: Inputs) -> list[Unit]:
        """Return a unit for the answerable and one for the unanswerable questions of each document."""
        units = [unit for document in inputs.documents for unit in self._units_of(document, inputs.seed)]
        return sorted(units, key=lambda unit: stable_fraction(unit.key, f"{self.name} {inputs.seed}"))

    def _units_of(self, document: Document, seed: int) -> list[Unit]:
        key = f"{document.key}#{self.name}"
        number = self.config.questions_per_document
        draws = (stable_fraction(f"{key}/{at}", f"unanswerable {seed}") for at in range(number))
        unanswerable = sum(draw < self.config.share_unanswerable for draw in draws)
        kinds = (("answerable", key, number - unanswerable, True), ("unanswerable", f"{key}/unanswerable", unanswerable, False))
        return [
            Unit(key=name, slice=slice, payload=_Work(document, num, is_answerable))
            for slice, name, num, is_answerable in kinds
            if num
        ]

    def make(self, units: Sequence[Unit], session: Session) -> Made:
        """Ask for all questions in one round, and check the unanswerable ones in a second."""
        tally = Tally()
        usable = tally.without_marks(units, [unit.payload.source for unit in units]) if self.config.with_document else units
        asks = [Ask(key=unit.key, prompt=_prompt(unit.payload)) for unit in usable]
        unsure: list[tuple[Unit, Answer, dict[int, str]]] = []
        for unit, answer in zip(usable, session.ask(asks), strict=True):
            if answer.problem is not None:
                tally.reject(answer, unit.payload.source.document_hash)
            elif unit.payload.is_answerable:
                self._read_answerable(unit.payload, answer, tally)
            else:
                unsure.append((unit, answer, _read_unanswerable(unit.payload, answer, tally)))
        self._check_unanswerable([item for item in unsure if item[2]], session, tally)
        refused = sum(example.task.endswith("unanswerable") for example in tally.examples)
        figures = {
            "instructions_in_documents": count_flagged(unit.payload.source for unit in units),
            "share_unanswerable": refused / max(1, len(tally.examples)),
        }
        return tally.made(figures)

    def _read_answerable(self, work: _Work, answer: Answer, tally: Tally) -> None:
        seen: set[str] = set()
        for index, entry in tally.entries(answer, "questions", work.num, work.source.document_hash):
            with tally.guard(answer, f"{answer.ask.key}/{index}", work.source.document_hash) as key:
                question = read_question(entry["question"], seen)
                spans = distinct_spans([work.source.support(quote) for quote in entry["quotes"]])
                if not spans:
                    raise UnusableError("no_quote", "The answer has no quote that supports it.")
                text = read_answer(entry["answer"])
                work.source.check_numbers(text, question)
                work.source.check_reply(question, text)
                tally.examples.append(self._build(work.source, answer, key, question, text, spans))
                seen.add(question.casefold())

    def _build(
        self, source: Source, answer: Answer, key: str, question: str, text: str, spans: tuple[SourceSpan, ...]
    ) -> Example:
        """Return a row; one without quotes is the refusal of an unanswerable question."""
        quotes = [Citation(source.quote(span)) for span in spans] if self.config.with_quotes else []
        prompt = question
        if self.config.with_document:
            prompt = f"<document>\nTitle: {source.title}\n\n{source.text}\n</document>\n\nQuestion: {question}"
        return Example(
            key=key,
            task=self.name if spans else f"{self.name}_unanswerable",
            messages=(
                *open_messages(self._system),
                Message(role="user", content=prompt),
                Message(role="assistant", content=format_answer(quotes, text)),
            ),
            group=source.document.group,
            provenance=answer.provenance(
                method=self.name,
                license=source.document.license,
                output_terms=(source.document.output_terms,),
                spans=spans or (source.whole(),),
                generation_depth=1,
            ),
        )

    def _check_unanswerable(self, unsure: list[tuple[Unit, Answer, dict[int, str]]], session: Session, tally: Tally) -> None:
        """Ask where each document answers the questions; those that it does not answer become rows."""
        asks = [
            Ask(
                key=f"{unit.key}~check",
                prompt=render_answer_check(unit.payload.source.shown(), list(questions.values())),
                parameters=cold(session),
            )
            for unit, _, questions in unsure
        ]
        for (unit, answer, questions), checked in zip(unsure, session.ask(asks) if asks else [], strict=True):
            source = unit.payload.source
            for place, (index, question) in enumerate(questions.items()):
                with tally.guard(answer, f"{unit.key}/{index}", source.document_hash) as key:
                    _check_is_unanswered(checked, place, len(questions))
                    made = self._build(source, answer, key, question, self.config.refusal, ())
                    tally.examples.append(tally.also_asked(made, checked))


def _prompt(work: _Work) -> Prompt:
    render = render_questions if work.is_answerable else render_unanswerable
    return render(work.source.shown(), num=work.num)


def _read_unanswerable(work: _Work, answer: Answer, tally: Tally) -> dict[int, str]:
    """Return the questions of a reply that can be checked, by their place in it."""
    questions: dict[int, str] = {}
    seen: set[str] = set()
    for index, entry in tally.entries(answer, "questions", work.num, work.source.document_hash):
        with tally.guard(answer, f"{answer.ask.key}/{index}", work.source.document_hash):
            question = read_question(entry["question"], seen)
            work.source.check_reply(question)
            questions[index] = question
            seen.add(question.casefold())
    return questions


def _check_is_unanswered(checked: Answer, place: int, number: int) -> None:
    """Raise UnusableError unless the check found no answer."""
    if checked.problem is not None:
        raise UnusableError("unchecked_question", f"Whether the document answers it is not known: {checked.problem.detail}")
    answers = checked.value["answers"]
    if len(answers) != number:
        raise UnusableError("unchecked_question", f"The check has {len(answers)} entries for {number} questions.")
    said = "".join(character for character in answers[place]["quote"].casefold() if character.isalnum())
    if said and said not in NO_QUOTE:
        raise UnusableError("answerable_question", f"The document answers it: '{answers[place]['quote'].strip()[:200]}'")
