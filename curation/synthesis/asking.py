"""How a method asks its teachers: many prompts at once, each answered, checked against its schema, and ready for a row.

    session = Session(teachers=[SessionTeacher(config, model)], ledger=ledger, seed=0)
    answers = session.ask([Ask(key="guide/intro#raft", prompt=prompt), ...])       # in order, one answer an ask
    answers[0].value                  the reply's JSON, valid by the template's schema
    answers[0].problem                why there is none, as a reason and a sentence
    answers[0].provenance(method="raft", spans=(span,), generation_depth=1)

A reply that does not fit its schema is sent back once with the fault named; if the second does not fit either, the answer
has a problem, which a method turns into a rejection. Everything asked is in the ledger, so that nothing is paid twice.
"""

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema

from curation.chat_model import ChatModel, ChatReply, ChatRequest
from curation.errors import TeacherKeyMissingError, TeacherRefusedError, TeacherUnreachableError
from curation.ids import canonical_json, stable_fraction
from curation.records import Message, Provenance, Rejection
from curation.synthesis.engine.complete import BudgetGuard, CallReport, Completion, Progress, complete_all, report_calls
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.parse import UnusableError, excerpt_of, find_json
from curation.synthesis.prompts.template import Prompt
from curation.synthesis.teachers.build import sampling_parameters
from curation.synthesis.teachers.config import TeacherConfig

_CORRECTION = """\
That reply cannot be used: {problem}
Reply again with one JSON object that fits this JSON Schema, and with nothing else:
{schema}"""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One thing to ask for."""

    key: str
    """What it is about: the beginning of the keys of the rows that come of it."""
    prompt: Prompt
    sample_index: int = 0
    """Tells several replies to the same prompt apart."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Overrides the recipe's sampling parameters (`temperature`, `max_tokens`), or adds to them (`tools`)."""
    is_lenient: bool = False
    """Leaves it to the method what of the JSON can be used, so that one bad entry does not cost the others; only a reply
    without any JSON is a problem."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of one ask: a reply that can be used, or the problem."""

    ask: Ask
    reply: ChatReply | None
    """The last reply; None if there was none."""
    value: Any = None
    """The JSON of the reply, for templates with a schema."""
    problem: UnusableError | None = None
    request_ids: tuple[str, ...] = ()
    """The calls that led here: one, or two if the first reply was sent back."""
    teacher: str = ""
    teacher_revision: str = ""
    sampling: str = "{}"
    output_terms: str = ""

    @property
    def text(self) -> str:
        """The reply's text without outer white space."""
        return self.reply.text.strip() if self.reply is not None else ""

    def provenance(self, *, method: str, license: str = "", output_terms: Sequence[str] = (), **fields: Any) -> Provenance:
        """Return where a row made of this answer comes from; `fields` are further fields of `Provenance`.

        Args:
            method: name of the method.
            license: licence of what the row was made from.
            output_terms: terms of what the row was made from; the teacher's are added.
            fields: `spans`, `parents`, `generation_depth`, `votes`; `request_ids` are put before this answer's own.
        """
        template = self.ask.prompt.template
        earlier = tuple(fields.pop("request_ids", ()))
        return Provenance(
            origin="synthetic",
            method=method,
            request_ids=(*earlier, *self.request_ids),
            template_id=template.template_id,
            template_hash=template.template_hash,
            teacher=self.teacher,
            teacher_revision=self.teacher_revision,
            sampling=self.sampling,
            license=license,
            output_terms="; ".join(dict.fromkeys(filter(None, (*output_terms, self.output_terms)))),
            **fields,
        )

    def rejection(self, *, stage: str, record_hash: str, problem: UnusableError | None = None, key: str = "") -> Rejection:
        """Say why nothing, or one row less, came of this answer."""
        problem = problem or self.problem
        assert problem is not None
        return Rejection(
            key=key or self.ask.key,
            stage=stage,
            reason=problem.reason,
            detail=problem.detail,
            record_hash=record_hash,
            excerpt=excerpt_of(self.text),
        )


@dataclass(frozen=True, kw_only=True)
class SessionTeacher:
    """A teacher of the recipe, opened."""

    config: TeacherConfig
    model: ChatModel
    weight: float = 1.0
    """Share of the asks that go to it first, relative to the others. 0: only when the others fail."""
    guard: BudgetGuard | None = None
    """What is asked before a request is sent; None: spending has no limit."""


class Session:
    """Asks teachers. Not thread-safe: a method asks in rounds, and the engine works on each round at full width."""

    def __init__(
        self,
        teachers: Sequence[SessionTeacher],
        ledger: RequestLedger,
        *,
        seed: int = 0,
        on_progress: Callable[[Progress], None] | None = None,
        complete: Callable[..., list[Completion]] = complete_all,
        max_corrections: int = 1,
        shared_limits_path: Path | None = None,
    ) -> None:
        assert teachers
        self.teachers = list(teachers)
        self.seed = seed
        self.report = CallReport()
        """What was asked and paid so far."""
        self.asked: dict[str, tuple[str, ...]] = {}
        """The calls made for each key that was asked about, so that their cost can be told apart."""
        self._ledger = ledger
        self._on_progress = on_progress
        self._complete = complete
        self._max_corrections = max_corrections
        self._limits = {} if shared_limits_path is None else {"shared_limits_path": shared_limits_path}
        self._gone: set[int] = set()
        """Teachers that cannot be reached any more."""

    @property
    def is_model(self) -> bool:
        """Whether a language model answers, and not rules."""
        return any(teacher.model.is_model for teacher in self.teachers)

    def ask(self, asks: Sequence[Ask]) -> list[Answer]:
        """Return one answer for each ask, in order.

        Raises:
            TeacherKeyMissingError, TeacherRefusedError, TeacherUnreachableError: no teacher of the recipe answers.
            BudgetExhaustedError: the budget is used up; what was paid for is in the ledger.
            DatabaseError: replies cannot be stored.
        """
        answers: list[Answer | None] = [None] * len(asks)
        waiting = list(range(len(asks)))
        while waiting:
            for number, positions in self._by_teacher(asks, waiting).items():
                for position, answer in zip(positions, self._ask_one(number, [asks[at] for at in positions]), strict=False):
                    answers[position] = answer
            waiting = [position for position in waiting if answers[position] is None]
        done = [answer for answer in answers if answer is not None]
        for answer in done:
            calls = (*self.asked.get(answer.ask.key, ()), *answer.request_ids)
            self.asked[answer.ask.key] = tuple(dict.fromkeys(calls))
        return done

    def _by_teacher(self, asks: Sequence[Ask], waiting: Sequence[int]) -> dict[int, list[int]]:
        """Return which asks go to which teacher: drawn by a stable hash of the key among those that can be reached."""
        chosen: dict[int, list[int]] = {}
        for position in waiting:
            chosen.setdefault(self._choose(asks[position].key), []).append(position)
        return chosen

    def _choose(self, key: str) -> int:
        usable = [number for number in range(len(self.teachers)) if number not in self._gone]
        weighted = [number for number in usable if self.teachers[number].weight > 0]
        if not weighted:
            return usable[0]
        target = stable_fraction(key, f"teacher {self.seed}") * sum(self.teachers[number].weight for number in weighted)
        for number in weighted:
            target -= self.teachers[number].weight
            if target < 0:
                return number
        return weighted[-1]

    def _ask_one(self, number: int, asks: Sequence[Ask]) -> list[Answer]:
        """Ask one teacher; nothing comes back if it cannot be reached and there is another."""
        try:
            return self._ask_and_correct(self.teachers[number], asks)
        except (TeacherKeyMissingError, TeacherRefusedError, TeacherUnreachableError):
            self._gone.add(number)
            if len(self._gone) == len(self.teachers):
                raise
            return []

    def _ask_and_correct(self, teacher: SessionTeacher, asks: Sequence[Ask]) -> list[Answer]:
        requests = [self._request(teacher, ask) for ask in asks]
        answers = self._send(teacher, asks, requests)
        for _ in range(self._max_corrections if teacher.model.is_model else 0):
            wrong = [at for at, answer in enumerate(answers) if answer.reply is not None and _can_be_corrected(answer)]
            if not wrong:
                break
            again = {at: _correction(requests[at], answers[at]) for at in wrong}
            sent = self._send(teacher, [asks[at] for at in wrong], list(again.values()))
            for at, answer in zip(wrong, sent, strict=True):
                if answer.reply is None:
                    continue  # the first reply and its fault stand; the failure is in the report, so that it is asked again
                requests[at] = again[at]
                answers[at] = dataclasses.replace(answer, request_ids=(*answers[at].request_ids, *answer.request_ids))
        return answers

    def _request(self, teacher: SessionTeacher, ask: Ask) -> ChatRequest:
        parameters = {**sampling_parameters(teacher.config, seed=self.seed), **ask.parameters}
        return ChatRequest(
            messages=ask.prompt.messages,
            schema=ask.prompt.template.schema,
            parameters=parameters,
            sample_index=ask.sample_index,
        )

    def _send(self, teacher: SessionTeacher, asks: Sequence[Ask], requests: Sequence[ChatRequest]) -> list[Answer]:
        completions = self._complete(
            requests,
            teacher.model,
            self._ledger,
            concurrency=teacher.config.concurrency,
            max_attempts=teacher.config.max_attempts,
            on_progress=self._on_progress,
            **({} if teacher.guard is None else {"budget": teacher.guard}),
            **self._limits,
        )
        self.report += report_calls(completions)
        stopped = next((item.stopped_by for item in completions if item.stopped_by is not None), None)
        if stopped is not None:
            raise stopped
        return [
            _read(ask, request, completion, teacher)
            for ask, request, completion in zip(asks, requests, completions, strict=True)
        ]


def _read(ask: Ask, request: ChatRequest, completion: Completion, teacher: SessionTeacher) -> Answer:
    value, problem = None, None
    if completion.reply is None:
        problem = UnusableError("request_failed", f"The teacher gave no usable answer: {completion.error}")
    else:
        try:
            value = read_value(completion.reply, ask.prompt.template.schema, is_lenient=ask.is_lenient)
        except UnusableError as error:
            problem = error
    return Answer(
        ask=ask,
        reply=completion.reply,
        value=value,
        problem=problem,
        request_ids=(completion.request_id,),
        teacher=teacher.model.model,
        teacher_revision=teacher.model.revision,
        sampling=canonical_json(request.parameters),
        output_terms=teacher.config.output_terms,
    )


def read_value(reply: ChatReply, schema: dict[str, Any] | None, *, is_lenient: bool = False) -> Any:
    """Return the JSON of a reply, or None where no schema asks for any.

    Raises:
        UnusableError: `empty_reply`, `truncated_reply`, `filtered_reply`, `unparsable_reply` or `wrong_schema`.
    """
    if reply.finish_reason == "content_filter":
        raise UnusableError("filtered_reply", "The endpoint's content filter stopped the reply.")
    if reply.finish_reason == "length":
        raise UnusableError("truncated_reply", "The reply was cut off: raise teacher.max_tokens.")
    if not reply.text.strip() and not reply.tool_calls:
        raise UnusableError("empty_reply", f"The teacher returned no text (finish reason '{reply.finish_reason[:40]}').")
    if schema is None:
        return None
    try:
        value = find_json(reply.text)
    except ValueError as error:
        raise UnusableError("unparsable_reply", f"The reply holds no JSON ({error}).") from error
    fault = None if is_lenient else next(_validator(canonical_json(schema)).iter_errors(value), None)
    if fault is not None:
        where = "/".join(str(part) for part in fault.absolute_path) or "the reply"
        raise UnusableError("wrong_schema", f"At {where[:100]}: {fault.message[:200]}")
    return value


@functools.lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    return jsonschema.Draft202012Validator(json.loads(schema))


def _can_be_corrected(answer: Answer) -> bool:
    return answer.problem is not None and answer.problem.reason in ("unparsable_reply", "wrong_schema")


def _correction(request: ChatRequest, answer: Answer) -> ChatRequest:
    """Return the request that sends a reply back with its fault."""
    assert answer.problem is not None
    text = _CORRECTION.format(problem=answer.problem.detail, schema=canonical_json(request.schema))
    turns = (Message(role="assistant", content=answer.text[:20_000]), Message(role="user", content=text))
    return dataclasses.replace(request, messages=(*request.messages, *turns))
