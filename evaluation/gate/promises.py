"""Whether a release can be decided by what the evaluation measures: told when the recipe is read, and not after the training.

check_release(EvaluationConfig(), ReleaseConfig(metric="chrf"))
    ConfigError: release.metric: is not measured on the task 'held_out', but exact_match, json_valid, token_f1 are
"""

from curation.config import check
from evaluation.config import EvaluationConfig
from evaluation.release.config import ReleaseConfig


def check_release(evaluation: EvaluationConfig, release: ReleaseConfig) -> None:
    """Check that every task, metric, slice and opponent that a release names is measured. Raises ConfigError."""
    has_champion = "champion" in evaluation.comparators
    problem = "needs `champion` among `evaluation.comparators`, so that nothing replaces the live model unseen; or say false"
    check(has_champion or not release.against_champion, "release.against_champion", problem, release.against_champion)
    _check_measured(evaluation, "release", release.task, release.metric)
    for position, requirement in enumerate(release.requires):
        at = f"release.requires.{position}"
        _check_measured(evaluation, at, requirement.task, requirement.metric)
        _check_slice(evaluation, at, requirement.task, requirement.slice)
    for position, guard in enumerate(release.guards):
        at = f"release.guards.{position}"
        _check_measured(evaluation, at, guard.task, guard.metric)
        _check_slice(evaluation, at, guard.task, guard.slice)
        problem = "needs `champion` among `evaluation.comparators`"
        check(has_champion or guard.against != "champion", f"{at}.against", problem, guard.against)


def _check_measured(evaluation: EvaluationConfig, at: str, name: str, metric: str) -> None:
    task = evaluation.task(name)
    known = ", ".join(each.name for each in evaluation.all_tasks)
    check(task is not None, f"{at}.task", f"must be a task of `evaluation.tasks` ({known})", name)
    if task is not None:
        problem = f"is not measured on the task '{task.name}', but {', '.join(task.measured)} {_are(task.measured)}"
        check(metric in task.measured, f"{at}.metric", problem, metric)


def _are(names: tuple[str, ...]) -> str:
    return "is" if len(names) == 1 else "are"


def _check_slice(evaluation: EvaluationConfig, at: str, name: str, value: str) -> None:
    task = evaluation.task(name)
    slices = task.slices if task is not None else ()
    problem = f"must be a slice of the task ({', '.join(slices) or 'it names none: set `slices`'})"
    check(not value or value.partition("=")[0] in slices, f"{at}.slice", problem, value)
