"""A served model as a comparator: it is asked the items of all tasks where it is, and its answers are kept in the ledger."""

from collections.abc import Callable, Sequence
from typing import Any

from assets.answer_tables import AnswerTables
from assets.recipe import Recipe
from curation.home import Home
from curation.ids import content_hash
from curation.synthesis.ledger.request_ledger import open_ledger
from evaluation.answering.as_answer import as_answer, as_timing
from evaluation.answering.cache import Given
from evaluation.answering.endpoint import answer_items
from evaluation.answering.generated import Generated
from evaluation.answering.spec import ENDPOINT, plan_tasks
from evaluation.records import EvalAnswer, EvalItem


def add_endpoint_answers(
    recipe: Recipe, home: Home, answered: AnswerTables, items: Sequence[EvalItem], log: Callable[[str], None]
) -> tuple[AnswerTables, dict[str, Any]]:
    """Return the tables of answers with those of the endpoint, and what came of it; what has no answer says why."""
    settings = recipe.evaluation
    assert settings.endpoint is not None, "checked with the comparators"
    with open_ledger(home, recipe=recipe.name) as ledger:
        run = answer_items(
            settings.endpoint,
            items,
            plan_tasks(settings),
            ledger=ledger,
            seed=settings.seed,
            on_progress=lambda progress: log(f"{ENDPOINT}: {progress}"),
        )
    facts = {"generated_endpoint": run.num_calls, "endpoint_cost_usd": run.cost_usd, "endpoint_failures": run.num_failed}
    model = {ENDPOINT: [settings.endpoint.base_url, settings.endpoint.model], "revision": settings.endpoint.revision}
    answers = [_answer(content_hash(model), item, run.answers[item.key]) for item in items]
    timings = [as_timing(ENDPOINT, item, _given(run.answers[item.key])) for item in items]
    return answered.extended(home.store(), answers, timings), facts


def _answer(model_hash: str, item: EvalItem, answer: Generated) -> EvalAnswer:
    return as_answer(ENDPOINT, model_hash, item, _given(answer), cost_usd=answer.cost_usd, error=answer.error)


def _given(answer: Generated) -> Given:
    return Given(answer.text, answer.num_tokens, answer.num_prompt_tokens, answer.latency_s)
