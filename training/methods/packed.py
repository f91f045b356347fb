"""Learning tokens out of packed micro-batches: `dapt` and `sft` with `packing`, on our own kernels (see training.kernels).

No padding, no logits as a whole, no question to the GPU between steps: what was trained is known from the plan.
"""

from typing import Any

from training.methods.job import Job, held_out_loss
from training.packing import PackedRows, fit_rows, take_pack


def build_packed(job: Job) -> Any:
    """Return the trainer of a job that has packs. Raises ModelNotFoundError, PackingLeakError."""
    import torch
    from transformers import Trainer, TrainingArguments

    from training.kernels.attach import attach_kernels

    class PackedTrainer(Trainer):  # type: ignore[misc]
        """Trains on micro-batches that are one packed row."""

        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
            """Return the loss over the learnt tokens of the whole optimizer step, on all processes."""
            loss = model(**inputs, num_items=num_items_in_batch)
            if num_items_in_batch is not None and self.args.average_tokens_across_devices:
                loss = loss * self.accelerator.num_processes  # which the mean over processes divides by
            return (loss, None) if return_outputs else loss

        def prediction_step(self, model: Any, inputs: Any, *_args: Any, **_kwargs: Any) -> tuple[Any, None, None]:
            """Return the loss alone."""
            return held_out_loss(self, model, inputs)

        def _track_num_input_tokens(self, inputs: Any) -> None:
            if self.accelerator.num_processes > 1:
                super()._track_num_input_tokens(inputs)
            else:
                self.state.num_input_tokens_seen += inputs["input_ids"].numel()  # a shape: nobody waits for the GPU

    assert job.packs is not None
    columns = job.rows.columns
    trainer = PackedTrainer(
        model=with_adapter(job),
        args=TrainingArguments(**packed_arguments(job)),
        train_dataset=PackedRows(columns["input_ids"], columns["labels"], job.packs.packs),
        eval_dataset=_held_out(job),
        data_collator=take_pack,
        processing_class=job.tokenizer,
        callbacks=[job.callback],
    )
    trainer.model_accepts_loss_kwargs = True  # learnt tokens are counted over the step
    if not getattr(trainer.model, "is_loaded_in_4bit", False):
        trainer.model.to(trainer.args.device)
    attach_kernels(trainer.model)
    if job.steps_in_backward:
        trainer.optimizer = _in_backward(job, trainer)
    torch.manual_seed(job.spec.stage_seed)  # what was drawn for the adapters depends on their number
    return trainer


def packed_arguments(job: Job) -> dict[str, Any]:
    """Return the arguments of a trainer whose micro-batches are packs."""
    own = {
        "per_device_train_batch_size": 1,
        "per_device_eval_batch_size": 1,
        "remove_unused_columns": False,
        "include_num_input_tokens_seen": "all",
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
    }
    if job.steps_in_backward:
        own["max_grad_norm"] = 0.0  # the common norm is not known while gradients come and go
    return {**job.arguments(), **own}


def _held_out(job: Job) -> Any:
    if job.held_out is None:
        return None
    assert job.packs is not None
    columns, lengths = job.held_out.columns, job.held_out.lengths
    packs = fit_rows(range(len(lengths)), lengths, job.packs.budget)
    return PackedRows(columns["input_ids"], columns["labels"], packs)


def with_adapter(job: Job) -> Any:
    """Return the model, with its adapters; a quantized one keeps norms, embeddings and head in bf16, as the kernels compute."""
    model, adapter = job.load_policy(), job.adapter()
    if adapter is None:
        return model
    import peft
    import torch

    torch.manual_seed(job.spec.stage_seed)
    return peft.get_peft_model(model, adapter)


def _in_backward(job: Job, trainer: Any) -> Any:
    from training.kernels.adam_in_backward import AdamInBackward

    decayed = set(trainer.get_decay_parameter_names(trainer.model))
    weights = [(name in decayed, weight) for name, weight in trainer.model.named_parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for is_decayed, weight in weights if is_decayed == wanted], "weight_decay": decay}
        for wanted, decay in ((True, job.stage.weight_decay), (False, 0.0))
    ]
    assert job.stage.learning_rate is not None
    filled = [group for group in groups if group["params"]]
    is_offloaded = job.stage.optimizer == "adamw_8bit_offloaded"
    return AdamInBackward(filled, lr=job.stage.learning_rate, seed=job.spec.stage_seed, is_offloaded=is_offloaded)
