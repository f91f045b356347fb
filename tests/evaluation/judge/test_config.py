"""What the section `evaluation.judge` may say."""

from typing import Any

import pytest

from curation.errors import ConfigError
from curation.judging.config import JudgeConfig
from curation.synthesis.teachers.config import TeacherConfig
from evaluation.config import EvaluationConfig
from evaluation.judge.config import PairwiseConfig
from evaluation.tasks.config import TaskConfig
from tests.evaluation.judge.tea_answers import named_judge

LOOSE = JudgeConfig(teacher=TeacherConfig(kind="openai", model="m"), rubric="Is it right?")


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("judges", {"judges": ()}),
        ("judges", {"judges": (named_judge("j"), named_judge("j", rubric="Is it kind?"))}),
        ("judges.0.teacher.revision", {"judges": (LOOSE,), "gates": True}),
        ("judges.0.max_flip_share", {"judges": (named_judge("j", max_flip_share=0.2),), "gates": True}),
        ("judges.0.kappa_floor", {"judges": (named_judge("j", kappa_floor=0.3),), "gates": True}),
        ("judges.0.min_labels", {"judges": (named_judge("j", min_labels=49),), "gates": True}),
        ("against", {"against": {"champion": 0.5}, "gates": True}),
        ("min_pairs", {"min_pairs": 19, "gates": True}),
        ("against", {"against": {}}),
        ("against.candidate", {"against": {"candidate": 0.5}}),
        ("against.base", {"against": {"base": 1.0}}),
        ("tasks", {"tasks": ("qa", "qa")}),
        ("max_pairs", {"max_pairs": 0}),
        ("min_pairs", {"min_pairs": 500}),
        ("max_unjudged_share", {"max_unjudged_share": 1.0}),
        ("max_labels", {"max_labels": 49}),
    ],
)
def test_settings_that_make_no_sense_are_refused(field: str, fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        PairwiseConfig(**{"judges": (named_judge("j"),), **fields})
    assert caught.value.fields["path"] == f"evaluation.judge.{field}"


def test_opponents_have_to_be_asked_as_well() -> None:
    with pytest.raises(ConfigError) as caught:
        EvaluationConfig(judge=PairwiseConfig(judges=(named_judge("j"),), against={"dapt": 0.5}))
    assert caught.value.fields["path"] == "evaluation.judge.against"


def test_tasks_in_which_nothing_is_written_have_no_judge() -> None:
    facts = TaskConfig(name="facts", kind="choice", data="facts.jsonl", scoring="likelihood")
    written = TaskConfig(name="qa")
    EvaluationConfig(tasks=(facts, written), judge=PairwiseConfig(judges=(named_judge("j"),)))
    for tasks, named in (((facts, written), ("facts",)), ((facts,), ())):
        with pytest.raises(ConfigError, match="facts: measure likelihoods"):
            EvaluationConfig(tasks=tasks, judge=PairwiseConfig(judges=(named_judge("j"),), tasks=named))


def test_a_judge_without_a_revision_may_advise_and_is_warned_of() -> None:
    assert "revision" in PairwiseConfig(judges=(LOOSE,)).warnings[0]
    assert PairwiseConfig(judges=(named_judge("j"),), gates=True).warnings == ()


def test_a_judge_that_only_advises_may_be_held_to_less() -> None:
    loose = named_judge("j", max_flip_share=0.5, kappa_floor=0.1, min_labels=5)
    assert PairwiseConfig(judges=(loose,), against={"champion": 0.5}).gates is False
