"""The teacher as a comparator: it is asked the items of all tasks through the ledger, within the recipe's budget."""

from collections.abc import Callable, Sequence
from typing import Any

from assets.answer_tables import AnswerTables
from assets.recipe import Recipe
from curation.home import Home
from curation.ids import content_hash
from curation.synthesis.ask_prompts import ask_prompts
from curation.synthesis.engine.complete import Completion, report_calls
from evaluation.answering.endpoint import timed, tool_parameters
from evaluation.answering.spec import TEACHER, plan_tasks
from evaluation.answering.teacher import as_teacher_answers
from evaluation.records import EvalItem


def add_teacher_answers(
    recipe: Recipe, home: Home, answered: AnswerTables, items: Sequence[EvalItem], log: Callable[[str], None]
) -> tuple[AnswerTables, dict[str, Any]]:
    """Return the tables of answers with those of the teacher, and what they cost; what it does not answer says why."""
    teacher = recipe.all_teachers[0]
    ways = {task.name: task.way for task in plan_tasks(recipe.evaluation)}
    asked = [item for item in items if ways[item.task] == "generation"]
    completions = ask_prompts(
        home,
        [item.prompt for item in asked],
        teacher,
        recipe.budget,
        recipe=recipe.name,
        seed=recipe.evaluation.seed,
        more=[tool_parameters(item.tools) for item in asked],
        timed=timed,
        on_progress=log,
    )
    replies = {item.key: completion for item, completion in zip(asked, completions, strict=True)}
    model_hash = content_hash({TEACHER: teacher.label, "revision": teacher.revision})
    given = {key: (each.reply, _why(each)) for key, each in replies.items()}
    tables = answered.extended(home.store(), *as_teacher_answers(items, given, model_hash))
    report = report_calls(completions)
    facts = {"generated_teacher": report.num_calls, "teacher_cost_usd": report.cost_usd, "teacher_failures": report.num_failed}
    return tables, facts


def _why(completion: Completion) -> str:
    return "the budget is used up" if completion.is_stopped else completion.error or ""
