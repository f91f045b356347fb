"""One stage of training, whatever its method.

StageConfig(method="sft", epochs=3)                           # what is left out is a preset: see training.config.presets
StageConfig(method="sft", preference=PreferenceConfig())      # ConfigError: preference has no effect for method 'sft'; ...
"""

import re
from dataclasses import replace
from typing import Literal, get_args

from curation.config import check, config
from training.config.adapters import LoraConfig, QuantizationConfig
from training.config.families import DistillationConfig, KtoConfig, OrpoConfig, PreferenceConfig, RewardModelConfig, SftConfig
from training.config.methods import (
    DATA_OF,
    EXAMPLES,
    MODEL_NAMES,
    RANGE_TESTED,
    RL_METHODS,
    Method,
    TrainingData,
    Tuning,
)
from training.config.rl import CLIP_RANGE, OWN_GRADER, PpoConfig, RewardConfig, RlConfig
from training.config.stopping import EarlyStoppingConfig

Precision = Literal["auto", "bf16", "fp32"]
Optimizer = Literal["adamw", "adamw_8bit", "adamw_8bit_offloaded"]
STEPPED_IN_BACKWARD: tuple[Optimizer, ...] = ("adamw_8bit", "adamw_8bit_offloaded")
"""Optimizers that step in the backward pass."""

KEYS_OF: dict[str, tuple[Method, ...]] = {
    "skip_sections": ("dapt",),
    "learning_rate_check": RANGE_TESTED,
    "packing": ("dapt", "sft", "dpo", "distillation"),
    "tokens_per_batch": ("dapt", "sft", "dpo"),
    "sft": ("sft",),
    "early_stopping": ("dapt", "sft", "dpo", "kto", "orpo", "reward"),
    "preference": ("dpo",),
    "kto": ("kto",),
    "orpo": ("orpo",),
    "reward_model": ("reward",),
    "rl": RL_METHODS,
    "rewards": RL_METHODS,
    "ppo": ("ppo",),
    "distillation": ("distillation",),
}
"""Keys that only some methods have, and which."""


@config
class StageConfig:
    """One stage of training. A value that is left out (null) is the preset for its method, tuning and size of model."""

    method: Method
    """How the model learns: `dapt` on documents, `sft` on examples, `dpo` and `orpo` on preference pairs, `kto` on ratings;
    `rloo`, `grpo` and `ppo` on the rewards of what it writes, `distillation` on a teacher's opinion of it. `reward` makes a
    model that scores answers, and is passed over by the next stage."""

    name: str | None = None
    """Name of the model, such as `first_sft_model`; null: by method (`sft_model`, `preference_model`, ...)."""

    tuning: Tuning = "lora"
    """`full` trains all weights, `lora` adapters which are merged afterwards, `qlora` the same over weights of four bits (on a
    GPU, with the extra `gpu`)."""

    lora: LoraConfig | None = None
    """The adapters where `tuning` is not `full`."""

    quantization: QuantizationConfig | None = None
    """How the frozen weights are stored where `tuning` is `qlora`."""

    epochs: float | None = None
    """Passes over the data."""

    max_steps: int | None = None
    """Optimizer steps instead of epochs."""

    learning_rate: float | None = None
    """Highest learning rate; it rises linearly, then falls along a cosine to 0."""

    learning_rate_check: bool = False
    """Let a check of the model try a hundred learning rates on its rows (`tunewright lr-range`) and say whether the stage's
    lies in the range that is safe. It takes as long as 100 steps, on the machine of the run; the model stays the same."""

    warmup_ratio: float = 0.05
    """Share of the steps during which the learning rate rises."""

    batch_size: int | None = None
    """Rows (blocks, examples, pairs, answers) that a device sees at once."""

    gradient_accumulation: int | None = None
    """Batches added up before one optimizer step; null: as many as give the preset number of rows a step."""

    packing: bool | None = None
    """Put rows of `dapt` and `sft` behind one another into micro-batches of `tokens_per_batch` tokens instead of padding
    `batch_size` rows; documents stay apart. null: for models from 500 million parameters on. For `dpo` with loss `sigmoid`
    (null: off) pairs are packed, and each prompt is computed once for both answers. For `distillation` the `batch_size` answers
    of a micro-batch are read without padding."""

    tokens_per_batch: int | None = None
    """Tokens of a packed micro-batch, at least `max_length`."""

    optimizer: Optimizer = "adamw"
    """`adamw_8bit` (full tuning, packed): weights in bf16 and two bytes of state each, stepped in the backward pass;
    `adamw_8bit_offloaded`: the same with the states in the memory of the host: less on the GPU, and slower."""

    max_length: int | None = None
    """Longest row in tokens, prompt and answer; longer ones are rejected, never cut. For `dapt` the length of a block."""

    weight_decay: float = 0.0
    """AdamW weight decay."""

    precision: Precision = "auto"
    """`auto` is bf16 on a GPU that can, fp32 elsewhere."""

    gradient_checkpointing: bool | float | str | None = None
    """Recompute activations: less memory, about a third slower. A share (0.25) is that of the layers, counted from the first,
    and costs that share of the time; `auto`: as few layers as the GPU's memory asks for. null: by the size of the model."""

    seed: int | None = None
    """Seed of order, dropout and adapters; null takes that of the training section."""

    checkpoint_every_steps: int = 200
    """Steps between checkpoints from which an interrupted run goes on; 0 makes none but at a signal."""

    keep_checkpoints: int = 2
    """So many of the newest checkpoints are kept, in case one is damaged; with `early_stopping` the best one as well."""

    early_stopping: EarlyStoppingConfig | None = None
    """Stop when the loss on held-out rows falls no more, and keep the best model; for methods that learn from given answers."""

    skip_sections: tuple[str, ...] = ()
    """For `dapt`: kinds of document sections that are left out, such as `examples`."""

    sft: SftConfig | None = None
    """Settings of `sft`."""

    preference: PreferenceConfig | None = None
    """Settings of `dpo`."""

    kto: KtoConfig | None = None
    """Settings of `kto`."""

    orpo: OrpoConfig | None = None
    """Settings of `orpo`."""

    reward_model: RewardModelConfig | None = None
    """Settings of `reward`."""

    rl: RlConfig | None = None
    """Settings of `rloo`, `grpo` and `ppo`."""

    rewards: tuple[RewardConfig, ...] = ()
    """What an answer is worth to `rloo`, `grpo` and `ppo`: the weighted sum of these. None given: the grader of each task."""

    ppo: PpoConfig | None = None
    """Further settings of `ppo`."""

    distillation: DistillationConfig | None = None
    """Settings of `distillation`, which needs a teacher."""

    def __post_init__(self) -> None:
        check(self.method in MODEL_NAMES, "method", f"must be one of {', '.join(MODEL_NAMES)}", self.method)
        for holds, name, problem in _limits(self):
            check(holds, name, problem, getattr(self, name))
        for name, methods in KEYS_OF.items():
            has_effect = not getattr(self, name) or self.method in methods
            problem = f"has no effect for method '{self.method}'; it counts for {', '.join(methods)}"
            check(has_effect, name, problem, getattr(self, name))

        check(self.method != "distillation" or self.distillation is not None, "distillation", "must name a teacher", None)
        has_grader = all(reward.grader != OWN_GRADER for reward in self.rewards) and bool(self.rewards)
        graded = self.data.table != "examples" or self.method not in RL_METHODS or has_grader
        check(
            graded, "rewards", "must name a grader or model: examples, unlike tasks, have no grader of their own", self.rewards
        )
        engine = self.rl.engine if self.rl else None
        check(self.method != "ppo" or engine != "vllm", "rl.engine", "of ppo must be padded or continuous", engine)
        for name in ("num_generations", "resample_groups"):
            value = getattr(self.rl, name) if self.rl else None
            check(
                self.method != "ppo" or not value,
                "rl",
                f"{name} has no effect for method 'ppo'; it counts for rloo, grpo",
                value,
            )
        clip_range = self.rl.clip_range if self.rl else CLIP_RANGE
        has_effect = clip_range == CLIP_RANGE or self.method == "ppo"
        check(has_effect, "rl", f"clip_range has no effect for method '{self.method}'; it counts for ppo", clip_range)

    def as_trained(self) -> "StageConfig":
        """Return what of the stage determines its model: the checks beside it do not."""
        return replace(self, learning_rate_check=False)

    @property
    def data(self) -> TrainingData:
        """What this stage learns from."""
        return EXAMPLES if self.rl is not None and self.rl.prompts == "examples" else DATA_OF[self.method]

    @property
    def other_models(self) -> tuple[str, ...]:
        """Names of models that the stage uses besides the one that it starts from: reward models and a teacher."""
        teacher = [self.distillation.teacher] if self.distillation else []
        return tuple(dict.fromkeys([*(reward.model for reward in self.rewards if reward.model), *teacher]))

    @property
    def model_name(self) -> str:
        """Name of the asset that holds the model of this stage."""
        return self.name or MODEL_NAMES[self.method]


def _limits(stage: StageConfig) -> tuple[tuple[bool, str, str], ...]:
    given = stage.name is None or re.fullmatch(r"[a-z][a-z0-9_]{0,40}_model", stage.name) is not None
    return (
        (given and stage.name != "base_model", "name", "must be lower-case, end with _model and not be base_model"),
        (stage.epochs is None or 0 < stage.epochs <= 10_000, "epochs", "must lie in (0, 10000]"),
        (stage.epochs is None or stage.max_steps is None, "epochs", "has no effect beside max_steps; give one of the two"),
        (stage.max_steps is None or stage.max_steps >= 1, "max_steps", "must be at least 1"),
        (stage.learning_rate is None or 0 < stage.learning_rate < 1, "learning_rate", "must lie in (0, 1)"),
        (0 <= stage.warmup_ratio < 1, "warmup_ratio", "must lie in [0, 1)"),
        (stage.batch_size is None or stage.batch_size >= 1, "batch_size", "must be at least 1"),
        (
            stage.gradient_accumulation is None or stage.gradient_accumulation >= 1,
            "gradient_accumulation",
            "must be at least 1",
        ),
        (stage.max_length is None or stage.max_length >= 8, "max_length", "must be at least 8"),
        (_is_share(stage.gradient_checkpointing), "gradient_checkpointing", "must be true, false, auto, or a share in (0, 1]"),
        *_packing_limits(stage),
        (0 <= stage.weight_decay <= 10, "weight_decay", "must lie in [0, 10]"),
        (stage.lora is None or stage.tuning != "full", "lora", "has no effect while tuning is 'full'; set tuning to lora"),
        (
            stage.quantization is None or stage.tuning == "qlora",
            "quantization",
            f"has no effect while tuning is '{stage.tuning}'; set tuning to qlora",
        ),
        (stage.seed is None or 0 <= stage.seed < 2**32, "seed", "must lie in [0, 2**32)"),
        (stage.checkpoint_every_steps >= 0, "checkpoint_every_steps", "must not be negative"),
        (1 <= stage.keep_checkpoints <= 1000, "keep_checkpoints", "must lie in [1, 1000]"),
    )


def _is_share(value: bool | float | str | None) -> bool:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return 0 < value <= 1
    return value in (None, True, False, "auto")


def _packing_limits(stage: StageConfig) -> tuple[tuple[bool, str, str], ...]:
    tokens, is_8bit = stage.tokens_per_batch, stage.optimizer in STEPPED_IN_BACKWARD
    fits = tokens is None or tokens >= (stage.max_length or 8)
    at_once = stage.gradient_accumulation in (None, 1)
    name, known = stage.optimizer, get_args(Optimizer)
    return (
        (tokens is None or stage.packing is not False, "tokens_per_batch", "has no effect while packing is off"),
        (fits, "tokens_per_batch", "must be at least max_length"),
        (stage.optimizer in known, "optimizer", f"must be one of {', '.join(known)}"),
        (not is_8bit or stage.tuning == "full", "optimizer", f"{name} is for tuning 'full'; adapters have small states"),
        (not is_8bit or bool(stage.packing), "optimizer", f"{name} needs packing: true"),
        (not is_8bit or stage.method in ("dapt", "sft"), "optimizer", f"{name} counts for dapt, sft"),
        (
            not stage.packing or stage.preference is None or stage.preference.loss == "sigmoid",
            "packing",
            "of dpo needs loss sigmoid",
        ),
        (not is_8bit or at_once, "gradient_accumulation", f"must be 1 with {name}, which steps in the backward pass"),
    )
