"""The loss of a packed micro-batch: only learnt tokens reach the output head, and the GPU is asked nothing.

loss = packed_loss(model, batch, num_items)      # batch of training.packing.pack_rows, on the model's device

A model that is wrapped for several processes has to be called by its wrapper: `PackedForward` takes the place of its forward.

causal.forward = PackedForward(causal)
loss = model(**batch, num_items=num_items)
"""

from typing import Any

import torch

from training.kernels.linear_cross_entropy import linear_cross_entropy, token_log_probs

WHERE = ("cu_seq_lens_q", "cu_seq_lens_k", "max_length_q", "max_length_k")
BODY = ("input_ids", "position_ids", "attention_mask", *WHERE)
LOGIT_SETTINGS = ("final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier", "output_multiplier")
"""Keys of a model's configuration that cap or scale its logits (Gemma, Cohere, Granite, Falcon-H1, ...)."""


class PackedForward:
    """The forward of a causal language model: the loss of a packed micro-batch, and for anything else what it was before."""

    def __init__(self, causal: Any) -> None:
        self._causal = causal
        self._plain = causal.forward

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Return a loss if `learnt` is among the arguments, or the log-probabilities of the answers of packed pairs."""
        if named.get("learnt") is None:
            return self._plain(*arguments, **named)
        if "answer_of" in named:  # pairs: see shared_prefix.py
            from training.kernels.shared_prefix import answer_log_probs

            return answer_log_probs(self._causal, named)
        num_items = named.pop("num_items", None)
        return packed_loss(self._causal, named, num_items)


def packed_loss(model: Any, batch: dict[str, Any], num_items: Any = None) -> Any:
    """Return the cross-entropy of the learnt tokens over the learnt tokens of the optimizer step.

    Args:
        model: a causal language model, with or without adapters.
        batch: see `training.packing.pack_rows`.
        num_items: learnt tokens of the whole optimizer step, a number or a tensor; None: those of this batch.
    """
    targets, weight = batch["targets"], plain_head(model)
    count = len(targets) if num_items is None else num_items
    if weight is None and len(targets):
        return torch.nn.functional.cross_entropy(_own_logits(model, batch), targets, reduction="sum") / count
    states = learnt_states(model, batch)
    if not len(targets):
        return states.sum() * 0.0
    row_scale = torch.ones(len(targets), dtype=torch.float32, device=states.device) / count
    return linear_cross_entropy(states, weight, targets, row_scale)


def packed_log_probs(model: Any, batch: dict[str, Any]) -> Any:
    """Return log p of each learnt token, float32 [learnt tokens]; for losses that are not a sum of them."""
    weight = plain_head(model)
    if weight is None:
        return _own_logits(model, batch).log_softmax(-1).gather(1, batch["targets"][:, None])[:, 0]
    return token_log_probs(learnt_states(model, batch), weight, batch["targets"])


def learnt_states(model: Any, batch: dict[str, Any]) -> Any:
    """Return the last hidden states at the places whose next token is learnt, [learnt tokens, width]."""
    out = _causal(model).base_model(**_body_inputs(batch), use_cache=False)
    return out.last_hidden_state[0].index_select(0, batch["learnt"])


def _own_logits(model: Any, batch: dict[str, Any]) -> Any:
    """Return the logits at those places as the model itself makes them, float32 [learnt tokens, vocabulary]."""
    out = _causal(model).forward(**_body_inputs(batch), use_cache=False, logits_to_keep=batch["learnt"])
    return out.logits[0].float()


def _body_inputs(batch: dict[str, Any]) -> dict[str, Any]:
    return {name: batch[name] for name in batch if name in BODY or name.startswith("segment_")}


def _causal(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def plain_head(model: Any) -> Any:
    """Return the weight of a plain output head; None if the head does more than multiply, or is split among processes."""
    causal = _causal(model)
    head = causal.get_output_embeddings()
    config = causal.config.get_text_config()
    is_scaled = any(getattr(config, name, None) not in (None, 1, 1.0) for name in LOGIT_SETTINGS)
    is_plain = type(head) is torch.nn.Linear and head.bias is None and not hasattr(head.weight, "full_tensor")
    return head.weight if is_plain and not is_scaled else None
