"""Learning tokens: documents (`dapt`) and answers (`sft`), through TRL's SFTTrainer on labels that are made already."""

import os
from typing import Any

from training.chat_format import IGNORED
from training.methods.job import Job, held_out_loss
from training.methods.packed import build_packed


def build_supervised(job: Job) -> Any:
    """Return the trainer. Raises ModelNotFoundError, PackingLeakError."""
    if job.packs is not None:
        return build_packed(job)
    from trl import SFTConfig, SFTTrainer

    is_fused = job.numerics().is_on_gpu or int(os.environ.get("WORLD_SIZE", "1")) > 1

    class SupervisedTrainer(SFTTrainer):  # type: ignore[misc]
        """TRL's trainer on labels that are made already."""

        def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
            """Write none: the cards are written from the evidence, at release."""

        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
            """Leave it to TRL on a GPU; its fused head doubles the time of a step on a CPU."""
            if is_fused:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            return answer_loss(model, inputs, num_items_in_batch)

        def prediction_step(self, model: Any, inputs: Any, *_args: Any, **_kwargs: Any) -> tuple[Any, None, None]:
            """Return the loss alone."""
            return held_out_loss(self, model, inputs)

    args = SFTConfig(**job.arguments(), **job.row_arguments(), dataset_kwargs={"skip_prepare_dataset": True})
    return SupervisedTrainer(model=job.load_policy(), args=args, peft_config=job.adapter(), **job.shared())


def answer_loss(model: Any, inputs: Any, num_items: Any = None) -> Any:
    """Return the mean cross-entropy of the learnt tokens; only their logits are computed, unless the model scales or caps them.

    Args:
        model: a causal language model, with or without adapters.
        inputs: `input_ids`, `attention_mask` and `labels`, each [rows, tokens].
        num_items: learnt tokens of the whole optimizer step; None: those of this batch.
    """
    from torch.nn.functional import cross_entropy

    from training.kernels.packed_loss import plain_head

    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    read = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"], "use_cache": False}
    targets = inputs["labels"][:, 1:]
    is_learnt = targets != IGNORED
    if plain_head(whole) is None:
        logits = whole(**read).logits[:, :-1][is_learnt]
    else:
        logits = whole.get_output_embeddings()(whole.base_model(**read).last_hidden_state[:, :-1][is_learnt])
    total = cross_entropy(logits.float(), targets[is_learnt], reduction="sum")
    return total / (is_learnt.sum().clamp(min=1) if num_items is None else num_items)
