"""Settings of reinforcement learning: how answers are written, what they are worth, how far the model may move.

{method: grpo, rl: {num_generations: 8, max_new_tokens: 256}, rewards: [{grader: task}, {longer_than: 200, weight: 0.5}]}
"""

import typing
from typing import Literal

from curation.config import check, config
from curation.graders.registry import GRADERS

Engine = Literal["padded", "continuous", "vllm"]
CLIP_RANGE = 0.2
OWN_GRADER = "task"
"""The grader that each task names itself."""


@config
class RewardConfig:
    """One part of what an answer is worth: a grader, a reward model, or a penalty for length."""

    grader: str | None = None
    """`task`: the grader that the task names; or `exact`, `number`, `choice`, `json`, `regex`, `json_schema`, `tool_call`,
    `constraints`, `code` for all. 1 for a right answer, 0 for a wrong one; the last four may give a share below 1."""

    sandbox: Literal["plain", "own_user", "strict"] | None = None
    """With a grader: the lowest level of the sandbox at which `code` may run; where the machine does not reach it, training
    is refused before it starts. Null: TUNEWRIGHT_SANDBOX, or the strongest level that there is."""

    model: str | None = None
    """Name of an earlier stage of method `reward`; its score is the reward."""

    longer_than: int | None = None
    """Tokens up to which an answer costs nothing; beyond, its reward falls linearly, to -1 at `max_new_tokens` (the soft
    overlong punishment of DAPO, Yu et al. 2025, arXiv:2503.14476)."""

    weight: float = 1.0
    """What this part counts."""

    def __post_init__(self) -> None:
        kinds = [kind for kind in ("grader", "model", "longer_than") if getattr(self, kind) is not None]
        check(len(kinds) == 1, "rewards", "needs one of grader, model and longer_than in each entry", kinds)
        known = (OWN_GRADER, *GRADERS)
        check(self.grader is None or self.grader in known, "grader", f"must be one of {', '.join(known)}", self.grader)
        check(self.sandbox is None or self.grader is not None, "sandbox", "goes with a grader", self.sandbox)
        check(self.longer_than is None or self.longer_than >= 0, "longer_than", "must not be negative", self.longer_than)
        check(
            -1000 <= self.weight <= 1000 and self.weight != 0, "weight", "must lie in [-1000, 1000] and not be 0", self.weight
        )

    @property
    def name(self) -> str:
        """What the parts of a reward are called in curves and reports."""
        return f"grader:{self.grader}" if self.grader else f"model:{self.model}" if self.model else "length"


@config
class RlConfig:
    """How answers are written and how far the model may move."""

    prompts: Literal["tasks", "examples"] = "tasks"
    """Where prompts come from: verifiable tasks (`prompt_dataset`), or the prompts of the examples (`sft_dataset`), whose
    answers are then the references."""

    num_generations: int | None = None
    """Answers to each prompt, compared with each other (for `rloo` and `grpo`). Null: 4 and 8."""

    resample_groups: int = 0
    """For `rloo` and `grpo`: how many times groups whose answers are all worth the same, which teach nothing, are replaced by
    groups of other prompts before a step is taken (dynamic sampling: DAPO, Yu et al. 2025, arXiv:2503.14476)."""

    engine: Engine | None = None
    """What writes the answers: `padded` batches, `continuous` batching (an answer that has ended makes room for the next), or
    `vllm`, which has to be installed beside this project, on a GPU, for `rloo` and `grpo`. Null: on a GPU with tuning
    `lora` `vllm` where it is installed, else `continuous` where flash-attn is; `padded` everywhere else."""

    max_new_tokens: int = 256
    """Longest answer; one that does not end by then is cut."""

    temperature: float = 1.0
    """Of writing: 1 writes as the model is, which the methods assume."""

    kl_coefficient: float | None = None
    """How strongly the model is held to the one that it starts from. Null: 0.05 for `rloo` and `ppo` (Ahmadian et al. 2024,
    arXiv:2402.14740; Stiennon et al. 2020, arXiv:2009.01325), 0.04 for `grpo` (Shao et al. 2024, arXiv:2402.03300)."""

    clip_range: float = CLIP_RANGE
    """For `ppo`: how far the probability of a token may move in one go before it counts no more (Schulman et al. 2017,
    arXiv:1707.06347). `rloo` and `grpo` take one step on answers, before which no probability has moved."""

    def __post_init__(self) -> None:
        several = self.num_generations is None or 2 <= self.num_generations <= 1024
        check(several, "rl.num_generations", "must lie in [2, 1024]", self.num_generations)
        known = typing.get_args(Engine)
        check(self.engine is None or self.engine in known, "rl.engine", f"must be one of {', '.join(known)}", self.engine)
        check(0 <= self.resample_groups <= 100, "rl.resample_groups", "must lie in [0, 100]", self.resample_groups)
        check(self.max_new_tokens >= 1, "rl.max_new_tokens", "must be at least 1", self.max_new_tokens)
        check(0 < self.temperature <= 10, "rl.temperature", "must lie in (0, 10]", self.temperature)
        held = self.kl_coefficient is None or 0 <= self.kl_coefficient <= 10
        check(held, "rl.kl_coefficient", "must lie in [0, 10]", self.kl_coefficient)
        check(0 < self.clip_range < 1, "rl.clip_range", "must lie in (0, 1)", self.clip_range)


@config
class PpoConfig:
    """Proximal policy optimisation with a value head (Schulman et al. 2017; Ouyang et al. 2022, arXiv:2203.02155)."""

    epochs: int = 4
    """Optimizer steps on the answers of one step before new ones are written."""

    gamma: float = 1.0
    """Discount of later rewards; text has none."""

    gae_lambda: float = 0.95
    """Trade of bias against variance in the advantages (Schulman et al. 2015, arXiv:1506.02438)."""

    value_coefficient: float = 0.1
    """Weight of the value loss."""

    value_clip_range: float = 0.2
    """How far a value may move in one go before it counts no more."""

    whiten_rewards: bool = False
    """Scale the rewards of a step to variance 1 before the advantages are computed; advantages always are."""

    target_kl: float | None = None
    """Divergence from the reference, in nats an answer, that the KL coefficient is steered to (Ziegler et al. 2019,
    arXiv:1909.08593). Null: the coefficient is fixed."""

    kl_horizon: int = 10_000
    """Answers over which the coefficient adapts."""

    unfinished_penalty: float = 0.0
    """Taken off the reward of an answer that does not end within `max_new_tokens`."""

    def __post_init__(self) -> None:
        check(1 <= self.epochs <= 100, "ppo.epochs", "must lie in [1, 100]", self.epochs)
        for name in ("gamma", "gae_lambda"):
            check(0 <= getattr(self, name) <= 1, f"ppo.{name}", "must lie in [0, 1]", getattr(self, name))
        check(0 <= self.value_coefficient <= 100, "ppo.value_coefficient", "must lie in [0, 100]", self.value_coefficient)
        check(0 < self.value_clip_range <= 100, "ppo.value_clip_range", "must lie in (0, 100]", self.value_clip_range)
        check(self.target_kl is None or 0 < self.target_kl <= 1000, "ppo.target_kl", "must lie in (0, 1000]", self.target_kl)
        check(self.kl_horizon >= 1, "ppo.kl_horizon", "must be at least 1", self.kl_horizon)
        check(0 <= self.unfinished_penalty <= 1000, "ppo.unfinished_penalty", "must lie in [0, 1000]", self.unfinished_penalty)
