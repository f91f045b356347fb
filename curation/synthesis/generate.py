"""The stage `candidates`: examples that a teacher writes from documents, and preference pairs.

    made = generate(documents, demonstrations, config=recipe.generate, teacher_config=recipe.teacher,
                    teacher=build_teacher(recipe.teacher), ledger=ledger)
    made.examples[0].key          "api/polars.Expr.str.head#routing/0"
    made.pairs[0].key             "api/polars.Expr.str.head#routing/0~pair/0"

One teacher call a document and method. Everything proposed ends as a row or as a rejection:
num_proposed == len(examples) + len(pairs) + len(rejections).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from curation.chat_model import ChatModel, ChatRequest
from curation.ids import canonical_json
from curation.records import Document, Example, Message, PreferencePair, Provenance, Rejection, SourceSpan, record_hash
from curation.synthesis.config import GenerateConfig
from curation.synthesis.engine import CallReport, Completion, Progress, complete_all, report_calls
from curation.synthesis.ledger import RequestLedger
from curation.synthesis.pairs import PlannedPair, build_pair, plan_pairs, wrong_answer
from curation.synthesis.parse import (
    MAX_ANSWER_CHARS,
    ParsedQuestion,
    UnusableError,
    check_text,
    excerpt_of,
    parse_questions,
    read_entries,
)
from curation.synthesis.prompts.grounded import render_grounded_qa, render_routing, render_ungrounded
from curation.synthesis.prompts.template import Prompt
from curation.synthesis.routes import answer_of, route_of
from curation.synthesis.teacher_config import TeacherConfig
from curation.synthesis.teachers import sampling_parameters

STAGE = "candidates"
OnProgress = Callable[[Progress], None] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Generated:
    """What generation made, what it dropped, and what it cost."""

    examples: tuple[Example, ...]
    pairs: tuple[PreferencePair, ...]
    rejections: tuple[Rejection, ...]
    report: CallReport
    num_proposed: int
    """Rows that could have been: documents without a usable reply, entries of replies, planned pairs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ask:
    """One call to make: about which document, by which method, and the answer if the recipe knows it."""

    document: Document
    method: str
    prompt: Prompt
    num_questions: int
    answer: str
    system_prompt: str

    @property
    def key(self) -> str:
        return f"{self.document.key}#{self.method}"


def generate(
    documents: Sequence[Document],
    demonstrations: Sequence[Example],
    *,
    config: GenerateConfig,
    teacher_config: TeacherConfig,
    teacher: ChatModel,
    ledger: RequestLedger,
    on_progress: OnProgress = None,
) -> Generated:
    """Return examples from the documents, and pairs from these examples and the demonstrations.

    Raises:
        TeacherKeyMissingError, TeacherRefusedError, TeacherUnreachableError: no row can be made.
        DatabaseError: replies cannot be stored.
    """
    work = _Generation(config, teacher_config, teacher, ledger, on_progress)
    work.make_examples(documents)
    work.make_pairs([*work.examples, *demonstrations], documents)
    return Generated(
        examples=tuple(work.examples),
        pairs=tuple(work.pairs),
        rejections=tuple(work.rejections),
        report=work.report,
        num_proposed=work.num_proposed,
    )


class _Generation:
    """The rows of one call of `generate` as they come into being."""

    def __init__(
        self,
        config: GenerateConfig,
        teacher_config: TeacherConfig,
        teacher: ChatModel,
        ledger: RequestLedger,
        on_progress: OnProgress,
    ) -> None:
        self.examples: list[Example] = []
        self.pairs: list[PreferencePair] = []
        self.rejections: list[Rejection] = []
        self.report = CallReport()
        self.num_proposed = 0
        self._config = config
        self._teacher_config = teacher_config
        self._teacher = teacher
        self._ledger = ledger
        self._on_progress = on_progress
        self._parameters = sampling_parameters(teacher_config, seed=config.seed)

    def _complete(self, prompts: Iterable[Prompt]) -> list[Completion]:
        requests = [
            ChatRequest(messages=prompt.messages, schema=prompt.template.schema, parameters=self._parameters)
            for prompt in prompts
        ]
        completions = complete_all(
            requests,
            self._teacher,
            self._ledger,
            concurrency=self._teacher_config.concurrency,
            max_attempts=self._teacher_config.max_attempts,
            on_progress=self._on_progress,
        )
        self.report += report_calls(completions)
        return completions

    def _reject(self, key: str, row_hash: str, *, reason: str, detail: str, excerpt: str) -> None:
        self.num_proposed += 1
        self.rejections.append(
            Rejection(key=key, stage=STAGE, reason=reason, detail=detail, record_hash=row_hash, excerpt=excerpt_of(excerpt))
        )

    # -- examples -------------------------------------------------------------------------------------------------

    def make_examples(self, documents: Sequence[Document]) -> None:
        """Ask about every document and read the replies."""
        asks = [*self._plan_routing(documents), *self._plan_grounded_qa(documents)]
        if asks:
            for ask, completion in zip(asks, self._complete(ask.prompt for ask in asks), strict=True):
                self._read_reply(ask, completion)

    def _plan_routing(self, documents: Sequence[Document]) -> Iterable[_Ask]:
        routing = self._config.routing
        for document in documents if routing else ():
            assert routing is not None
            label = route_of(document.title, routing)
            if label is None:
                detail = f"No pattern of generate.routing.routes fits the title '{document.title[:200]}'."
                self._reject(
                    f"{document.key}#routing", record_hash(document), reason="no_route", detail=detail, excerpt=document.text
                )
                continue
            number = routing.questions_per_document
            prompt = render_routing(document, num_questions=number)
            answer = answer_of(label, routing)
            yield _Ask(
                document=document,
                method="routing",
                prompt=prompt,
                num_questions=number,
                answer=answer,
                system_prompt=routing.system_prompt,
            )

    def _plan_grounded_qa(self, documents: Sequence[Document]) -> Iterable[_Ask]:
        section = self._config.grounded_qa
        for document in documents if section else ():
            assert section is not None
            number = section.questions_per_document
            prompt = render_grounded_qa(document, num_questions=number)
            yield _Ask(
                document=document,
                method="grounded_qa",
                prompt=prompt,
                num_questions=number,
                answer="",
                system_prompt=section.system_prompt,
            )

    def _read_reply(self, ask: _Ask, completion: Completion) -> None:
        document_hash = record_hash(ask.document)
        if completion.reply is None:
            detail = f"The teacher gave no usable answer: {completion.error}"
            self._reject(ask.key, document_hash, reason="request_failed", detail=detail, excerpt=ask.document.text)
            return
        parsed = parse_questions(completion.reply, ask.document, template=ask.prompt.template, num_questions=ask.num_questions)
        for problem in parsed.problems:
            key = ask.key if problem.index is None else f"{ask.key}/{problem.index}"
            self._reject(key, document_hash, reason=problem.reason, detail=problem.detail, excerpt=problem.excerpt)
        self.num_proposed += len(parsed.questions)
        self.examples += [
            self._build_example(ask, question, completion.request_id, document_hash) for question in parsed.questions
        ]

    def _build_example(self, ask: _Ask, question: ParsedQuestion, request: str, document_hash: str) -> Example:
        span = SourceSpan(
            document_key=ask.document.key, document_hash=document_hash, start=question.span[0], end=question.span[1]
        )
        system = (Message(role="system", content=ask.system_prompt),) if ask.system_prompt else ()
        answer = Message(role="assistant", content=ask.answer or question.answer)
        terms = (ask.document.output_terms, self._teacher_config.output_terms)
        return Example(
            key=f"{ask.key}/{question.index}",
            task=ask.method,
            messages=(*system, Message(role="user", content=question.question), answer),
            group=ask.document.group,
            provenance=Provenance(
                origin="synthetic",
                method=ask.method,
                spans=(span,),
                request_ids=(request,),
                template_id=ask.prompt.template.template_id,
                template_hash=ask.prompt.template.template_hash,
                teacher=self._teacher.model,
                teacher_revision=self._teacher.revision,
                sampling=canonical_json(self._parameters),
                generation_depth=1,
                license=ask.document.license,
                output_terms="; ".join(dict.fromkeys(filter(None, terms))),
            ),
        )

    # -- pairs ----------------------------------------------------------------------------------------------------

    def make_pairs(self, examples: Sequence[Example], documents: Sequence[Document]) -> None:
        """Make the planned pairs of all examples, in their order; those that need the teacher come last."""
        planned = [pair for example in examples for pair in plan_pairs(example, self._config)]
        by_document: dict[str, list[PlannedPair]] = {}
        for pair in planned:
            if pair.kind == "ungrounded":
                by_document.setdefault(pair.example.provenance.spans[0].document_key, []).append(pair)
            else:
                self.num_proposed += 1
                self.pairs.append(build_pair(pair, wrong_answer(pair, self._config)))
        asks = [(document, by_document[document.key]) for document in documents if document.key in by_document]
        prompts = [render_ungrounded(document, [_question_line(pair.example) for pair in pairs]) for document, pairs in asks]
        if prompts:
            for (_, pairs), prompt, completion in zip(asks, prompts, self._complete(prompts), strict=True):
                self._read_wrong_answers(pairs, prompt, completion)

    def _read_wrong_answers(self, pairs: list[PlannedPair], prompt: Prompt, completion: Completion) -> None:
        for position, pair in enumerate(pairs):
            try:
                wrong = _wrong_answer_at(completion, position, pair.example.answer)
            except UnusableError as error:
                excerpt = completion.reply.text if completion.reply else ""
                self._reject(pair.key, record_hash(pair.example), reason=error.reason, detail=error.detail, excerpt=excerpt)
                continue
            self.num_proposed += 1
            requests = (*pair.example.provenance.request_ids, completion.request_id)
            template = prompt.template
            self.pairs.append(
                build_pair(
                    pair, wrong, request_ids=requests, template_id=template.template_id, template_hash=template.template_hash
                )
            )


def _question_line(example: Example) -> str:
    return canonical_json({"question": example.prompt[-1].text, "answer": example.answer})


def _wrong_answer_at(completion: Completion, position: int, right: str) -> str:
    if completion.reply is None:
        raise UnusableError("request_failed", f"The teacher gave no usable answer: {completion.error}")
    entries = read_entries(completion.reply, "answers")
    if position >= len(entries) or not isinstance(entries[position], str):
        raise UnusableError("invalid_entry", f"The reply has no answer number {position + 1}.")
    wrong = str(entries[position]).strip()
    check_text(wrong, "answer", 1, MAX_ANSWER_CHARS)
    if wrong.casefold() in right.casefold():
        raise UnusableError("same_as_answer", "The wrong answer says what the right one says.")
    return wrong
