"""DPO with `packing`: a prompt is computed once for both of its answers, and the reference answers once for the whole run.

Rafailov et al. 2023 (arXiv:2305.18290). A pair costs p + c + r tokens a step instead of 2 p + c + r, and no
pass of the reference; see training.kernels.shared_prefix for the layout.
"""

from collections.abc import Sequence
from typing import Any

from training.methods.job import Job, held_out_loss
from training.packing import plan_packs, take_pack
from training.rows import Rows


class PackedPairs:
    """Micro-batches of pairs, with what the reference thinks of each answer: a data set for a loader of one item a batch.

    Args:
        columns: `prompt_ids`, `chosen_ids` and `rejected_ids` of each pair.
        packs: row numbers of each micro-batch, in the order of training.
        group: micro-batches of one optimizer step, over all processes.
    """

    def __init__(self, columns: dict[str, Any], packs: Sequence[Sequence[int]], group: int) -> None:
        names = ("prompt_ids", "chosen_ids", "rejected_ids")
        self.pairs = list(zip(*(columns[name] for name in names), strict=True))
        self.packs = packs
        self._group = group
        self.references: dict[int, Any] = {}
        """Row -> log p of both answers under the reference, [2] on the host."""

    def __len__(self) -> int:
        return len(self.packs)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return one micro-batch; `share` makes a mean over micro-batches a mean over the pairs of the step."""
        import torch

        from training.kernels.shared_prefix import pack_pairs

        if not 0 <= number < len(self.packs):
            raise IndexError(number)
        pack = self.packs[number]
        first = number // self._group * self._group
        step = self.packs[first : first + self._group]
        item = pack_pairs([self.pairs[row] for row in pack])
        if self.references:
            item["reference"] = torch.stack([self.references[row] for row in pack], 1)
        return {**item, "share": len(pack) * len(step) / sum(map(len, step))}


def build_packed_pairs(job: Job) -> Any:
    """Return the trainer of a `dpo` job that has packs. Raises ModelNotFoundError, PackingLeakError."""
    from transformers import Trainer, TrainingArguments

    from training.kernels.attach import attach_kernels
    from training.kernels.shared_prefix import sigmoid_loss
    from training.methods.packed import packed_arguments, with_adapter

    settings = job.stage.preference
    assert job.packs is not None
    assert settings is not None
    beta = settings.beta or 0.1

    class PairTrainer(Trainer):  # type: ignore[misc]
        """Trains on micro-batches that are one packed row of pairs."""

        margins: list[Any] = []

        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
            """Return the mean over the pairs of a micro-batch, weighted so that all pairs of a step count the same."""
            reference, share = inputs.pop("reference"), inputs.pop("share")
            loss, margin = sigmoid_loss(model(**inputs), reference, beta)
            if model.training:
                self.margins.append(margin.detach())
                loss = loss * share
            return (loss, None) if return_outputs else loss

        def prediction_step(self, model: Any, inputs: Any, *_args: Any, **_kwargs: Any) -> tuple[Any, None, None]:
            """Return the loss alone."""
            return held_out_loss(self, model, inputs)

        def log(self, logs: dict[str, Any], *more: Any, **named: Any) -> None:
            """Add how often and by how much the chosen answer leads, since the last time."""
            if self.margins and "loss" in logs:
                margins, self.margins = _joined(self.margins), []
                logs |= {"rewards/margins": margins.mean().item(), "rewards/accuracies": (margins > 0).float().mean().item()}
            super().log(logs, *more, **named)

    group = (job.stage.gradient_accumulation or 1) * _num_processes()
    held_out = _held_out(job.held_out, job.stage.tokens_per_batch or 1)
    trainer = PairTrainer(
        model=with_adapter(job),
        args=TrainingArguments(**packed_arguments(job)),
        train_dataset=PackedPairs(job.rows.columns, job.packs.packs, group),
        eval_dataset=held_out,
        data_collator=take_pack,
        processing_class=job.tokenizer,
        callbacks=[job.callback],
    )
    trainer.model_accepts_loss_kwargs = False  # the mean is over pairs, not over tokens
    if not getattr(trainer.model, "is_loaded_in_4bit", False):
        trainer.model.to(trainer.args.device)
    attach_kernels(trainer.model)
    for pairs in (trainer.train_dataset, held_out):
        if pairs is not None:
            ask_reference(trainer, pairs)
    return trainer


def ask_reference(trainer: Any, pairs: PackedPairs) -> None:
    """Let the model as it is now, before any step, say what it thinks of every answer; each pair is asked once."""
    import torch

    model = trainer.model
    was_training = model.training
    model.eval()
    answers: dict[int, Any] = {}
    with torch.no_grad(), trainer.compute_loss_context_manager():
        for number, pack in enumerate(pairs.packs):
            if all(row in answers for row in pack):
                continue
            item = pairs[number]
            item.pop("share")
            given = model(**trainer._prepare_inputs(item)).cpu()
            answers |= {row: given[:, at] for at, row in enumerate(pack)}
    pairs.references = answers
    model.train(was_training)


def _held_out(rows: Rows | None, budget: int) -> PackedPairs | None:
    if rows is None:
        return None
    plan = plan_packs(rows.lengths, budget=max(budget, *rows.lengths), num_rows=len(rows.lengths))
    return PackedPairs(rows.columns, plan.packs, 1)


def _joined(margins: list[Any]) -> Any:
    import torch

    return torch.cat(margins)


def _num_processes() -> int:
    from training.scale.ranks import world_size

    return world_size()
