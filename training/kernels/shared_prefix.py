"""Preference pairs whose prompt is computed once, with both answers attending to it.

pack = pack_pairs([(prompt, chosen, rejected), ...])                 # token ids
log_probs = answer_log_probs(model, pack)                            # [2, pairs]: chosen, rejected; summed over the answer

Layout of a pack: every prompt with its chosen answer, one behind the other, then all rejected answers. The first part is plain
packed attention; a rejected answer attends to the keys of its prompt and to itself. A pair costs p + c + r tokens instead of
2 p + c + r. Without varlen attention (on a CPU) a mask says the same.
"""

from collections.abc import Sequence
from typing import Any

import torch

from training.kernels.packed_loss import packed_log_probs
from training.kernels.varlen_attention import boundaries

Pair = tuple[Sequence[int], Sequence[int], Sequence[int]]
"""Token ids of a prompt, of the chosen and of the rejected answer; none may be empty."""


def pack_pairs(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Return pairs as one row of tensors, as `answer_log_probs` takes them; see `training.packing.pack_rows` for the names.

    `answer_of` says to which answer a learnt token belongs (chosen answers first); `segment_*` describe the second part.
    """
    prompts, chosen, rejected = ([len(pair[part]) for pair in pairs] for part in range(3))
    firsts = [prompt + answer for prompt, answer in zip(prompts, chosen, strict=True)]
    start = sum(firsts)
    heads = [sum(firsts[:number]) for number in range(len(pairs))]
    tails = [start + sum(rejected[:number]) for number in range(len(pairs))]
    ids = [token for prompt, answer, _ in pairs for token in (*prompt, *answer)] + [
        token for pair in pairs for token in pair[2]
    ]
    positions = [at for size in firsts for at in range(size)]
    positions += [at for prompt, size in zip(prompts, rejected, strict=True) for at in range(prompt, prompt + size)]
    learnt: list[int] = []
    for head, prompt, size in zip(heads, prompts, chosen, strict=True):
        learnt += range(head + prompt - 1, head + prompt + size - 1)
    for head, prompt, tail, size in zip(heads, prompts, tails, rejected, strict=True):
        learnt += [head + prompt - 1, *range(tail, tail + size - 1)]
    keys = [
        at
        for head, prompt, tail, size in zip(heads, prompts, tails, rejected, strict=True)
        for at in (*range(head, head + prompt), *range(tail, tail + size))
    ]
    answers = [token for part in (1, 2) for pair in pairs for token in pair[part]]
    owners = [number for number, size in enumerate((*chosen, *rejected)) for _ in range(size)]
    second = [prompt + size for prompt, size in zip(prompts, rejected, strict=True)]
    return {
        "input_ids": torch.tensor(ids)[None],
        "position_ids": torch.tensor(positions)[None],
        "learnt": torch.tensor(learnt),
        "targets": torch.tensor(answers),
        "answer_of": torch.tensor(owners),
        "num_pairs": len(pairs),
        **boundaries(firsts),
        "segment_start": start,
        "segment_keys": torch.tensor(keys),
        "segment_q_offsets": boundaries(rejected)["cu_seq_lens_q"],
        "segment_k_offsets": boundaries(second)["cu_seq_lens_q"],
        "segment_q_longest": max(rejected),
        "segment_k_longest": max(second),
    }


def answer_log_probs(model: Any, pack: dict[str, Any]) -> Any:
    """Return log p of each answer given its prompt, summed over its tokens: float32 [2, pairs], chosen and rejected.

    Args:
        model: a causal language model, with or without adapters; its attention is varlen, or takes masks.
        pack: see `pack_pairs`, on the model's device.
    """
    batch = dict(pack)
    if model.config._attn_implementation != "varlen":
        batch["attention_mask"] = prefix_mask(pack, next(model.parameters()).dtype)
    tokens = packed_log_probs(model, batch)
    total = torch.zeros(2 * pack["num_pairs"], dtype=tokens.dtype, device=tokens.device)
    return total.index_add(0, pack["answer_of"], tokens).view(2, -1)


def sigmoid_loss(log_probs: Any, reference: Any, beta: float) -> tuple[Any, Any]:
    """Return the DPO loss, a mean over pairs, and the margin of each pair (Rafailov et al. 2023, equation 7).

    Args:
        log_probs: of the answers under the model, [2, pairs].
        reference: of the answers under the reference, [2, pairs].
        beta: how strongly the model is held to the reference.
    """
    chosen, rejected = log_probs - reference
    margin = beta * (chosen - rejected)
    return -torch.nn.functional.logsigmoid(margin).mean(), margin


def prefix_mask(pack: dict[str, Any], dtype: Any) -> Any:
    """Return the mask [1, 1, tokens, tokens] of a pack: 0 where a token is seen, the lowest number elsewhere."""
    num_tokens = pack["input_ids"].shape[1]
    seen = torch.zeros(num_tokens, num_tokens, dtype=torch.bool, device=pack["input_ids"].device)
    first = pack["cu_seq_lens_q"].tolist()
    for start, end in zip(first, first[1:], strict=False):
        seen[start:end, start:end] = True
    q, k = pack["segment_q_offsets"].tolist(), pack["segment_k_offsets"].tolist()
    for number in range(pack["num_pairs"]):
        rows = slice(pack["segment_start"] + q[number], pack["segment_start"] + q[number + 1])
        seen[rows, pack["segment_keys"][k[number] : k[number + 1]]] = True
    places = torch.arange(num_tokens, device=seen.device)
    seen &= places[:, None] >= places[None]  # a rejected answer stands behind its prompt, so order of places is order of time
    return torch.where(seen, 0.0, torch.finfo(dtype).min).to(dtype)[None, None]
