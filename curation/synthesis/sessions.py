"""From the teachers of a recipe to a session that methods ask through.

with opened_session(recipe.teachers, ledger, seed=0, on_progress=print, budget=budget) as session:
made = method.make(method.plan(inputs), session)
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from curation.synthesis.asking import Session, SessionTeacher
from curation.synthesis.budget.guard import Budget
from curation.synthesis.engine.complete import Completion, Progress, complete_all
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.teachers.build import opened_teacher
from curation.synthesis.teachers.config import TeacherConfig, check_teachers


@contextlib.contextmanager
def opened_session(
    configs: Sequence[TeacherConfig],
    ledger: RequestLedger,
    *,
    seed: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
    budget: Budget | None = None,
    complete: Callable[..., list[Completion]] = complete_all,
    shared_limits_path: Path | None = None,
) -> Iterator[Session]:
    """Open the teachers for the time of a block; their connections are closed afterwards.

    Args:
        configs: one teacher or several; their weights and their order say who is asked first and who next.
        ledger: where replies are looked up and stored.
        seed: seed of sampling and of the choice among teachers.
        on_progress: told how far each round is.
        budget: what may be spent; asking raises BudgetExhaustedError once that is used up.
        complete: what answers a round: `complete_all`, or that of a batch backend.
        shared_limits_path: file through which processes share the limits of endpoints; None: they do not.

    Raises:
        ConfigError: the teachers do not fit together.
        UnknownPriceError: the budget is in money and nobody knows what a teacher costs.
    """
    check_teachers(configs)
    with contextlib.ExitStack() as stack:
        teachers = [
            SessionTeacher(
                config=config,
                model=stack.enter_context(opened_teacher(config)),
                weight=config.weight,
                guard=budget.guard(config) if budget is not None else None,
            )
            for config in configs
        ]
        yield Session(
            teachers, ledger, seed=seed, on_progress=on_progress, complete=complete, shared_limits_path=shared_limits_path
        )
