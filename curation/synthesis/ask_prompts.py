"""Plain prompts for a teacher, through the ledger and within the budget: what an evaluation asks it.

completions = ask_prompts(home, prompts, teacher, budget, recipe="faq", on_progress=print)
completions[0].reply.text
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from curation.chat_model import ChatModel, ChatRequest
from curation.home import Home
from curation.records import Message
from curation.synthesis.budget.config import BudgetConfig
from curation.synthesis.budget.guard import opened_budget
from curation.synthesis.engine.complete import Completion, complete_all
from curation.synthesis.ledger.request_ledger import open_ledger
from curation.synthesis.teachers.build import opened_teacher, sampling_parameters
from curation.synthesis.teachers.config import TeacherConfig


def ask_prompts(
    home: Home,
    prompts: Sequence[tuple[Message, ...]],
    teacher: TeacherConfig,
    budget: BudgetConfig,
    *,
    recipe: str,
    seed: int = 0,
    more: Sequence[Mapping[str, Any]] = (),
    timed: Callable[[ChatModel], ChatModel] = lambda model: model,
    on_progress: Callable[[str], None],
) -> list[Completion]:
    """Return one completion a prompt, in order; what was asked before is read from the ledger and costs nothing.

    Args:
        home: where ledger and budget are.
        prompts: conversations that end with a question.
        teacher: whom to ask, with its sampling parameters.
        budget: what may be spent over all runs of the recipe; when it is used up, the rest comes back with `is_stopped`.
        recipe: whose spending it is.
        seed: of the sampling.
        more: further parameters of each prompt, such as the `tools` that a reply may call; none for none.
        timed: wraps the model, for whoever wants to know how long replies take.
        on_progress: told how far it is.

    Raises:
        TeacherKeyMissingError, TeacherRefusedError, TeacherUnreachableError: the teacher does not answer.
        UnknownPriceError: the budget is in money and nobody knows what the teacher costs.
        DatabaseError: replies cannot be stored.
    """
    parameters = sampling_parameters(teacher, seed=seed)
    requests = [
        ChatRequest(messages=prompt, parameters={**parameters, **own})
        for prompt, own in zip(prompts, more or [{}] * len(prompts), strict=True)
    ]
    with (
        open_ledger(home, recipe=recipe) as ledger,
        opened_budget(home, budget, recipe=recipe, ledger=ledger) as opened,
        opened_teacher(teacher) as model,
    ):
        return complete_all(
            requests,
            timed(model),
            ledger,
            concurrency=teacher.concurrency,
            max_attempts=teacher.max_attempts,
            on_progress=lambda progress: on_progress(str(progress)),
            budget=opened.guard(teacher),
            shared_limits_path=home.path / "limits.db",
        )
