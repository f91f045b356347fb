"""Every method, with all weights and with adapters, makes a model better on questions that it never saw."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.training.methods.two_words import (
    LORA,
    NUM_HELD_OUT,
    QUICK,
    World,
    answer_logps,
    margins,
    p_value,
    prompt_of,
    right_of,
    wrong_of,
)
from training.config import (
    DistillationConfig,
    KtoConfig,
    OrpoConfig,
    PpoConfig,
    PreferenceConfig,
    RewardConfig,
    RlConfig,
    StageConfig,
)

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow, pytest.mark.gpu]
"""The libraries warn about each other."""

RL = RlConfig(max_new_tokens=8, kl_coefficient=0.02)
GROUPED = replace(RL, num_generations=8)
STAGES: dict[str, StageConfig] = {
    "sft": StageConfig(method="sft", max_steps=30, learning_rate=0.005, **QUICK),
    "dpo": StageConfig(method="dpo", max_steps=20, learning_rate=0.002, **QUICK),
    "ipo": StageConfig(method="dpo", preference=PreferenceConfig(loss="ipo"), max_steps=30, learning_rate=0.002, **QUICK),
    "simpo": StageConfig(method="dpo", preference=PreferenceConfig(loss="simpo"), max_steps=20, learning_rate=0.002, **QUICK),
    "orpo": StageConfig(method="orpo", orpo=OrpoConfig(odds_weight=1.0), max_steps=30, learning_rate=0.003, **QUICK),
    "kto": StageConfig(method="kto", kto=KtoConfig(beta=0.3), max_steps=40, learning_rate=0.003, **QUICK),
    "rloo": StageConfig(
        method="rloo", rl=replace(GROUPED, num_generations=4), max_steps=30, learning_rate=0.003, **{**QUICK, "batch_size": 32}
    ),
    "grpo": StageConfig(method="grpo", rl=GROUPED, max_steps=30, learning_rate=0.003, **{**QUICK, "batch_size": 64}),
    "ppo": StageConfig(
        method="ppo", rl=RL, ppo=PpoConfig(epochs=2), max_steps=60, learning_rate=0.002, **{**QUICK, "batch_size": 32}
    ),
}


def tuned(stage: StageConfig, tuning: Any) -> StageConfig:
    """Return the stage for a tuning; adapters learn faster."""
    if tuning == "full":
        return replace(stage, tuning="full")
    return replace(stage, tuning="lora", lora=LORA, learning_rate=(stage.learning_rate or 0) * 2)


def curve(output: Path) -> list[dict[str, float]]:
    found: list[dict[str, float]] = json.loads((output / "manifest.json").read_text())["loss_curve"]
    return found


@pytest.mark.parametrize("tuning", ["full", "lora"])
@pytest.mark.parametrize("name", STAGES)
def test_the_right_answer_becomes_likelier_on_held_out_questions(world: World, start: Path, name: str, tuning: str) -> None:
    output = world.run(tuned(STAGES[name], tuning), f"{name}-{tuning}", parent_model=str(start))
    assert p_value(margins(start), margins(output)) < 1e-4
    points = curve(output)
    assert all(point["loss"] == point["loss"] for point in points)
    assert json.loads((output / "manifest.json").read_text())["trained_tokens"] > 0
    if name in ("rloo", "grpo", "ppo"):
        rewards = [point["reward"] for point in points]
        assert sum(rewards[-5:]) / 5 > rewards[0] + 0.2
        assert max(abs(point["kl"]) for point in points) < 5
    if tuning == "lora":
        assert (output / "adapter" / "adapter_config.json").exists()
    assert set(json.loads((output / "config.json").read_text())["architectures"]) == {"LlamaForCausalLM"}


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_dapt_makes_documents_likelier(world: World, base: Path, tuning: str) -> None:
    stage = tuned(StageConfig(method="dapt", max_steps=30, learning_rate=0.005, **QUICK), tuning)
    points = curve(world.run(stage, f"dapt-{tuning}", parent_model=str(base)))
    limit = {"full": 0.8, "lora": 0.95}[tuning]  # what a random embedding cannot say, adapters cannot teach it
    assert points[-1]["loss"] < limit * points[0]["loss"]


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_a_reward_model_scores_the_right_answer_higher(world: World, start: Path, tuning: str) -> None:
    stage = tuned(StageConfig(method="reward", max_steps=40, learning_rate=0.003, **QUICK), tuning)
    output = world.run(stage, f"reward-{tuning}", parent_model=str(start))
    right, wrong = (score_held_out(output, answer_of) for answer_of in (right_of, wrong_of))
    assert p_value(wrong, right) < 1e-4
    assert abs(sum(right + wrong)) / len(right + wrong) < 3, "scores are held around 0"


def score_held_out(folder: Path, answer_of: Any) -> list[float]:
    import torch
    from transformers import AutoTokenizer

    from training.chat_format import ChatFormat
    from training.rewards.scorer import load_scorer, score_answers

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    chat = ChatFormat(tokenizer)
    rows = [chat.encode(prompt_of(number), answer_of(number)).ids for number in range(1000, 1000 + NUM_HELD_OUT)]
    return score_answers(load_scorer(str(folder), dtype=torch.float32).eval(), rows, pad=tokenizer.pad_token_id)


@pytest.mark.parametrize("method", ["grpo", "ppo"])
def test_a_reward_model_can_be_the_reward(world: World, start: Path, reward_model: Path, method: str) -> None:
    stage = replace(tuned(STAGES[method], "full"), rewards=(RewardConfig(model="reward_model"),))
    output = world.run(stage, f"{method}-rm", parent_model=str(start), models={"reward_model": str(reward_model)})
    assert p_value(margins(start), margins(output)) < 1e-4


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_a_student_comes_nearer_to_its_teacher(world: World, start: Path, knowing: Path, tuning: str) -> None:
    settings = DistillationConfig(teacher="knowing_model", max_new_tokens=8)
    stage = StageConfig(method="distillation", distillation=settings, max_steps=30, learning_rate=0.003, **QUICK)
    models = {"knowing_model": str(knowing)}
    output = world.run(tuned(stage, tuning), f"distillation-{tuning}", parent_model=str(start), models=models)
    assert p_value(margins(start), margins(output)) < 1e-4
    taught = answer_logps(knowing, right_of)
    far = [-abs(mine - theirs) for mine, theirs in zip(answer_logps(start, right_of), taught, strict=True)]
    near = [-abs(mine - theirs) for mine, theirs in zip(answer_logps(output, right_of), taught, strict=True)]
    assert p_value(far, near) < 1e-4


def test_prompts_may_come_from_the_examples(world: World, start: Path) -> None:
    rl = replace(GROUPED, prompts="examples")
    stage = replace(tuned(STAGES["grpo"], "full"), rl=rl, rewards=(RewardConfig(grader="exact"),))
    output = world.run(stage, "grpo-examples", parent_model=str(start))
    assert p_value(margins(start), margins(output)) < 1e-4
