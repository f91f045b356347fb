"""The methods of training by name, what each learns from, and how the model that it makes is called.

DATA_OF["dpo"].dataset      "preference_dataset": the asset
DATA_OF["dpo"].table        "pairs": the table in it
MODEL_NAMES["dpo"]          "preference_model"
"""

from typing import Literal, NamedTuple

Method = Literal["dapt", "sft", "dpo", "kto", "orpo", "reward", "rloo", "grpo", "ppo", "distillation"]
Tuning = Literal["full", "lora", "qlora"]

RL_METHODS: tuple[Method, ...] = ("rloo", "grpo", "ppo")
"""Methods that write answers and learn from their rewards."""


class TrainingData(NamedTuple):
    """Where the rows of a method come from."""

    dataset: str
    """Name of the asset."""
    table: str
    """Name of its table."""
    is_reviewed: bool = True
    """Whether its rows have to pass the review gate and the audit before they are learnt."""


DOCUMENTS = TrainingData("dapt_corpus", "documents", is_reviewed=False)
EXAMPLES = TrainingData("sft_dataset", "examples")
PAIRS = TrainingData("preference_dataset", "pairs")
RATINGS = TrainingData("unpaired_dataset", "unpaired")
TASKS = TrainingData("prompt_dataset", "tasks")

DATA_OF: dict[Method, TrainingData] = {
    "dapt": DOCUMENTS,
    "sft": EXAMPLES,
    "dpo": PAIRS,
    "kto": RATINGS,
    "orpo": PAIRS,
    "reward": PAIRS,
    "rloo": TASKS,
    "grpo": TASKS,
    "ppo": TASKS,
    "distillation": EXAMPLES,
}
"""What a method reads unless the stage says otherwise; see `StageConfig.data`."""

MODEL_NAMES: dict[Method, str] = {
    "dapt": "dapt_model",
    "sft": "sft_model",
    "dpo": "preference_model",
    "kto": "preference_model",
    "orpo": "preference_model",
    "reward": "reward_model",
    "rloo": "rl_model",
    "grpo": "rl_model",
    "ppo": "rl_model",
    "distillation": "distilled_model",
}
"""Name of the model asset of a stage that has no name of its own."""

RANGE_TESTED: tuple[Method, ...] = ("dapt", "sft", "dpo", "kto", "orpo", "reward")
"""Methods whose loss says how well the model learns, so that learning rates can be tried on it."""

DESCRIPTIONS: dict[Method, str] = {
    "dapt": "Continued pre-training on the documents (DAPT).",
    "sft": "Supervised fine-tuning; only the answers are learnt.",
    "dpo": "Direct preference optimisation on the pairs.",
    "kto": "Preference tuning on single answers that people rated good or bad (KTO).",
    "orpo": "Answers and preferences learnt at once, without a reference model (ORPO).",
    "reward": "A model that scores answers, learnt from the pairs (Bradley-Terry); it answers nothing itself.",
    "rloo": "Reinforcement learning with a leave-one-out baseline (RLOO).",
    "grpo": "Reinforcement learning relative to the other answers of a group (GRPO).",
    "ppo": "Reinforcement learning with a value head (PPO).",
    "distillation": "On-policy distillation: a teacher model corrects what the model writes itself, token by token.",
}
