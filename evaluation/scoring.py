"""From answers to scores: every answer by every metric of its task.

scored = score_all(answers, items, config)
scored.scores[0]        Score(key="candidate/faq/12#exact_match", metric="exact_match", value=1.0, ...)
scored.failures         (Failure(answer="base/faq/7", grader="code", error="ValueError: ..."),): each of them scored 0

Answers are hostile input: nothing that a model writes stops the scoring of the others.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from curation.errors import EvaluationError, SandboxUnavailableError
from curation.graders.code import Patience
from evaluation.config import EvaluationConfig
from evaluation.records import EvalAnswer, EvalItem, Score
from evaluation.tasks.config import TaskConfig
from evaluation.tasks.measures import BUSY_MACHINE, Measures, measure_answer, worst_measures
from evaluation.tasks.text_metrics import canonical_answer, exact_match, json_valid, token_f1

__all__ = [
    "Failure",
    "Scored",
    "canonical_answer",
    "exact_match",
    "json_valid",
    "score_all",
    "score_answers",
    "token_f1",
    "values_of",
]
WORST_LOG_LOSS = 100.0
"""Nats a byte, for a text whose likelihood could not be measured: more than any vocabulary's guess."""
MAX_LOG_LIKELIHOOD = 1e-3
"""Rounding may put the likelihood of what is certain a little above 0."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An answer that was not given or could not be graded, and so scores 0."""

    answer: str
    """Key of the answer."""
    grader: str
    """Kind of the task; `answering` if there was no answer to grade."""
    error: str


@dataclass(frozen=True, kw_only=True)
class Scored:
    """All scores, and what could not be graded."""

    scores: tuple[Score, ...]
    """Sorted by key."""
    failures: tuple[Failure, ...]


def score_answers(
    answers: Iterable[EvalAnswer], items: Iterable[EvalItem] = (), config: EvaluationConfig | None = None
) -> list[Score]:
    """Return the scores of all answers, sorted by key; see `score_all`."""
    return list(score_all(answers, items, config).scores)


def score_all(
    answers: Iterable[EvalAnswer],
    items: Iterable[EvalItem] = (),
    config: EvaluationConfig | None = None,
    *,
    patience: Patience = BUSY_MACHINE,
) -> Scored:
    """Score every answer on every metric of its task.

    Args:
        answers: of any comparators and tasks.
        items: the items asked; only tasks with choices or sources need them.
        config: names the tasks; the default is the task of held-out rows.
        patience: how much longer code may run that met its limit of time.

    Raises:
        EvaluationError: an answer belongs to a task that the config does not name.
        SandboxUnavailableError: code has to be run, and this machine may not.
    """
    tasks = {task.name: task for task in (config or EvaluationConfig()).all_tasks}
    by_key = {item.key: item for item in items}
    scores: list[Score] = []
    failures: list[Failure] = []
    for answer in answers:
        task = tasks.get(answer.task)
        if task is None:
            raise EvaluationError(
                reason=f"answer '{answer.key}' belongs to the task '{answer.task}', which the recipe has not."
            )
        item = by_key.get(answer.item_key) or _item_of(answer)
        measures, failure = _measure(answer, item, task, patience)
        failures += [failure] if failure else []
        scores += _as_scores(answer, measures)
    by_answer = sorted(failures, key=lambda failure: failure.answer)
    return Scored(scores=tuple(sorted(scores, key=lambda score: score.key)), failures=tuple(by_answer))


def values_of(scores: Iterable[Score], metric: str) -> dict[str, float]:
    """Return the values of one metric by the keys of the answers."""
    return {score.key.removesuffix(f"#{metric}"): score.value for score in scores if score.metric == metric}


def _measure(answer: EvalAnswer, item: EvalItem, task: TaskConfig, patience: Patience) -> tuple[Measures, Failure | None]:
    if answer.error:
        return _worst(item, task), Failure(answer=answer.key, grader="answering", error=answer.error)
    strange = [value for value in answer.log_likelihoods if not -math.inf < value < MAX_LOG_LIKELIHOOD]
    if strange:  # what is not a number would pass for the best loss that there is
        found = f"{strange[0]} is no log-likelihood"
        return _worst(item, task), Failure(answer=answer.key, grader="answering", error=found)
    try:
        return measure_answer(answer, item, task, patience), None
    except SandboxUnavailableError:
        raise
    except Exception as error:
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
        return _worst(item, task), Failure(answer=answer.key, grader=task.kind, error=text)


def _worst(item: EvalItem, task: TaskConfig) -> Measures:
    worst = worst_measures(item, task)
    return {name: each._replace(value=WORST_LOG_LOSS) if name == "log_loss" else each for name, each in worst.items()}


def _item_of(answer: EvalAnswer) -> EvalItem:
    """Return the item of an answer as far as the answer knows it: its reference."""
    return EvalItem(key=answer.item_key, task=answer.task, prompt=(), reference=answer.reference, group=answer.group)


def _as_scores(answer: EvalAnswer, measures: Measures) -> list[Score]:
    return [
        Score(
            key=f"{answer.key}#{metric}",
            comparator=answer.comparator,
            task=answer.task,
            item_key=answer.item_key,
            group=answer.group,
            metric=metric,
            value=each.value,
            weight=each.weight,
            label=each.label,
            predicted=each.predicted,
        )
        for metric, each in measures.items()
    ]
