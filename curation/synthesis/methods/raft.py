"""`raft`: questions over several documents of which one knows the answer (Zhang et al. 2024, arXiv 2403.10131).

    method = Raft(RaftConfig(num_distractors=4))
    units = method.plan(Inputs(documents=documents))      one a chunk of a document
    made = method.make(units, session)
    made.examples[0].key                                  "guides/intro.md#raft/3/0": chunk 3, question 0
    read_raft_row(made.examples[0]).oracle                2

The teacher is asked about one chunk, the oracle. Distractors come from the chunks of all documents by BM25, and hold neither
the answer nor its quotes (`curation.synthesis.distractors`); the rows are described in `curation.synthesis.raft_rows`.
Distractors depend on the corpus, calls do not: a new document may change the documents of a row, but costs only its own
questions. All documents of a row are from one side of the train / eval split.
"""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal

from curation.config import check, config
from curation.ids import stable_fraction
from curation.records import Document, Example
from curation.synthesis.asking import Answer, Ask, Session
from curation.synthesis.chunks import cut_chunks
from curation.synthesis.distractors import DistractorPool, Passage, Wanted
from curation.synthesis.grounding import Source, count_flagged, distinct_spans, open_source, read_answer, read_question
from curation.synthesis.methods.method import Inputs, Made, Unit
from curation.synthesis.methods.tally import Tally
from curation.synthesis.parse import UnusableError
from curation.synthesis.prompts.raft import render_raft
from curation.synthesis.raft_rows import RaftParts, build_raft_row

REFUSAL = "The documents do not say."
SYSTEM_PROMPT = "Answer the question from the documents. First quote word for word what the answer rests on."


@config
class RaftConfig:
    """Questions over an oracle document and distractors."""

    questions_per_chunk: int = 1
    """Questions that the teacher is asked for, for each chunk."""

    chunk_chars: int = 1_500
    """Longest chunk. A document that is no longer is one chunk; others are cut at sections and paragraphs."""

    num_distractors: int = 4
    """Documents beside the oracle. Where the oracle is left out, one more."""

    pool: int = 12
    """The distractors are drawn by seed from this many that are hardest."""

    distractors_from: Literal["all_documents", "other_documents"] = "all_documents"
    """`other_documents`: no distractor is from the oracle's document."""

    share_without_oracle: float = 0.2
    """Share of the rows whose oracle is left out, 0 to 0.9 (the paper's 1 - P, and its best value for most data sets)."""

    without_oracle: Literal["answer", "refuse"] = "answer"
    """What a row without its oracle answers: the answer, without quotes (the paper's choice), or `refusal`."""

    refusal: str = REFUSAL
    """The answer where the documents do not hold it (`without_oracle: refuse`)."""

    with_reasoning: bool = True
    """Whether the teacher's reasoning stands between the quotes and the answer."""

    system_prompt: str = SYSTEM_PROMPT
    """System message of every row; empty: none."""

    def __post_init__(self) -> None:
        check(1 <= self.questions_per_chunk <= 20, "questions_per_chunk", "must lie in 1..20", self.questions_per_chunk)
        check(200 <= self.chunk_chars <= 10_000, "chunk_chars", "must lie in 200..10000", self.chunk_chars)
        check(1 <= self.num_distractors <= 50, "num_distractors", "must lie in 1..50", self.num_distractors)
        least = self.num_distractors + 1
        check(least <= self.pool <= 1_000, "pool", f"must lie in {least}..1000 (one more than `num_distractors`)", self.pool)
        check(0 <= self.share_without_oracle <= 0.9, "share_without_oracle", "must lie in 0..0.9", self.share_without_oracle)
        refuses = self.without_oracle == "refuse" and self.share_without_oracle > 0
        check(self.refusal.strip() != "", "refusal", "must not be empty", self.refusal)
        check(refuses or self.refusal == REFUSAL, "refusal", "has no effect here: no row refuses", self.refusal)


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What a unit asks for: questions about one chunk, and the corpus for its distractors."""

    source: Source
    oracle: Passage
    pool: DistractorPool


class Raft:
    """Makes rows of documents."""

    name = "raft"

    def __init__(self, config: RaftConfig, *, side_of: Callable[[str], str] | None = None) -> None:
        """Set up the method.

        Args:
            config: the recipe's section.
            side_of: tells the side of the train / eval split of a group (`curation.curate.split.split_of`). Rows then hold
                documents of one side only. Without it they mix, and the contamination check drops the training rows that show
                what a held-out row shows.
        """
        self.config = config
        self._side_of = side_of or (lambda group: "")

    def plan(self, inputs: Inputs) -> list[Unit]:
        """Return a unit for each chunk of each document."""
        sources = {key: source for document in inputs.documents for key, source in self._cut(document)}
        passages = {key: _passage(key, source, self._side_of(source.document.group)) for key, source in sources.items()}
        ordered = sorted(sources, key=lambda key: stable_fraction(key, f"{self.name} {inputs.seed}"))
        same_document = self.config.distractors_from == "all_documents"
        pool = DistractorPool([passages[key] for key in sorted(passages)], seed=inputs.seed, same_document=same_document)
        return [Unit(key=key, payload=_Work(source=sources[key], oracle=passages[key], pool=pool)) for key in ordered]

    def _cut(self, document: Document) -> list[tuple[str, Source]]:
        chunks = cut_chunks(document, max_chars=self.config.chunk_chars)
        return [(f"{document.key}#{self.name}/{number}", open_source(document, chunk)) for number, chunk in enumerate(chunks)]

    def make(self, units: Sequence[Unit], session: Session) -> Made:
        """Ask about every chunk, and put each question among documents."""
        tally = Tally()
        number = self.config.questions_per_chunk
        usable = tally.without_marks(units, [unit.payload.source for unit in units])
        asks = [Ask(key=unit.key, prompt=render_raft(unit.payload.source.shown(), num=number)) for unit in usable]
        for unit, answer in zip(usable, session.ask(asks), strict=True):
            if answer.problem is not None:
                tally.reject(answer, unit.payload.source.document_hash)
                continue
            seen: set[str] = set()
            for index, entry in tally.entries(answer, "questions", number, unit.payload.source.document_hash):
                with tally.guard(answer, f"{unit.key}/{index}", unit.payload.source.document_hash) as key:
                    parts = self._read(unit.payload.source, key, entry, seen)
                    tally.examples.append(self._build(unit.payload, answer, parts, session.seed))
                    seen.add(parts.question.casefold())
        without = sum(not row.answer.startswith("<quote") for row in tally.examples)
        return tally.made(
            {
                "instructions_in_documents": count_flagged(unit.payload.source for unit in units),
                "share_without_oracle": without / max(1, len(tally.examples)),
            }
        )

    def _build(self, work: _Work, answer: Answer, parts: RaftParts, seed: int) -> Example:
        """Return the row. Raises UnusableError (`too_few_distractors`) if the corpus is too small."""
        with_oracle = stable_fraction(parts.key, f"raft oracle {seed}") >= self.config.share_without_oracle
        wanted = Wanted(key=parts.key, question=parts.question, answer=parts.answer, quotes=parts.quotes)
        number = self.config.num_distractors + (0 if with_oracle else 1)
        distractors = work.pool.choose(wanted, work.oracle, number=number, pool=self.config.pool)
        if len(distractors) < number:
            raise UnusableError(
                "too_few_distractors", f"Only {len(distractors)} of {number} other documents give nothing away."
            )
        document = work.source.document
        provenance = answer.provenance(
            method=self.name, license=document.license, output_terms=(document.output_terms,), generation_depth=1
        )
        return build_raft_row(
            parts,
            work.oracle,
            distractors,
            provenance=provenance,
            with_oracle=with_oracle,
            answer_without_oracle=self.config.refusal if self.config.without_oracle == "refuse" else None,
            seed=seed,
        )

    def _read(self, source: Source, key: str, entry: dict[str, Any], seen: Set[str]) -> RaftParts:
        question = read_question(entry["question"], seen)
        spans = distinct_spans([source.support(quote) for quote in entry["quotes"]])
        if not spans:
            raise UnusableError("no_quote", "The answer has no quote that supports it.")
        answer = read_answer(entry["answer"])
        reasoning = entry["reasoning"].strip() if self.config.with_reasoning else ""
        reasoning = read_answer(reasoning) if reasoning else ""
        source.check_numbers(f"{reasoning} {answer}", question)
        source.check_reply(question, answer, reasoning)
        return RaftParts(
            key=key,
            question=question,
            answer=answer,
            quotes=tuple(source.quote(span) for span in spans),
            quote_spans=spans,
            reasoning=reasoning,
            group=source.document.group,
            system_prompt=self.config.system_prompt,
        )


def _passage(key: str, source: Source, side: str) -> Passage:
    return Passage(
        key=key,
        title=source.title,
        text=source.text,
        origin=source.document.key,
        span=source.whole(),
        license=source.document.license,
        output_terms=source.document.output_terms,
        side=side,
    )
