"""What an answer is worth: the parts that a stage names, each a function of the answers.

rewards = build_rewards(stage, models={"reward_model": "/store/folders/9f..."}, pad=2)
rewards[0].name, rewards[0].weight            "grader:task", 1.0
rewards[0].score(answers)                     [1.0, 0.0]: one number an answer

Graders read text, whatever the model wrote; `code` alone runs it, in a sandbox.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from curation.errors import UnknownGraderError
from curation.graders.registry import GRADERS
from curation.sandbox.sandbox import require_level
from training.config import RewardConfig, StageConfig
from training.config.rl import OWN_GRADER
from training.rewards.scorer import load_scorer, score_answers
from training.scale.ranks import own_device


class Answer(NamedTuple):
    """An answer that the model wrote, and what it is judged by."""

    prompt_ids: list[int]
    answer_ids: list[int]
    text: str
    """The answer without special tokens."""
    reference: str
    grader: str
    """The one that the task names."""


class Reward(NamedTuple):
    """One part of the reward."""

    name: str
    weight: float
    score: Callable[[Sequence[Answer]], list[float]]


def build_rewards(stage: StageConfig, models: Mapping[str, str], *, pad: int) -> list[Reward]:
    """Return the parts of a resolved stage's reward; reward models are loaded once.

    Args:
        stage: names the parts.
        models: reward models by name, as local folders.
        pad: id of the pad token.

    Raises:
        ModelNotFoundError: if a reward model cannot be loaded.
        SandboxUnavailableError: if a part asks for a level of the sandbox that this machine does not reach.
    """
    assert stage.rl is not None
    return [Reward(part.name, part.weight, _scorer(part, models, pad, stage.rl.max_new_tokens)) for part in stage.rewards]


def total_rewards(rewards: Sequence[Reward], answers: Sequence[Answer]) -> list[float]:
    """Return the weighted sum of all parts for each answer."""
    totals = [0.0] * len(answers)
    for reward in rewards:
        for position, score in enumerate(reward.score(answers)):
            totals[position] += reward.weight * score
    return totals


def _scorer(part: RewardConfig, models: Mapping[str, str], pad: int, limit: int) -> Callable[[Sequence[Answer]], list[float]]:
    if part.grader is not None:
        if part.sandbox is not None:
            require_level(part.sandbox)
        name = part.grader
        return lambda answers: [grade_answer(answer, name) for answer in answers]
    if part.model is not None:
        return _model_scorer(models[part.model], pad)
    assert part.longer_than is not None
    free = part.longer_than
    return lambda answers: [length_penalty(len(answer.answer_ids), free, limit) for answer in answers]


def grade_answer(answer: Answer, grader: str) -> float:
    """Return what a grader, or the task's own one, gives an answer: 1, or 0, or the share that is right.

    Raises:
        UnknownGraderError: if the task names a grader that does not exist.
    """
    name = answer.grader if grader == OWN_GRADER else grader
    if name not in GRADERS:
        raise UnknownGraderError(grader=name, task=answer.reference[:80], known=", ".join(GRADERS))
    return GRADERS[name](answer.text, answer.reference).reward


def length_penalty(length: int, free: int, limit: int) -> float:
    """Return 0 up to `free` tokens, then a straight line down to -1 at `limit` (DAPO, arXiv:2503.14476, equation 13)."""
    return -min(1.0, max(0, length - free) / max(1, limit - free))


def _model_scorer(folder: str, pad: int) -> Callable[[Sequence[Answer]], list[float]]:
    model = _load_for_scoring(folder)
    return lambda answers: score_answers(model, [answer.prompt_ids + answer.answer_ids for answer in answers], pad=pad)


def _load_for_scoring(folder: str) -> Any:
    import torch

    on_gpu = torch.cuda.is_available()
    model = load_scorer(folder, dtype=torch.bfloat16 if on_gpu else torch.float32).eval()
    return model.to(own_device()) if on_gpu else model
