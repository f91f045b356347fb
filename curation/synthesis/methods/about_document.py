"""What the methods share that ask once about each document: from the answer to examples and rejections, entry by entry.

made = read_answers(asked, method="routing", system_prompt="")
"""

from collections.abc import Sequence
from dataclasses import dataclass

from curation.records import Document, Example, Message, Rejection, SourceSpan, record_hash
from curation.synthesis.asking import Answer
from curation.synthesis.methods.method import STAGE, Made
from curation.synthesis.parse import ParsedQuestion, UnusableError, parse_questions


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A document, what was answered about it, and the answer to learn if the recipe knows it."""

    document: Document
    answer: Answer
    num_questions: int
    known_answer: str = ""


def read_answers(asked: Sequence[Asked], *, method: str, system_prompt: str) -> Made:
    """Turn answers into rows: every entry of a reply is an example or a rejection, a reply without entries is one rejection."""
    examples: list[Example] = []
    rejections: list[Rejection] = []
    for item in asked:
        document_hash = record_hash(item.document)
        if item.answer.reply is None:
            rejections.append(item.answer.rejection(stage=STAGE, record_hash=document_hash))
            continue
        template = item.answer.ask.prompt.template
        parsed = parse_questions(item.answer.reply, item.document, template=template, num_questions=item.num_questions)
        for entry in parsed.problems:
            key = item.answer.ask.key if entry.index is None else f"{item.answer.ask.key}/{entry.index}"
            problem = UnusableError(entry.reason, entry.detail)
            rejections.append(item.answer.rejection(stage=STAGE, record_hash=document_hash, problem=problem, key=key))
        examples += [_build_example(item, question, document_hash, method, system_prompt) for question in parsed.questions]
    return Made(examples=tuple(examples), rejections=tuple(rejections))


def _build_example(item: Asked, question: ParsedQuestion, document_hash: str, method: str, system_prompt: str) -> Example:
    document = item.document
    span = SourceSpan(document_key=document.key, document_hash=document_hash, start=question.span[0], end=question.span[1])
    system = (Message(role="system", content=system_prompt),) if system_prompt else ()
    said = Message(role="assistant", content=item.known_answer or question.answer)
    return Example(
        key=f"{item.answer.ask.key}/{question.index}",
        task=method,
        messages=(*system, Message(role="user", content=question.question), said),
        group=document.group,
        provenance=item.answer.provenance(
            method=method,
            license=document.license,
            output_terms=(document.output_terms,),
            spans=(span,),
            generation_depth=1,
        ),
    )
