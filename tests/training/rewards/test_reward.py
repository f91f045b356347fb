import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import ConfigError, SandboxUnavailableError, UnknownGraderError
from training.config import RewardConfig, RlConfig, StageConfig
from training.rewards.reward import Answer, build_rewards, grade_answer, length_penalty, total_rewards


def make_answer(text: str, *, reference: str = "18", grader: str = "number", length: int = 3) -> Answer:
    return Answer([1, 2], [5] * length, text, reference, grader)


def test_the_task_names_its_grader_and_a_stage_may_name_another() -> None:
    assert grade_answer(make_answer("It is 18."), "task") == 1.0
    assert grade_answer(make_answer("It is 18."), "exact") == 0.0
    assert grade_answer(make_answer("It is 17."), "task") == 0.0


def test_a_grader_that_does_not_exist_is_named() -> None:
    with pytest.raises(UnknownGraderError, match="telepathy"):
        grade_answer(make_answer("x", grader="telepathy"), "task")


@given(length=st.integers(0, 500), free=st.integers(0, 100), limit=st.integers(1, 300))
def test_longer_never_costs_less(length: int, free: int, limit: int) -> None:
    assert -1 <= length_penalty(length + 1, free, limit) <= length_penalty(length, free, limit) <= 0
    assert length_penalty(min(length, free), free, limit) == 0
    assert length_penalty(free + max(1, limit - free), free, limit) == -1


def test_parts_are_weighed_and_added() -> None:
    stage = StageConfig(
        method="grpo",
        rl=RlConfig(max_new_tokens=20),
        rewards=(RewardConfig(grader="task", weight=2.0), RewardConfig(longer_than=10, weight=0.5)),
    )
    rewards = build_rewards(stage, {}, pad=0)
    assert [reward.name for reward in rewards] == ["grader:task", "length"]
    answers = [make_answer("18", length=5), make_answer("18", length=15), make_answer("17", length=30)]
    assert total_rewards(rewards, answers) == [2.0, 1.75, -0.5]


def test_a_level_of_the_sandbox_that_is_not_there_is_refused_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curation.sandbox.sandbox.find_level", lambda: "plain")
    for level, is_refused in (("strict", True), ("plain", False), (None, False)):
        stage = StageConfig(method="grpo", rl=RlConfig(), rewards=(RewardConfig(grader="code", sandbox=level),))
        with pytest.raises(SandboxUnavailableError) if is_refused else contextlib.nullcontext():
            build_rewards(stage, {}, pad=0)
    with pytest.raises(ConfigError, match="goes with a grader"):
        RewardConfig(longer_than=3, sandbox="strict")


def test_a_share_is_a_reward() -> None:
    wanted = '[{"id": "punctuation:no_comma"}, {"id": "detectable_format:title"}]'
    assert grade_answer(make_answer("No title.", reference=wanted, grader="constraints"), "task") == 0.5


def test_hostile_text_gets_no_reward_and_raises_nothing() -> None:
    for text in ("", "\x00" * 1000, "18" * 100_000, '{"a":' * 5000, "####" * 1000):
        for grader in ("number", "exact", "choice", "json", "regex", "json_schema", "tool_call", "constraints", "code"):
            assert grade_answer(make_answer(text, reference='{"a": 1}'), grader) == 0.0
