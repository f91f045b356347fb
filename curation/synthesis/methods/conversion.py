"""`conversion`: raw records (tickets, threads, logs of chats) turned into a request and the answer that solved it.

    method = Conversion(ConversionConfig(task="support"))
    made = method.make(method.plan(Inputs(documents=tickets)), session)
    made.examples[0].key             "tickets/4711.txt#conversion/0"

Both the request and the answer rest on verbatim quotes of the record; numbers and identifiers of the answer must stand in it.
A record without a solution is rejected as `not_solved`.
"""

import re
from collections.abc import Sequence

from curation.config import check, config
from curation.duplicates.siblings import read_marks
from curation.ids import stable_fraction
from curation.records import Example, Message, SourceSpan
from curation.synthesis.asking import Answer, Ask, Session
from curation.synthesis.chunks import Chunk
from curation.synthesis.distractors import fold
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
from curation.synthesis.methods.tally import Tally
from curation.synthesis.parse import UnusableError
from curation.synthesis.prompts.conversion import render_conversion
from curation.synthesis.prompts.grounded import cut_passage

_TASK = re.compile(r"[a-z][a-z0-9_]{0,39}")


@config
class ConversionConfig:
    """One demonstration from each raw record."""

    task: str = "conversion"
    """Task of the rows: lower-case letters, digits, `_`."""

    system_prompt: str = ""
    """System message of every row; empty: none."""

    def __post_init__(self) -> None:
        check(_TASK.fullmatch(self.task) is not None, "task", "must be lower-case letters, digits and `_`", self.task)


class Conversion:
    """Makes rows of raw records."""

    name = "conversion"

    def __init__(self, config: ConversionConfig) -> None:
        self.config = config

    def plan(self, inputs: Inputs) -> list[Unit]:
        """Return a unit for each record."""
        units = []
        for document in inputs.documents:
            shown = Chunk(title=document.title, start=0, end=len(cut_passage(document.text)))
            units.append(Unit(key=f"{document.key}#{self.name}", payload=open_source(document, shown)))
        return sorted(units, key=lambda unit: stable_fraction(unit.key, f"{self.name} {inputs.seed}"))

    def make(self, units: Sequence[Unit], session: Session) -> Made:
        """Ask about every record; each ends as one row or one rejection."""
        tally = Tally()
        asks = [Ask(key=unit.key, prompt=render_conversion(unit.payload.shown())) for unit in units]
        for unit, answer in zip(units, session.ask(asks), strict=True):
            source: Source = unit.payload
            if answer.problem is not None:
                tally.reject(answer, source.document_hash)
                continue
            with tally.guard(answer, f"{unit.key}/0", source.document_hash) as key:
                tally.examples.append(self._build(source, answer, key))
        return tally.made({"instructions_in_documents": count_flagged(unit.payload for unit in units)})

    def _build(self, source: Source, answer: Answer, key: str) -> Example:
        value = answer.value
        if not value["is_solved"]:
            raise UnusableError("not_solved", "The record holds no solution.")
        prompt = read_question(value["prompt"], set())
        said = read_answer(value["answer"])
        spans = [*_support(source, value["prompt_quotes"], "request"), *_support(source, value["answer_quotes"], "answer")]
        source.check_numbers(said)
        source.check_numbers(prompt)
        source.check_reply(prompt, said)
        _check_identifiers(said, source)
        if fold(said).line in fold(prompt).line:
            raise UnusableError("answer_in_prompt", "The request already says the answer.")
        return Example(
            key=key,
            task=self.config.task,
            messages=(
                *open_messages(self.config.system_prompt),
                Message(role="user", content=prompt),
                Message(role="assistant", content=said),
            ),
            group=source.document.group,
            provenance=answer.provenance(
                method=self.name,
                license=source.document.license,
                output_terms=(source.document.output_terms,),
                spans=distinct_spans(spans),
                generation_depth=1,
            ),
        )


def _support(source: Source, quotes: Sequence[str], what: str) -> list[SourceSpan]:
    spans = [source.support(quote) for quote in quotes]
    if not spans:
        raise UnusableError("no_quote", f"The {what} has no quote that supports it.")
    return spans


def _check_identifiers(answer: str, source: Source) -> None:
    """Check that code and dotted names of the answer stand in the record. Raises UnusableError."""
    known = set(read_marks(f"{source.title}\n{source.text}").words)
    code = re.findall(r"`[^`\n]{1,200}`|\b[^\W\d]\w*(?:\.\w+)+\b|\b\w*_\w+\b", answer)
    words = [word for item in code for word in read_marks(item).words]
    strange = next((word for word in words if word not in known), None)
    if strange is not None:
        raise UnusableError("identifier_not_in_source", f"'{strange[:60]}' does not stand in the record.")
