"""`conversation`: several turns about a document, every answer supported by a verbatim quote.

    method = Conversation(ConversationConfig(turns=3))
    made = method.make(method.plan(Inputs(documents=documents)), session)
    made.examples[0].key             "guides/intro.md#conversation/0/0"
    made.examples[0].messages        user, assistant, user, assistant, user, assistant

A conversation is kept whole or not at all: one answer without support, one turn that nobody can understand or that repeats an
earlier one, and it is rejected. Trained on are, as for every row, the answers that the recipe's loss mask leaves in.
"""

import re
from collections.abc import Sequence, Set
from typing import Any

from curation.cited_answer import Citation
from curation.config import check, config
from curation.ids import stable_fraction
from curation.records import Example, Message, SourceSpan
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
from curation.synthesis.methods.tally import Tally
from curation.synthesis.parse import MAX_QUESTION_CHARS, UnusableError, check_text
from curation.synthesis.prompts.conversation import render_conversation
from curation.synthesis.prompts.grounded import cut_passage

MIN_TURN_CHARS = 2
_POINTS_BACK = re.compile(
    r"(?:and|but|or|so|also|then|what about|how about|und|aber|oder|y|pero|et|mais)\b"
    r"|(?:(?:is|are|was|were|does|do|did|can|could|will|would|has|have) )?(?:it|that|those|these|they|them|he|she)\b(?!'s it)",
    re.IGNORECASE,
)


@config
class ConversationConfig:
    """Conversations about each document."""

    turns: int = 3
    """Turns of each conversation, 2 to 20; a turn is what the person says and what the assistant answers."""

    conversations_per_document: int = 1
    """Conversations about each document; each is a call of its own."""

    with_document: bool = False
    """Whether the document stands in the system message. Without it the model learns what it says."""

    with_quotes: bool = False
    """Whether every answer begins with its quote (see `curation.synthesis.citations`)."""

    system_prompt: str = ""
    """System message of every row; empty: none."""

    def __post_init__(self) -> None:
        check(2 <= self.turns <= 20, "turns", "must lie in 2..20", self.turns)
        number = self.conversations_per_document
        check(1 <= number <= 20, "conversations_per_document", "must lie in 1..20", number)


class Conversation:
    """Makes rows of documents."""

    name = "conversation"

    def __init__(self, config: ConversationConfig) -> None:
        self.config = config

    def plan(self, inputs: Inputs) -> list[Unit]:
        """Return a unit for each conversation."""
        units = []
        for document in inputs.documents:
            shown = Chunk(title=document.title, start=0, end=len(cut_passage(document.text)))
            source = open_source(document, shown)
            numbers = range(self.config.conversations_per_document)
            units += [Unit(key=f"{document.key}#{self.name}/{number}", payload=(source, number)) for number in numbers]
        return sorted(units, key=lambda unit: stable_fraction(unit.key, f"{self.name} {inputs.seed}"))

    def make(self, units: Sequence[Unit], session: Session) -> Made:
        """Ask for every conversation; each unit ends as one row or one rejection."""
        tally = Tally()
        sources = [unit.payload[0] for unit in units]
        usable = tally.without_marks(units, sources) if self.config.with_document else units
        asks = [
            Ask(key=unit.key, prompt=render_conversation(source.shown(), num_turns=self.config.turns), sample_index=number)
            for unit in usable
            for source, number in [unit.payload]
        ]
        for unit, answer in zip(usable, session.ask(asks), strict=True):
            source = unit.payload[0]
            if answer.problem is not None:
                tally.reject(answer, source.document_hash)
                continue
            with tally.guard(answer, f"{unit.key}/0", source.document_hash) as key:
                tally.examples.append(self._build(source, answer, key))
        return tally.made({"instructions_in_documents": count_flagged(sources)})

    def _build(self, source: Source, answer: Answer, key: str) -> Example:
        turns = answer.value["turns"]
        if len(turns) != self.config.turns:
            raise UnusableError("wrong_number_of_turns", f"The conversation has {len(turns)} turns, not {self.config.turns}.")
        seen: set[str] = set()
        messages = list(open_messages(self._system(source)))
        spans: list[SourceSpan] = []
        for number, turn in enumerate(turns):
            try:
                user, said, span = _read_turn(source, turn, number, seen)
            except UnusableError as error:
                raise UnusableError(error.reason, f"Turn {number + 1}: {error.detail}") from error
            quotes = [Citation(source.quote(span))] if self.config.with_quotes else []
            messages += [Message(role="user", content=user), Message(role="assistant", content=format_answer(quotes, said))]
            spans.append(span)
        return Example(
            key=key,
            task=self.name,
            messages=tuple(messages),
            group=source.document.group,
            provenance=answer.provenance(
                method=self.name,
                license=source.document.license,
                output_terms=(source.document.output_terms,),
                spans=distinct_spans(spans),
                generation_depth=1,
            ),
        )

    def _system(self, source: Source) -> str:
        if not self.config.with_document:
            return self.config.system_prompt
        document = f"<document>\nTitle: {source.title}\n\n{source.text}\n</document>"
        return f"{self.config.system_prompt}\n\n{document}".strip()


def _read_turn(source: Source, turn: dict[str, Any], number: int, seen: set[str]) -> tuple[str, str, SourceSpan]:
    """Return what the person says, what the assistant answers, and where that stands. Raises UnusableError."""
    user = read_question(turn["user"], seen) if number == 0 else _read_follow_up(turn["user"], seen)
    if number == 0 and _POINTS_BACK.match(user):
        raise UnusableError("not_self_contained", f"'{user[:60]}' points to something that was never said.")
    seen.add(user.casefold())
    said = read_answer(turn["assistant"])
    if said.casefold() in seen:
        raise UnusableError("repeated_answer", "The assistant says the same twice.")
    seen.add(said.casefold())
    span = source.support(turn["quote"])
    source.check_numbers(said, user)
    source.check_reply(user, said)
    return user, said, span


def _read_follow_up(text: str, seen: Set[str]) -> str:
    """Return a later question, which may be short and point back, but says something new."""
    user = " ".join(text.split())
    check_text(user, "question", MIN_TURN_CHARS, MAX_QUESTION_CHARS)
    if not any(character.isalpha() for character in user):
        raise UnusableError("short_question", "The question holds no word.")
    if user.casefold() in seen:
        raise UnusableError("repeated_question", "The person asks the same twice.")
    return user
