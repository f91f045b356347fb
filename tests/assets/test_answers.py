"""What starts the answering stage anew, and what does not."""

from dataclasses import replace
from typing import Any

import dagster as dg
import pytest

from assets import answers
from assets.recipe import Recipe
from assets.scores import build as build_evaluation
from curation.ingest.config import SourceConfig
from curation.judging.config import JudgeConfig
from curation.synthesis.teachers.config import TeacherConfig
from evaluation.config import EvaluationConfig
from evaluation.judge.config import PairwiseConfig
from evaluation.tasks.config import TaskConfig

MAIN, TASK = TaskConfig(name="main"), TaskConfig(name="route", kind="classification")
SECTION = EvaluationConfig(tasks=(MAIN, TASK))
RECIPE = Recipe(
    name="toy", sources=(SourceConfig(name="faq", kind="files", path="faq.jsonl", role="demonstrations"),), evaluation=SECTION
)


def judged(rubric: str) -> PairwiseConfig:
    teacher = TeacherConfig(kind="openai", model="judge", base_url="http://127.0.0.1:9/v1")
    return PairwiseConfig(judges=(JudgeConfig(teacher=teacher, rubric=rubric),))


def versions(section: EvaluationConfig) -> dict[str, str | None]:
    assets: list[dg.AssetsDefinition] = build_evaluation(replace(RECIPE, evaluation=section))
    return {key.path[-1]: version for each in assets for key, version in each.code_versions_by_key.items()}


@pytest.mark.parametrize(
    "change",
    [
        {"judge": judged("Is it right?")},
        {"confidence": 0.9},
        {"bootstrap_samples": 300},
        {"gpu_usd_per_hour": 2.0},
        {
            "tasks": (
                MAIN,
                replace(TASK, metrics=("accuracy",)),
            )
        },
        {
            "tasks": (
                MAIN,
                replace(TASK, area="words", labels=("a", "b")),
            )
        },
    ],
)
def test_what_changes_no_answer_asks_nobody_again_but_is_another_comparison(change: dict[str, Any]) -> None:
    before, after = versions(SECTION), versions(replace(SECTION, **change))
    assert before["answers"] == after["answers"]
    assert before["comparison"] != after["comparison"]


@pytest.mark.parametrize(
    "change",
    [
        {"max_items": 9},
        {"max_new_tokens": 9},
        {"shots": 1},
        {"seed": 4},
        {"engine": "vllm"},
        {"comparators": ("base", "candidate", "champion")},
        {
            "tasks": (
                MAIN,
                replace(TASK, slices=("length",)),
            )
        },
        {
            "tasks": (
                MAIN,
                replace(TASK, kind="text"),
            )
        },
        {"tasks": (MAIN, TASK, replace(TASK, name="again"))},
    ],
)
def test_what_changes_items_or_answers_does(change: dict[str, Any]) -> None:
    assert versions(SECTION)["answers"] != versions(replace(SECTION, **change))["answers"]


def test_what_is_named_as_not_about_answers_is_a_setting() -> None:
    assert set(EvaluationConfig.__dataclass_fields__) >= answers.NOT_ABOUT_ANSWERS
