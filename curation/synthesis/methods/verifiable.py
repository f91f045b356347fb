"""Verifiable tasks for reinforcement learning: a prompt, a grader and a reference that is proved, from documents or templates.

    method = Verifiable(VerifiableConfig(kinds=("number", "choice")))
    made = method.make(method.plan(Inputs(documents=documents)), session)
    made.tasks[0].key, made.tasks[0].grader, made.tasks[0].reference       ("guide/tea#verifiable/number/0", "number", "80")

The quote of a task must stand in its document word for word. Its reference is proved if it stands in that quote word for word,
or if the teacher, asked twice more and independently beside the document, gives it both times; otherwise the task is
rejected.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from curation.config import check, config
from curation.graders.exact import fold_answer
from curation.graders.registry import GRADERS
from curation.ids import content_hash, stable_fraction
from curation.records import Document, Message, Provenance, VerifiableTask
from curation.synthesis.asking import Answer, Ask, Session
from curation.synthesis.injection import InstructionSpan, find_instructions, overlaps
from curation.synthesis.methods.invented_rows import InventedRows, Origin, check_reply, check_request, origin_in
from curation.synthesis.methods.method import Inputs, Made, Unit
from curation.synthesis.methods.task_templates import DrawnTask, TaskTemplate, draw_tasks
from curation.synthesis.parse import UnusableError, check_text, locate_quote
from curation.synthesis.prompts.reasoning import FINAL_LINE, KINDS, Kind
from curation.synthesis.prompts.verifiable import render_open_book, render_tasks
from curation.synthesis.references import is_given_away, read_reference, stands_in_quote

MAX_WRONG = 7
_LETTERS = "ABCDEFGH"


@config
class VerifiableConfig:
    """Tasks that a program can grade."""

    kinds: tuple[Kind, ...] = ("number", "choice", "exact")
    """Kinds of answers asked for from each document: `number`, `choice` (a letter), `exact` (a term), `json` (facts)."""

    tasks_per_document: int = 3
    """Tasks that the teacher is asked for, for each document and kind."""

    proof: Literal["either", "verbatim", "agreement"] = "either"
    """How a reference is proved: it stands in the quote word for word, the teacher gives it twice more beside the document, or
    `either`, where the teacher is asked again only if the quote does not hold it."""

    passage_chars: int = 4_000
    """Characters of the document, around the quote, that stand in the prompt before the question; 0 for none (closed book)."""

    templates: dict[str, TaskTemplate] | None = None
    """Questions about drawn numbers, by name; they need no teacher."""

    def __post_init__(self) -> None:
        check(len(self.kinds) == len(set(self.kinds)), "kinds", "names a kind twice", list(self.kinds))
        check(bool(self.kinds) or bool(self.templates), "kinds", "needs at least one kind, or `templates`", list(self.kinds))
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        check(not unknown, "kinds", f"must be of {', '.join(KINDS)}", unknown)
        check(1 <= self.tasks_per_document <= 50, "tasks_per_document", "must lie in 1..50", self.tasks_per_document)
        check(0 <= self.passage_chars <= 100_000, "passage_chars", "must lie in 0..100000", self.passage_chars)
        for name in self.templates or {}:
            check(0 < len(name) <= 64 and "#" not in name, "templates", "names must be short and without '#'", name)


@dataclass(frozen=True, kw_only=True)
class _Source:
    """The payload of a unit from a document."""

    document: Document
    kind: Kind
    seed: int


@dataclass(frozen=True, kw_only=True)
class _Proposal:
    """A task that can be read and is to be proved."""

    key: str
    source: _Source
    question: str
    """With its choices, if it has any."""
    reference: str
    origin: Origin
    answer: Answer
    is_verbatim: bool
    span: tuple[int, int]


class Verifiable:
    """See the module."""

    name = "verifiable"

    def __init__(self, config: VerifiableConfig) -> None:
        self.config = config

    def plan(self, inputs: Inputs) -> list[Unit]:
        """Return one unit for each document and kind, and one for each drawn template."""
        units = [
            Unit(
                key=f"{document.key}#{self.name}/{kind}",
                slice=kind,
                payload=_Source(document=document, kind=kind, seed=inputs.seed),
            )
            for document in inputs.documents
            for kind in self.config.kinds
        ]
        drawn = draw_tasks(self.config.templates or {}, seed=inputs.seed)
        units += [Unit(key=f"templates/{task.key}#{self.name}", slice="number", payload=task) for task in drawn]
        return sorted(units, key=lambda unit: (stable_fraction(unit.key, f"order {inputs.seed}"), unit.key))

    def make(self, units: Sequence[Unit], session: Session) -> Made:
        """Ask for tasks, prove their references, and add what needs no teacher."""
        rows = InventedRows(self.name)
        rows.tasks += [self._from_template(unit.key, unit.payload) for unit in units if isinstance(unit.payload, DrawnTask)]
        asked = [unit for unit in units if isinstance(unit.payload, _Source)]
        number = self.config.tasks_per_document
        asks = [Ask(key=unit.key, prompt=render_tasks(unit.payload.document, unit.payload.kind, num=number)) for unit in asked]
        proposals = [
            proposal
            for unit, answer in zip(asked, session.ask(asks), strict=True)
            for proposal in self._read(unit, answer, rows)
        ]
        self._prove(proposals, session, rows)
        verbatim = sum(proposal.is_verbatim for proposal in proposals)
        return rows.made(**({"share_verbatim": verbatim / len(proposals)} if proposals else {}))

    def _from_template(self, key: str, drawn: DrawnTask) -> VerifiableTask:
        return VerifiableTask(
            key=f"{key}/0",
            task=self.name,
            prompt=(Message(role="user", content=f"{drawn.text}\n\n{FINAL_LINE['number']}"),),
            reference=drawn.reference,
            grader="number",
            group=f"templates/{drawn.key}",
            provenance=Provenance(
                origin="synthetic",
                method=self.name,
                template_id=f"{drawn.key.partition('/')[0]}",
                template_hash=content_hash([drawn.key, drawn.text]),
                generation_depth=1,
            ),
        )

    # -- from documents -----------------------------------------------------------------------------------------------

    def _read(self, unit: Unit, answer: Answer, rows: InventedRows) -> list[_Proposal]:
        """Return the tasks of a reply that can be graded; every other entry becomes a rejection."""
        source: _Source = unit.payload
        origin = origin_in(source.document)
        if rows.refuse(answer, unit.key, origin):
            return []
        entries = answer.value["tasks"]
        if not entries:
            rows.reject(unit.key, origin, UnusableError("empty_reply", "The reply holds no task."), answer.text)
        found: dict[str, _Proposal] = {}
        for number, entry in enumerate(entries):
            key = f"{unit.key}/{number}"
            try:
                if number >= self.config.tasks_per_document:
                    raise UnusableError("surplus_task", f"Only {self.config.tasks_per_document} tasks were asked for.")
                proposal = self._propose(key, source, entry, answer)
                if proposal.question.casefold() in found:
                    raise UnusableError("repeated_question", "The reply asks this question twice.")
                found[proposal.question.casefold()] = proposal
            except UnusableError as problem:
                rows.reject(key, origin, problem, str(entry.get("question", "")))
        return list(found.values())

    def _propose(self, key: str, source: _Source, entry: dict[str, Any], answer: Answer) -> _Proposal:
        question = entry["question"].strip()
        check_text(question, "question", 8, 2_000)
        check_reply(question)
        if not self.config.passage_chars:
            check_request(question, maximum=2_000)
        text = read_reference("exact" if source.kind == "choice" else source.kind, entry["answer"])
        if is_given_away(source.kind, text, question):
            raise UnusableError("answer_in_question", f"The question gives its answer '{text[:100]}' away.")
        start, end = locate_quote(entry["quote"], source.document.text)
        hit = overlaps(_instructions_in(source.document.text), start, end)
        if hit is not None:
            raise UnusableError("instruction_in_source", f"The quote stands in text that instructs its reader ({hit.kind}).")
        is_verbatim = stands_in_quote(source.kind, text, source.document.text[start:end])
        reference = text
        if source.kind == "choice":
            wrong = _check_wrong(entry["wrong"], text, source.document.text[start:end])
            question, reference = add_choices(key, question, text, wrong, source.seed)
        if self.config.proof == "verbatim" and not is_verbatim:
            raise UnusableError("reference_not_in_source", f"The answer '{text[:100]}' does not stand in the quote.")
        return _Proposal(
            key=key,
            source=source,
            question=question,
            reference=reference,
            origin=origin_in(source.document, (start, end)),
            answer=answer,
            is_verbatim=is_verbatim,
            span=(start, end),
        )

    def _prove(self, proposals: Sequence[_Proposal], session: Session, rows: InventedRows) -> None:
        """Add the tasks whose reference is proved; those that must be asked again are asked together."""
        again = [item for item in proposals if self.config.proof == "agreement" or not item.is_verbatim]
        asks = [
            Ask(
                key=item.key,
                prompt=render_open_book(item.source.document, item.question, item.source.kind),
                sample_index=number,
                parameters={"seed": (session.seed + number) % 2**31},
            )
            for item in again
            for number in (0, 1)
        ]
        answers = session.ask(asks)
        proofs = {item.key: answers[2 * at : 2 * at + 2] for at, item in enumerate(again)}
        for item in proposals:
            votes = proofs.get(item.key, [])
            grader = GRADERS[item.source.kind]
            wrong = [vote for vote in votes if vote.problem is not None or not grader(vote.text, item.reference).is_right]
            if wrong:
                detail = f"{len(wrong)} of {len(votes)} independent answers do not give the reference '{item.reference[:100]}'."
                rows.reject(item.key, item.origin, UnusableError("reference_not_proved", detail), wrong[0].text)
                continue
            rows.tasks.append(self._task(item, votes))

    def _task(self, item: _Proposal, votes: Sequence[Answer]) -> VerifiableTask:
        passage = passage_around(item.source.document.text, item.span, self.config.passage_chars)
        parts = [passage, item.question, FINAL_LINE[item.source.kind]]
        requests = [request for vote in votes for request in vote.request_ids]
        return VerifiableTask(
            key=item.key,
            task=self.name,
            prompt=(Message(role="user", content="\n\n".join(filter(None, parts))),),
            reference=item.reference,
            grader=item.source.kind,
            group=item.origin.group,
            provenance=item.answer.provenance(
                method=self.name,
                license=item.origin.license,
                output_terms=item.origin.output_terms,
                request_ids=requests,
                generation_depth=1,
                spans=item.origin.spans,
            ),
        )


@functools.lru_cache(maxsize=512)
def _instructions_in(text: str) -> tuple[InstructionSpan, ...]:
    return tuple(find_instructions(text))


def passage_around(text: str, span: tuple[int, int], limit: int) -> str:
    """Return whole lines around a span, at most `limit` characters and never cutting the span; nothing for a limit of 0."""
    if limit == 0 or len(text) <= limit:
        return text.strip() if limit else ""
    spare = max(limit - (span[1] - span[0]), 0) // 2
    first, last = max(span[0] - spare, 0), min(span[1] + spare, len(text))
    start = text.find("\n", first, span[0]) + 1 if first else 0
    end = text.rfind("\n", span[1], last) if last < len(text) else len(text)
    return text[start or first if first else 0 : end if end >= 0 else last].strip()


def _check_wrong(wrong: Sequence[str], right: str, quote: str) -> list[str]:
    """Return the wrong choices. Raises UnusableError if one is right, empty or given twice."""
    choices = [" ".join(choice.split()) for choice in wrong]
    folded = [fold_answer(choice) for choice in (*choices, right)]
    if not 1 <= len(choices) <= MAX_WRONG or len(set(folded)) < len(folded) or not all(folded):
        raise UnusableError("bad_choices", "The choices are too few or too many, empty, or not all different.")
    for choice in choices:
        check_text(choice, "choice", 1, 500)
        if stands_in_quote("exact", choice, quote):
            raise UnusableError("bad_choices", f"The wrong choice '{choice[:100]}' stands in the quote as well.")
    return choices


def add_choices(key: str, question: str, right: str, wrong: Sequence[str], seed: int) -> tuple[str, str]:
    """Return a question with its lettered choices, shuffled by stable hash, and the letter of the right one."""
    right = " ".join(right.split())
    choices = sorted((right, *wrong), key=lambda choice: stable_fraction(f"{key}\n{choice}", f"choices {seed}"))
    lines = [f"{letter}. {choice}" for letter, choice in zip(_LETTERS, choices, strict=False)]
    return "\n".join((question, *lines)), _LETTERS[choices.index(right)]
