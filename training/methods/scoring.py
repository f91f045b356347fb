"""Reward models: learning to score answers from pairs. `training.rewards.scorer` scores with what was learnt.

build_reward(job)                                    TRL's RewardTrainer (Bradley-Terry)
"""

from typing import Any

from training.methods.checkpointing import narrow_checkpointing
from training.methods.job import Job
from training.rewards.scorer import load_scorer


def build_reward(job: Job) -> Any:
    """Return the trainer of `reward`: the preferred answer of a pair gets the higher score. Raises ModelNotFoundError."""
    from trl import RewardConfig, RewardTrainer

    class ScoreTrainer(RewardTrainer):  # type: ignore[misc]
        """TRL's trainer on pairs that are tokenised already."""

        def _prepare_dataset(self, dataset: Any, *_args: Any, **_kwargs: Any) -> Any:
            return dataset.map(whole_conversations, remove_columns=dataset.column_names)

        def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
            """Write none: the cards are written from the evidence, at release."""

    assert job.stage.reward_model is not None
    args = RewardConfig(
        **job.arguments(), **job.row_arguments(), center_rewards_coefficient=job.stage.reward_model.centering or None
    )
    import torch

    torch.manual_seed(job.spec.stage_seed)  # the head is new
    scorer = load_scorer(job.spec.parent_model, dtype=job.numerics().dtype, quantization=job.quantization())
    model = narrow_checkpointing(scorer, job.stage)
    trainer = ScoreTrainer(model=model, args=args, peft_config=job.adapter("SEQ_CLS"), **job.shared())
    for weight in trainer.model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()  # the head: PEFT does so for adapters alone
    return trainer


def whole_conversations(row: dict[str, Any]) -> dict[str, Any]:
    """Return a pair as TRL's reward trainer reads it: each answer with its prompt."""
    return {f"{side}_ids": row["prompt_ids"] + row[f"{side}_ids"] for side in ("chosen", "rejected")}
