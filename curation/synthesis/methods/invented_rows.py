"""What methods that invent tasks share: where a new row comes from, the checks of a text, and the list of what came of it.

rows = InventedRows(method="self_instruct")
rows.add_example(key, request, answer, origin=origin_of([seed]))       # a row, or a rejection with its reason
rows.made(novelty=0.8)
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from curation.filters.refusals import check_refusal
from curation.filters.rule_config import RuleConfig
from curation.filters.text_view import view_of
from curation.ids import content_hash
from curation.records import Document, Example, Message, PreferencePair, Rejection, SourceSpan, VerifiableTask, record_hash
from curation.synthesis.asking import Answer
from curation.synthesis.injection import find_instructions
from curation.synthesis.methods.method import STAGE, Made
from curation.synthesis.parse import MAX_ANSWER_CHARS, UnusableError, check_text, excerpt_of

_RULES = RuleConfig()
_REFERS_TO_NOTHING = re.compile(
    r"\b(?:attached|the (?:above|preceding) (?:\w+ )?(?:text|image|table|file|paragraph|passage|code|list|article|picture)"
    r"|this (?:image|picture|photo|file|video|audio|attachment|screenshot))\b",
    re.I,
)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a row comes from."""

    group: str
    license: str
    output_terms: tuple[str, ...]
    depth: int
    """Generation depth of what it was made from; the row's is one more."""
    source_hash: str
    parents: tuple[str, ...] = ()
    spans: tuple[SourceSpan, ...] = ()


def origin_of(parents: Sequence[Example | VerifiableTask]) -> Origin:
    """Return the origin of a row made from other rows; its group is that of the first."""
    made = [parent.provenance for parent in parents]
    hashes = [record_hash(parent) for parent in parents]
    return Origin(
        group=parents[0].group,
        license=join_licenses([item.license for item in made]),
        output_terms=tuple(dict.fromkeys(part for item in made for part in item.output_terms.split("; ") if part)),
        depth=max(item.generation_depth for item in made),
        source_hash=hashes[0] if len(hashes) == 1 else content_hash(hashes),
        parents=tuple(parent.key for parent in parents),
        spans=made[0].spans if len(made) == 1 else (),
    )


def origin_in(document: Document, *spans: tuple[int, int]) -> Origin:
    """Return the origin of a row made from a document; `spans` are half-open offsets in its text."""
    source_hash = record_hash(document)
    return Origin(
        group=document.group,
        license=document.license,
        output_terms=(document.output_terms,) if document.output_terms else (),
        depth=0,
        source_hash=source_hash,
        spans=tuple(
            SourceSpan(document_key=document.key, document_hash=source_hash, start=start, end=end) for start, end in spans
        ),
    )


def join_licenses(licenses: Sequence[str]) -> str:
    """Return the licence of what was made from several works: all of them hold."""
    distinct = [*dict.fromkeys(filter(None, licenses))]
    return " AND ".join(f"({item})" if len(distinct) > 1 and " OR " in item else item for item in distinct)


def request_in(example: Example) -> str:
    """Return the request of a single-turn example without tools, or an empty text if it is of another kind."""
    asked = [message for message in example.prompt if message.role != "system"]
    is_plain = len(asked) == 1 and asked[0].role == "user" and not example.tools and not example.messages[-1].tool_calls
    return asked[0].content.strip() if is_plain else ""


def check_request(text: str, *, minimum: int = 8, maximum: int = 4_000) -> None:
    """Check a request that a model invented. Raises UnusableError."""
    check_text(text, "instruction", minimum, maximum)
    if not any(character.isalpha() for character in text) or text[0] in ".,;:!?)]}":
        raise UnusableError("no_instruction", "The instruction is no sentence.")
    if _REFERS_TO_NOTHING.search(text):
        raise UnusableError("refers_to_nothing", "The instruction speaks of a text, file or picture that is not there.")
    check_reply(text)


def check_reply(text: str) -> None:
    """Refuse what speaks to the model that reads it: no seed may pass that on through a teacher. Raises UnusableError."""
    found = find_instructions(text)
    if found:
        raise UnusableError("instruction_in_reply", f"The reply tries to instruct its reader ({found[0].kind}).")


def check_answer(example: Example, maximum: int = MAX_ANSWER_CHARS) -> None:
    """Check the answer of a row; `maximum` is in characters. Raises UnusableError."""
    last = example.messages[-1]
    if not last.tool_calls:
        check_text(last.content, "answer", 1, maximum)
    problem = check_refusal(view_of(example), _RULES)
    if problem is not None:
        raise UnusableError(problem.reason, problem.detail)


class InventedRows:
    """The rows and rejections of one call of `make`, as they come into being."""

    def __init__(self, method: str, *, max_answer_chars: int = MAX_ANSWER_CHARS) -> None:
        self.method = method
        self.max_answer_chars = max_answer_chars
        self.examples: list[Example] = []
        self.pairs: list[PreferencePair] = []
        self.tasks: list[VerifiableTask] = []
        self.rejections: list[Rejection] = []

    def reject(self, key: str, origin: Origin, problem: UnusableError, text: str, *, other_key: str = "") -> None:
        """Say why something that was proposed is no row; `text` is what it was."""
        self.rejections.append(
            Rejection(
                key=key,
                stage=STAGE,
                reason=problem.reason,
                detail=problem.detail,
                record_hash=origin.source_hash,
                excerpt=excerpt_of(text),
                other_key=other_key,
            )
        )

    def refuse_source(self, key: str, origin: Origin, text: str) -> bool:
        """Turn a source that speaks to its reader into a rejection, before anything is paid for it; False if it does not."""
        found = find_instructions(text)
        if found:
            detail = f"The source tries to instruct its reader ({found[0].kind}), so nothing is made of it."
            self.reject(key, origin, UnusableError("instruction_in_source", detail), text)
        return bool(found)

    def refuse(self, answer: Answer, key: str, origin: Origin) -> bool:
        """Turn an answer with a problem into a rejection; False if it has none."""
        if answer.problem is None:
            return False
        self.reject(key, origin, answer.problem, answer.text)
        return True

    def add_example(
        self,
        key: str,
        messages: Sequence[Message],
        answer: Answer,
        *,
        origin: Origin,
        earlier: Sequence[str] = (),
        tools: str = "",
        task: str = "",
    ) -> Example | None:
        """Add the row that ends with these messages, or its rejection; `earlier` are request ids that led here as well."""
        example = Example(
            key=key,
            task=task or self.method,
            messages=tuple(messages),
            tools=tools,
            group=origin.group,
            provenance=answer.provenance(
                method=self.method,
                license=origin.license,
                output_terms=origin.output_terms,
                request_ids=tuple(earlier),
                generation_depth=origin.depth + 1,
                parents=origin.parents,
                spans=origin.spans,
            ),
        )
        try:
            check_answer(example, self.max_answer_chars)
        except UnusableError as problem:
            self.reject(key, origin, problem, example.answer)
            return None
        self.examples.append(example)
        return example

    def made(self, **figures: float) -> Made:
        """Return what there is."""
        return Made(
            examples=tuple(self.examples),
            pairs=tuple(self.pairs),
            tasks=tuple(self.tasks),
            rejections=tuple(self.rejections),
            figures=figures,
        )


def conversation(request: str, answer: str, system_prompt: str = "") -> tuple[Message, ...]:
    """Return the messages of a single-turn row."""
    system = (Message(role="system", content=system_prompt),) if system_prompt else ()
    return (*system, Message(role="user", content=request), Message(role="assistant", content=answer))
