"""What the stage `candidates` does for one shard: opens ledger, budget and teachers, estimates the cost, and generates.

made = make_candidates(home, documents, demonstrations, recipe="sdk_assistant", teachers=(TeacherConfig(),),
                       generate_config=recipe.generate, budget_config=BudgetConfig(), on_progress=print)
made.generated.examples, made.estimate
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from curation.home import Home
from curation.records import Document, Example, UnitCalls
from curation.synthesis.asking import Session
from curation.synthesis.budget.config import BudgetConfig
from curation.synthesis.budget.guard import opened_budget
from curation.synthesis.budget.pilot import name_prices, run_pilot
from curation.synthesis.config import GenerateConfig
from curation.synthesis.generate import Generated, generate
from curation.synthesis.ledger import RequestLedger, open_ledger
from curation.synthesis.methods.build import build_methods
from curation.synthesis.methods.method import Inputs
from curation.synthesis.sessions import opened_session
from curation.synthesis.teacher_config import TeacherConfig


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


def make_candidates(
    home: Home,
    documents: Sequence[Document],
    demonstrations: Sequence[Example],
    *,
    recipe: str,
    teachers: Sequence[TeacherConfig],
    generate_config: GenerateConfig,
    budget_config: BudgetConfig,
    on_progress: Callable[[str], None],
) -> Candidates:
    """Generate within the budget; an estimate is made after the first rows, before the rest is sent.

    Raises:
        BudgetExhaustedError: the budget is used up; what was paid for is kept, and a higher budget goes on from there.
        UnknownPriceError: the budget is in money and nobody knows what a teacher costs.
        TeacherKeyMissingError, TeacherRefusedError, TeacherUnreachableError: no teacher answers.
        DatabaseError: replies cannot be stored.
    """
    with (
        open_ledger(home, recipe=recipe) as ledger,
        opened_budget(home, budget_config, recipe=recipe, ledger=ledger) as budget,
        opened_session(
            teachers,
            ledger,
            seed=generate_config.seed,
            on_progress=lambda progress: on_progress(str(progress)),
            budget=budget,
        ) as session,
    ):
        inputs = Inputs(documents=documents, examples=demonstrations, seed=generate_config.seed)
        estimate = _estimate(generate_config, inputs, session, ledger, budget_config.pilot) if session.is_model else ""
        if estimate:
            on_progress(f"expected cost: {estimate}")
        made = generate(documents, demonstrations, config=generate_config, session=session)
        for note in budget.notes:
            on_progress(note)
        calls = tuple(UnitCalls(key=key, request_ids=names) for key, names in sorted(session.asked.items()))
        return Candidates(generated=made, calls=calls, estimate=estimate, prices=name_prices(session))


def _estimate(config: GenerateConfig, inputs: Inputs, session: Session, ledger: RequestLedger, num_pilot: int) -> str:
    work = [(method, method.plan(inputs)) for method in build_methods(config)]
    if not num_pilot or sum(len(units) for _, units in work) <= num_pilot:
        return ""
    estimate = run_pilot(work, session, ledger, num_pilot=num_pilot, seed=config.seed)
    return str(estimate) if estimate is not None else ""
