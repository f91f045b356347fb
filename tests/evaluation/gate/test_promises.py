"""A release that the evaluation cannot decide is refused when the recipe is read."""

from pathlib import Path

import pytest

from curation.errors import ConfigError, RecipeError
from evaluation.config import EvaluationConfig
from evaluation.gate.promises import check_release
from evaluation.release.config import ReleaseConfig
from evaluation.release.requirements import GuardConfig, RequirementConfig
from evaluation.tasks.config import TaskConfig
from pipelines.recipe import load_recipe
from tests.pipelines.toy_recipe import write_toy

TASKS = (
    TaskConfig(name="route", kind="classification", slices=("topic",)),
    TaskConfig(name="sums", kind="number", data="x.jsonl"),
)
CONFIG = EvaluationConfig(tasks=TASKS)
MORE = """
evaluation:
  comparators: [base, base_retrieval, candidate, candidate_retrieval, champion]
  gpu_usd_per_hour: 2.5
  tasks:
    - {name: route, kind: classification, slices: [topic, length]}
    - {name: sums, kind: number, data: "sums/*.jsonl", max_items: 50, max_new_tokens: 128, area: arithmetic}
release:
  metric: accuracy
  requires: [{metric: macro_f1, minimum_difference: 0.02}]
  guards: [{metric: accuracy, slice: topic, margin: 0.1}, {metric: accuracy, task: sums, against: champion}]
"""


@pytest.mark.parametrize(
    ("release", "told"),
    [
        (ReleaseConfig(), "is not measured on the task 'route', but accuracy, macro_f1 are"),
        (ReleaseConfig(metric="accuracy", task="other"), r"must be a task of `evaluation.tasks` \(route, sums\)"),
        (ReleaseConfig(metric="accuracy", guards=(GuardConfig(metric="chrf", task="sums"),)), "but accuracy is"),
        (
            ReleaseConfig(metric="accuracy", guards=(GuardConfig(metric="accuracy", slice="colour"),)),
            r"a slice of the task \(topic\)",
        ),
        (
            ReleaseConfig(metric="accuracy", requires=(RequirementConfig(metric="accuracy", task="sums", slice="a=b"),)),
            "it names none",
        ),
    ],
)
def test_what_is_not_measured_decides_nothing(release: ReleaseConfig, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        check_release(CONFIG, release)


def test_what_is_measured_is_accepted() -> None:
    guards = (GuardConfig(metric="macro_f1", slice="topic=a"), GuardConfig(metric="accuracy", task="sums"))
    check_release(CONFIG, ReleaseConfig(metric="accuracy", guards=guards))
    check_release(EvaluationConfig(), ReleaseConfig())


def test_the_live_model_is_among_the_opponents_or_the_recipe_says_that_it_is_not() -> None:
    alone = EvaluationConfig(comparators=("base", "candidate"))
    with pytest.raises(ConfigError, match="release.against_champion.*so that nothing replaces the live model unseen"):
        check_release(alone, ReleaseConfig())
    check_release(alone, ReleaseConfig(against_champion=False))
    guards = (GuardConfig(metric="exact_match", against="champion"),)
    with pytest.raises(ConfigError, match=r"release.guards.0.against.*needs `champion`"):
        check_release(alone, ReleaseConfig(against_champion=False, guards=guards))


def test_tasks_and_guards_are_read_from_a_recipe(tmp_path: Path) -> None:
    recipe = load_recipe(write_toy(tmp_path, MORE))
    assert [task.name for task in recipe.evaluation.all_tasks] == ["route", "sums"]
    assert recipe.evaluation.task("sums").max_new_tokens == 128  # type: ignore[union-attr]
    assert [guard.against for guard in recipe.release.guards] == ["base", "champion"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("metric: accuracy\n", "metric: exact_match\n", "is not measured on the task 'route'"),
        ("kind: number", "kind: numbr", "'evaluation.tasks[1].kind'"),
        ("area:", "aera:", "did you mean"),
        ("base_retrieval,", "base_retrieval, teacher,", "an extractive one answers no questions"),
        (", champion]", "]", "needs `champion` among `evaluation.comparators`"),
    ],
)
def test_mistakes_in_tasks_name_their_place(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(write_toy(tmp_path, MORE.replace(old, new)))
    assert told in str(caught.value)
