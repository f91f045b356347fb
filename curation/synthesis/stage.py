"""What the stage `candidates` does for one shard: opens ledger, budget and models, estimates the cost, generates and judges.

made = make_candidates(home, inputs, CandidateSettings(recipe="sdk_assistant", teachers=(TeacherConfig(),)), print)
made.generated.examples, made.estimate
"""

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from curation.curate.config import CurateConfig
from curation.curate.split import split_of
from curation.filters.rule_config import RuleConfig
from curation.filters.rule_table import check_rows as find_row_problems
from curation.home import Home
from curation.judging.config import JudgeConfig
from curation.judging.judge import Judge
from curation.judging.judgements import Candidate
from curation.records import Document, Example, PreferencePair, Rejection, UnitCalls, VerifiableTask, reject
from curation.synthesis.asking import Session
from curation.synthesis.batch import BatchBackend, BatchConfig, BatchStore, open_batch_store
from curation.synthesis.budget.config import BudgetConfig
from curation.synthesis.budget.guard import Budget, opened_budget
from curation.synthesis.budget.pilot import name_prices, run_pilot
from curation.synthesis.config import GenerateConfig
from curation.synthesis.engine.complete import CallReport, Completion, complete_all
from curation.synthesis.generate import Accept, Generated, generate, wanted_units
from curation.synthesis.ledger.request_ledger import RequestLedger, open_ledger
from curation.synthesis.methods.build import build_methods
from curation.synthesis.methods.method import STAGE, Inputs, Method
from curation.synthesis.sessions import opened_session
from curation.synthesis.teachers.config import TeacherConfig


@dataclass(frozen=True, kw_only=True)
class CandidateSettings:
    """The sections of a recipe that generation reads."""

    recipe: str
    teachers: tuple[TeacherConfig, ...]
    generate: GenerateConfig
    budget: BudgetConfig
    judge: JudgeConfig | None = None
    curate: CurateConfig = CurateConfig()
    """What a row must be to count for a quota, and on which side of the split a group stands."""
    batch: BatchConfig | None = None
    """Ask in batches; None: live."""


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """What generation made of a shard, and what is worth knowing about it."""

    generated: Generated
    calls: tuple[UnitCalls, ...]
    """Which calls were made for what, so that money can be told apart later."""
    estimate: str
    """What the whole shard was expected to cost after the pilot; empty without one."""
    prices: str
    """Where the prices come from, and for whom there are none."""


class _Sessions:
    """Opens sessions that share the ledger and the budget, and adds up what they asked."""

    def __init__(
        self,
        stack: contextlib.ExitStack,
        ledger: RequestLedger,
        budget: Budget,
        settings: CandidateSettings,
        batches: BatchStore | None,
        limits_path: Path,
        on_progress: Callable[[str], None],
    ) -> None:
        self._stack, self._ledger, self._budget, self._tell = stack, ledger, budget, on_progress
        self._settings, self._batches, self._limits_path = settings, batches, limits_path
        self._opened: list[Session] = []

    def open(self, *teachers: TeacherConfig) -> Session:
        """Open a session with one model or several."""
        opened = opened_session(
            teachers,
            self._ledger,
            seed=self._settings.generate.seed,
            on_progress=lambda progress: self._tell(str(progress)),
            budget=self._budget,
            complete=self._completer(teachers),
            shared_limits_path=self._limits_path,
        )
        session = self._stack.enter_context(opened)
        self._opened.append(session)
        return session

    def _completer(self, teachers: tuple[TeacherConfig, ...]) -> Callable[..., list[Completion]]:
        if self._batches is None:
            return complete_all
        return BatchBackend(teachers, self._batches, self._settings.batch, recipe=self._settings.recipe).complete

    def report(self) -> CallReport:
        """Return what all of them asked and paid."""
        return sum((session.report for session in self._opened), CallReport())

    def calls(self) -> tuple[UnitCalls, ...]:
        """Return the calls by what was asked about."""
        found: dict[str, tuple[str, ...]] = {}
        for session in self._opened:
            for key, names in session.asked.items():
                found[key] = tuple(dict.fromkeys((*found.get(key, ()), *names)))
        return tuple(UnitCalls(key=key, request_ids=names) for key, names in sorted(found.items()))


def make_candidates(home: Home, inputs: Inputs, settings: CandidateSettings, on_progress: Callable[[str], None]) -> Candidates:
    """Generate within the budget; an estimate is made after the first rows, before the rest is sent.

    Raises:
        BudgetExhaustedError: the budget is used up; what was paid for is kept, and a higher budget goes on from there.
        UnknownPriceError: the budget is in money and nobody knows what a teacher costs.
        TeacherKeyMissingError, TeacherRefusedError, TeacherUnreachableError: no teacher answers.
        DatabaseError: replies cannot be stored.
    """
    with contextlib.ExitStack() as stack:
        ledger = stack.enter_context(open_ledger(home, recipe=settings.recipe))
        opened = opened_budget(home, settings.budget, recipe=settings.recipe, ledger=ledger)
        budget = stack.enter_context(opened)
        batches = stack.enter_context(contextlib.closing(open_batch_store(home))) if settings.batch is not None else None
        sessions = _Sessions(stack, ledger, budget, settings, batches, home.path / "limits.db", on_progress)
        session = sessions.open(*settings.teachers)
        methods = build_methods(settings.generate, sessions.open, functools.partial(split_of, config=settings.curate))
        estimate = _estimate(methods, inputs, session, ledger, settings.budget.pilot)
        if estimate:
            on_progress(f"expected cost: {estimate}")
        made = generate(
            inputs, config=settings.generate, session=session, methods=methods, accept=_accept_by(settings.curate.rules)
        )
        if settings.judge is not None:
            made = _judge(made, inputs, Judge(settings.judge, sessions.open(settings.judge.teacher)))
        for note in budget.notes:
            on_progress(note)
        made = replace(made, report=sessions.report())
        return Candidates(generated=made, calls=sessions.calls(), estimate=estimate, prices=name_prices(session))


def _estimate(methods: list[Method], inputs: Inputs, session: Session, ledger: RequestLedger, num_pilot: int) -> str:
    if not session.is_model or not num_pilot:
        return ""
    work = [(method, wanted_units(method, inputs)) for method in methods]
    if sum(len(units) for _, units in work) <= num_pilot:
        return ""
    estimate = run_pilot(work, session, ledger, num_pilot=num_pilot, seed=inputs.seed)
    return str(estimate) if estimate is not None else ""


def _accept_by(rules: RuleConfig) -> Accept:
    """Return what lets rows pass that break no rule."""

    def accept(row: Example | PreferencePair | VerifiableTask) -> Rejection | None:
        (problem,) = find_row_problems([row], rules)
        return None if problem is None else reject(row, stage=STAGE, reason=problem.reason, detail=problem.detail)

    return accept


def _judge(made: Generated, inputs: Inputs, judge: Judge) -> Generated:
    """Have every example scored; the votes stand in its provenance as advice, and decide nothing."""
    documents = {document.key: document for document in inputs.documents}
    candidates = [
        Candidate(key=row.key, prompt=row.prompt, answer=row.answer, sources=_sources(row, documents)) for row in made.examples
    ]
    judged = judge.score(candidates)
    scores = [judgement.score for judgement in judged if judgement.score is not None]
    examples = tuple(
        replace(row, provenance=replace(row.provenance, votes=(*row.provenance.votes, *judgement.votes)))
        for row, judgement in zip(made.examples, judged, strict=True)
    )
    figures = {
        "judge: mean score": sum(scores) / len(scores) if scores else 0.0,
        "judge: share without score": 1 - len(scores) / len(judged) if judged else 0.0,
        "judge: flagged": float(sum(judgement.status == "flagged" for judgement in judged)),
    }
    return replace(made, examples=examples, figures={**made.figures, **figures})


def _sources(row: Example, documents: dict[str, Document]) -> tuple[str, ...]:
    """Return the texts that an example rests on: its source documents, each once."""
    keys = dict.fromkeys(span.document_key for span in row.provenance.spans)
    return tuple(documents[key].text for key in keys if key in documents)
