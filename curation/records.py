"""The records that travel through the graph: frozen dataclasses, one Arrow schema each (see `curation.tables`).

    Example(key="api/polars.Expr.str.head#routing/0", task="routing", group="head",
            messages=(Message(role="user", content="How do I ..."), Message(role="assistant", content='{"part":"text"}')),
            provenance=Provenance(origin="synthetic", ...))

A record's `key` is its stable name; its hash (`record_hash`) is the BLAKE2b of its canonical JSON.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from curation.ids import canonical_json, content_hash
from curation.record_rows import as_row

Role = Literal["system", "user", "assistant", "tool"]
Origin = Literal["human", "synthetic"]
Split = Literal["", "train", "eval"]
Decision = Literal["approve", "edit", "reject", "prefer_a", "prefer_b", "tie", "both_bad", "undo"]
ReviewerKind = Literal["human", "automatic"]


class Record(Protocol):
    """What every record offers: a stable name. Records are frozen dataclasses."""

    @property
    def key(self) -> str:
        """The stable name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A call of a tool that an assistant's message asks for."""

    id: str
    name: str
    arguments: str
    """JSON text of the arguments, as the model wrote or shall write it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One turn of a chat."""

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    """What an assistant's message calls; its content may then be empty."""
    tool_call_id: str = ""
    """In a message of role `tool`: the call that it answers."""
    name: str = ""
    """In a message of role `tool`: the tool that answers."""

    @property
    def text(self) -> str:
        """Everything that the message says: its content, then each call of a tool as one line of JSON."""
        if not self.tool_calls:
            return self.content
        calls = (canonical_json({"name": call.name, "arguments": parse_arguments(call.arguments)}) for call in self.tool_calls)
        return "\n".join(part for part in (self.content, *calls) if part)


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A stretch of a document: its heading path, what it is, and its half-open character span in `Document.text`."""

    heading_path: tuple[str, ...]
    kind: str
    """`body`, `signature`, `summary`, `parameters`, `returns`, `examples`, ... (docstring section names in lower case)."""
    start: int
    end: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A source text with its sections. `text` is normalised, so white space edits do not change its hash."""

    key: str
    """`SOURCE/NAME`: for a package the qualified name, for a file its path (and `#row` in tabular files)."""
    source: str
    title: str
    kind: str
    """`function`, `method`, `property`, `class`, `module`, `attribute` for packages; `markdown`, `text`, `row` for files."""
    text: str
    sections: tuple[Section, ...]
    group: str
    """Split group: documents of one group never stand on both sides of the train / eval split."""
    license: str
    output_terms: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceSpan:
    """Where in which version of a document a claim stands verbatim (half-open character offsets)."""

    document_key: str
    document_hash: str
    start: int
    end: int


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeVote:
    """One opinion of a judge model about a row; advice, never a verdict."""

    judge: str
    score: float
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Where a row comes from, complete enough to trace it back to source text, teacher call and parents."""

    origin: Origin
    method: str
    """How it was made: `routing`, `grounded_qa`, `demonstration`, `edit`, ..."""
    spans: tuple[SourceSpan, ...] = ()
    request_ids: tuple[str, ...] = ()
    template_id: str = ""
    template_hash: str = ""
    teacher: str = ""
    """Model name; the extractive teacher says `extractive`."""
    teacher_revision: str = ""
    sampling: str = "{}"
    """Sampling parameters as canonical JSON."""
    generation_depth: int = 0
    """0 for human rows, 1 for rows made from source text, one more for each model-made parent."""
    parents: tuple[str, ...] = ()
    """Keys of the rows that this one was made from."""
    license: str = ""
    output_terms: str = ""
    votes: tuple[JudgeVote, ...] = ()
    created_at: str = ""
    """When the row was written, as its source declares it (ISO 8601 date or time in UTC); empty if it does not say."""
    terms_verdict: str = ""
    """`allowed`, `forbidden`, `unknown` or `conflicting` for the recipe's declared use; empty until terms were judged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A conversation to learn from: everything before the last message is the prompt, the last one the answer."""

    key: str
    task: str
    messages: tuple[Message, ...]
    tools: str = ""
    """Definitions of the tools that the assistant may call, as a canonical JSON list; empty for none."""
    group: str
    split: Split = ""
    provenance: Provenance

    @property
    def prompt(self) -> tuple[Message, ...]:
        """The messages that the model is given."""
        return self.messages[:-1]

    @property
    def answer(self) -> str:
        """What the model learns to write, as text; calls of tools are lines of JSON in it."""
        return self.messages[-1].text


@dataclass(frozen=True, kw_only=True, slots=True)
class PreferencePair:
    """Two answers to one prompt, the first preferred."""

    key: str
    task: str
    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    rejected_kind: str
    """What is wrong with the rejected answer: `wrong_route`, `wrong_format`, `ungrounded`, `edited_away`, ..."""
    tools: str = ""
    """As in `Example`."""
    group: str
    split: Split = ""
    provenance: Provenance


@dataclass(frozen=True, kw_only=True, slots=True)
class UnpairedPreference:
    """One answer to a prompt with a thumb up or down (KTO calls it unpaired preference)."""

    key: str
    task: str
    prompt: tuple[Message, ...]
    answer: str
    is_desirable: bool
    group: str
    split: Split = ""
    provenance: Provenance


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiableTask:
    """A prompt whose answer a grader can check against a reference (reinforcement learning, evaluation)."""

    key: str
    task: str
    prompt: tuple[Message, ...]
    reference: str
    grader: str
    group: str
    split: Split = ""
    provenance: Provenance


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejection:
    """A row that a stage did not keep, with the reason; nothing vanishes."""

    key: str
    """Key of the dropped record (for an unreadable row: file and row number)."""
    stage: str
    """The asset that dropped it."""
    reason: str
    """Short name: `exact_duplicate`, `near_duplicate`, `unparsable_reply`, `rejected_by_reviewer`, ..."""
    detail: str
    """One sentence for people, with the other row's key, the similarity or the error."""
    record_hash: str
    excerpt: str
    """At most 500 characters of what was dropped."""
    other_key: str = ""
    """Key of the row that this one repeats, contradicts or leaks; empty if no other row is the reason."""
    similarity: float = 0.0
    """How alike the two are, 0 to 1; 0 if no other row is the reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PrivacyFinding:
    """Where personal data or a secret stood; never what it was."""

    key: str
    record_key: str
    field: str
    """`text`, `messages[2]`, `chosen`, ...: which text of the record."""
    entity: str
    """`EMAIL`, `PHONE_NUMBER`, `AWS_KEY`, ..."""
    start: int
    end: int
    """Half-open character span in the original text of the field."""
    detector: str
    action: str
    """What was done: `reject`, `mask`, `pseudonym`, `keep`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ContaminationPair:
    """A row that gives away an evaluation item, and how alike they are."""

    key: str
    record_key: str
    item_key: str
    benchmark: str
    """`eval_set`, or the name of a benchmark file of the recipe."""
    field: str
    """`prompt`, `answer` or `document`."""
    measure: str
    """`ngram` or `embedding`."""
    score: float
    """Share of the item's rare n-grams that the row holds, or the cosine of the embeddings."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewItem:
    """What a reviewer is shown. Its key is the hash of exactly that, so unchanged text keeps its verdict."""

    key: str
    kind: Literal["example", "pair", "task", "document"]
    prompt: tuple[Message, ...]
    """Empty for a document."""
    answer: str
    """What is judged: an answer, of a pair answer A, of a task the reference, of a document its text."""
    alternative: str
    """For a pair, answer B; for a task, the grader that compares answers with the reference; otherwise empty."""
    rubric_version: str
    record_key: str
    record_hash: str
    """Hash of the row as curated."""
    evidence: tuple[str, ...]
    """Source passages that the answer rests on, verbatim."""
    task: str
    provenance: Provenance
    """Where the row comes from, shown beside it."""
    missing_spans: tuple[SourceSpan, ...] = ()
    """Spans that the row cites and that were not found: another version of the document, or outside of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """One decision about one review item. Append-only: a change of mind is a new verdict, and so is an undo."""

    key: str
    """Review item key."""
    sequence: int
    decision: Decision
    reviewer: str
    reviewer_kind: ReviewerKind
    reason: str
    edited_answer: str
    created_at: str
    role: Literal["review", "adjudication"] = "review"
    """An adjudication settles what reviewers did not agree on."""
    supersedes: int = 0
    """Sequence of the verdict that this one changes or undoes; 0 if none."""
    details: str = ""
    """What else was recorded (JSON of `VoteDetails`): how the item was served, which way round, how sure, what was marked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UnitCalls:
    """The calls that were made for one thing asked about, whatever came of it."""

    key: str
    """Key of what was asked about: the beginning of the keys of the rows and rejections that came of it."""
    request_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class TeacherCall:
    """A paid reply as the ledger holds it."""

    key: str
    """Request id: the hash of everything that determines the reply."""
    provider: str
    endpoint: str
    model: str
    revision: str
    request: str
    reply: str
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    created_at: str


def parse_arguments(arguments: str) -> Any:
    """Return the arguments of a tool call as an object; what is no JSON stays text."""
    try:
        value = json.loads(arguments)
        canonical_json(value)
    except (ValueError, RecursionError):
        return arguments
    return value


def record_hash(record: Record) -> str:
    """Return the content hash of a record."""
    return content_hash(as_row(record))


def reject(record: Any, *, stage: str, reason: str, detail: str, other_key: str = "", similarity: float = 0.0) -> Rejection:
    """Describe why a stage does not keep a record."""
    return Rejection(
        key=record.key,
        stage=stage,
        reason=reason,
        detail=detail,
        record_hash=record_hash(record),
        excerpt=_excerpt(record),
        other_key=other_key,
        similarity=similarity,
    )


def _excerpt(record: Any) -> str:
    for name in ("text", "chosen", "answer"):
        if getattr(record, name, ""):
            return str(getattr(record, name))[:500]
    return ""


def source_of(key: str) -> str:
    """Return the source of a record: the first part of its key."""
    return key.partition("/")[0]
