"""One judge or several, opened on the ledger and the budget of a recipe, and heard to the end even if one of them stops.

    with opened_jury(home, (config,), recipe="faq", budget=recipe.budget, on_progress=print) as jury:
        heard = jury[0].compare(pairs)
        heard.judgements, heard.stopped            one judgement a pair, ""

What a judge has answered is in the ledger before anybody uses it, so that a judge that stops half-way (no key, no contact, no
money left) loses nothing: the pairs that it answered are judged, the others have failed, and `stopped` says why. Asking again
goes on from there. `stored_jury` asks nobody: it reads the ledger only, by which anybody can see what the judges really said.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from curation.chat_model import ChatModel, ChatRequest, request_id
from curation.errors import BudgetExhaustedError, TeacherKeyMissingError, TeacherRefusedError, TeacherUnreachableError
from curation.home import Home
from curation.judging.config import JudgeConfig
from curation.judging.judge import Judge
from curation.judging.judgements import CandidatePair, PairJudgement
from curation.synthesis.asking import Session, SessionTeacher
from curation.synthesis.budget.config import BudgetConfig
from curation.synthesis.budget.guard import opened_budget
from curation.synthesis.engine.complete import CallReport, Completion, Progress
from curation.synthesis.ledger.request_ledger import RequestLedger, open_ledger
from curation.synthesis.sessions import opened_session

Tell = Callable[[str], None]
NOT_ASKED = "it was never answered"
_STOPPING = (BudgetExhaustedError, TeacherKeyMissingError, TeacherRefusedError, TeacherUnreachableError)


class Heard(NamedTuple):
    """What a judge said of some pairs."""

    judgements: list[PairJudgement]
    """One a pair, in order."""
    stopped: str
    """Why it stopped half-way, in a sentence; empty if it did not."""


class Juror:
    """A judge that can be asked, and can be read again from the ledger."""

    def __init__(self, config: JudgeConfig, session: Session | None, stored: Session, names: Sequence[str] = ()) -> None:
        """Take two sessions with the same model.

        Args:
            config: the rubric.
            session: asks the model; None: nobody is asked.
            stored: reads the ledger only.
            names: names that the writers of the answers go by; the judge does not see them.
        """
        self.config = config
        self._session = session
        self._asking = None if session is None else Judge(config, session, names=names)
        self._stored = Judge(config, stored, names=names)
        self._stopped = ""

    @property
    def report(self) -> CallReport:
        """What was asked and paid so far."""
        return CallReport() if self._session is None else self._session.report

    def compare(self, pairs: Sequence[CandidatePair]) -> Heard:
        """Return a judgement of each pair; a judge that has stopped once is not asked again.

        Raises:
            DatabaseError: replies cannot be stored or read.
        """
        if self._asking is not None and not self._stopped:
            try:
                return Heard(self._asking.compare(pairs), "")
            except _STOPPING as error:
                self._stopped = str(error)
        return Heard(self._stored.compare(pairs), self._stopped)


def answer_from_ledger(
    requests: Sequence[ChatRequest], teacher: ChatModel, ledger: RequestLedger, **_: Any
) -> list[Completion]:
    """Return stored replies only, in the place of `complete_all`; what has none counts as failed."""
    names = [request_id(teacher, request) for request in requests]
    found = ledger.get_many(sorted(set(names)))
    return [
        Completion(request_id=name, reply=found.get(name), is_cached=True, error="" if name in found else NOT_ASKED)
        for name in names
    ]


def build_juror(
    config: JudgeConfig, model: ChatModel, ledger: RequestLedger, *, seed: int = 0, names: Sequence[str] = ()
) -> Juror:
    """Return a juror with a model of one's own, without a budget: for tests and benchmarks."""
    teachers = [SessionTeacher(config=config.teacher, model=model)]
    stored = Session(teachers, ledger, seed=seed, complete=answer_from_ledger)
    return Juror(config, Session(teachers, ledger, seed=seed), stored, names)


@contextlib.contextmanager
def opened_jury(
    home: Home,
    configs: Sequence[JudgeConfig],
    *,
    recipe: str,
    budget: BudgetConfig,
    seed: int = 0,
    names: Sequence[str] = (),
    on_progress: Tell = lambda _: None,
) -> Iterator[list[Juror]]:
    """Open judges for the time of a block; they spend the recipe's budget, and their replies are booked on it.

    Raises:
        UnknownPriceError: the budget is in money and nobody knows what a judge costs.
        DatabaseError: a database cannot be used.
    """
    with contextlib.ExitStack() as stack:
        ledger = stack.enter_context(open_ledger(home, recipe=recipe))
        money = stack.enter_context(opened_budget(home, budget, recipe=recipe, ledger=ledger))
        jury = []
        for config in configs:
            session = stack.enter_context(
                opened_session(
                    (config.teacher,),
                    ledger,
                    seed=seed,
                    on_progress=_telling(on_progress, config.teacher.label),
                    budget=money,
                    shared_limits_path=home.path / "limits.db",
                )
            )
            jury.append(Juror(config, session, stack.enter_context(_stored(config, ledger, seed)), names))
        yield jury
        for note in money.notes:
            on_progress(note)


@contextlib.contextmanager
def stored_jury(
    home: Home, configs: Sequence[JudgeConfig], *, seed: int = 0, names: Sequence[str] = ()
) -> Iterator[list[Juror]]:
    """Open judges that are never asked: what they say comes from the ledger. Raises DatabaseError."""
    with contextlib.ExitStack() as stack:
        ledger = stack.enter_context(open_ledger(home))
        yield [Juror(config, None, stack.enter_context(_stored(config, ledger, seed)), names) for config in configs]


def _telling(on_progress: Tell, label: str) -> Callable[[Progress], None]:
    return lambda progress: on_progress(f"judge {label}: {progress}")


def _stored(config: JudgeConfig, ledger: RequestLedger, seed: int) -> contextlib.AbstractContextManager[Session]:
    return opened_session((config.teacher,), ledger, seed=seed, complete=answer_from_ledger)
