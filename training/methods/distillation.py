"""On-policy distillation: a teacher's distribution is matched on what the model wrote itself (TRL's DistillationTrainer).

With `packing`, model and teacher read a micro-batch as one row without padding, the conversations apart (see training.kernels);
what the head and the divergence are computed of is the same.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from curation.errors import ModelNotFoundError
from training.methods.job import Job


def build_distillation(job: Job) -> Any:
    """Return the trainer (Agarwal et al. 2023, arXiv:2306.13649).

    Raises:
        ModelNotFoundError: if a model cannot be loaded, or the teacher's vocabulary is not that of the model.
    """
    from trl import DistillationConfig, DistillationTrainer

    class PromptTrainer(DistillationTrainer):  # type: ignore[misc]
        """TRL's trainer on prompts that are tokenised already."""

        def _tokenize_prompts(self, prompts: list[list[int]]) -> tuple[list[list[int]], None, dict[str, Any]]:
            return [list(prompt) for prompt in prompts], None, {}

        def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
            """Write none: the cards are written from the evidence, at release."""

        def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
            with attention_of(self.model, writing_attention(self.model) if is_packed else None):
                return super()._generate_single_turn(*args, **kwargs)

        def _get_last_hidden_state(self, model: Any, ids: Any, mask: Any, num_kept: int, **more: Any) -> Any:
            if not is_packed:
                return super()._get_last_hidden_state(model, ids, mask, num_kept, **more)
            return packed_states(model, ids, mask, num_kept)

    is_packed = bool(job.stage.packing)
    settings = job.stage.distillation
    assert settings is not None
    arguments = {**job.arguments(), "include_num_input_tokens_seen": "no"}  # the trainer counts what it writes
    args = DistillationConfig(
        **arguments,
        beta=settings.mode_seeking,
        max_completion_length=settings.max_new_tokens,
        temperature=settings.temperature,
        shuffle_dataset=False,  # the prompts are in the order of `epoch_order`
        pad_to_multiple_of=8 if job.numerics().is_on_gpu else None,
    )
    policy = job.load_policy()
    teacher = _load_teacher(job, policy)
    trainer = PromptTrainer(model=policy, teacher_model=teacher, args=args, peft_config=job.adapter(), **job.shared())
    if is_packed:
        _keep_apart(trainer)
    return trainer


def _keep_apart(trainer: Any) -> None:
    """Give model and teacher the kernels of packed rows, and prove that both keep these apart. Raises PackingLeakError."""
    from training.kernels.attach import attach_kernels

    if not getattr(trainer.model, "is_loaded_in_4bit", False):
        trainer.model.to(trainer.args.device)
    attach_kernels(trainer.model)
    attach_kernels(trainer.accelerator.unwrap_model(trainer.teacher_model))


def writing_attention(model: Any) -> str | None:
    """Return what a model that reads packed rows writes by: what knows their ends has no cache. None: by its own."""
    return "sdpa" if model._supports_sdpa else None


@contextlib.contextmanager
def attention_of(model: Any, name: str | None) -> Iterator[None]:
    """Let a model attend by another implementation for a while; None: by its own."""
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    own = causal.config._attn_implementation
    if name in (None, own):
        yield
        return
    causal.set_attn_implementation(name)
    try:
        yield
    finally:
        causal.set_attn_implementation(own)


def packed_states(model: Any, input_ids: Any, mask: Any, num_kept: int) -> Any:
    """Return the last hidden states at the places that write a row's last tokens, [rows, num_kept, width].

    The model reads all rows as one, [1, tokens], without their padding. Where a place to be returned is padding, another state
    stands there, which the caller's mask leaves out.

    Args:
        model: a causal language model, with or without adapters, that keeps packed rows apart.
        input_ids: [rows, length], padded on any side.
        mask: 1 where a token stands, [rows, length].
        num_kept: tokens at the end of each row, at least one of them and one before them no padding.
    """
    from training.kernels.varlen_attention import boundaries

    is_token = mask.bool()
    lengths = is_token.sum(1).tolist()
    positions = (mask.long().cumsum(1) - 1)[is_token]
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    out = causal.base_model(
        input_ids=input_ids[is_token][None],
        position_ids=positions[None],
        use_cache=False,
        **boundaries(lengths, input_ids.device),
    )
    place = (is_token.flatten().long().cumsum(0) - 1).view_as(input_ids)
    return out.last_hidden_state[0][place[:, -num_kept - 1 : -1].clamp(min=0)]


def _load_teacher(job: Job, policy: Any) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    assert job.stage.distillation is not None
    name = job.stage.distillation.teacher
    where = job.spec.models.get(name, name)
    dtype = torch.bfloat16 if job.numerics().is_on_gpu else torch.float32
    try:
        teacher = AutoModelForCausalLM.from_pretrained(where, dtype=dtype, use_safetensors=True, trust_remote_code=False)
    except Exception as error:  # the loader raises OSError, ValueError, KeyError, RuntimeError, SafetensorError, ...
        raise ModelNotFoundError(model=name, reason=" ".join(str(error).split())[:300]) from error
    if teacher.config.vocab_size != policy.config.vocab_size:
        sizes = f"its vocabulary has {teacher.config.vocab_size} tokens, that of the model {policy.config.vocab_size}"
        raise ModelNotFoundError(model=name, reason=f"{sizes}, so it cannot teach it token by token")
    return teacher
