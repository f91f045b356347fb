"""What a rubric may say, and what is warned of."""

from typing import Any

import pytest

from curation.errors import ConfigError
from curation.judging.config import Criterion, JudgeConfig
from curation.synthesis.teachers.config import TeacherConfig
from tests.curation.judging.ruled_judge import TEACHER, judge_config

COLD = TeacherConfig(kind="openai", model="j", temperature=0.0)


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("teacher.kind", {"teacher": TeacherConfig()}),
        ("rubric", {"rubric": " "}),
        ("votes", {"votes": 2}),
        ("votes", {"votes": 3, "temperature": 0.0}),
        ("votes", {"votes": 3, "teacher": COLD}),
        ("highest", {"highest": 1}),
        ("approve_from", {"approve_from": 6.0}),
        ("kappa_floor", {"kappa_floor": 1.5}),
        ("max_flip_share", {"max_flip_share": -0.1}),
        ("criteria", {"criteria": (Criterion(name="a", text="x"), Criterion(name="a", text="y"))}),
        ("criteria.a.anchors", {"criteria": (Criterion(name="a", text="x", anchors={9: "z"}),)}),
    ],
)
def test_settings_that_make_no_sense_are_refused(field: str, fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        judge_config(**fields)
    assert caught.value.fields["path"] == field


def test_a_judge_without_a_revision_is_warned_of() -> None:
    assert judge_config().warnings == ()
    loose = JudgeConfig(teacher=COLD, rubric="Is it right?")
    assert "revision" in loose.warnings[0]


def test_another_rubric_has_another_hash() -> None:
    plain = judge_config()
    assert plain.rubric_hash == judge_config(votes=3, teacher=TEACHER).rubric_hash
    assert plain.rubric_hash != judge_config(rubric="Is it kind?").rubric_hash
    assert plain.rubric_hash != judge_config(highest=7).rubric_hash
