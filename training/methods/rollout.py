"""Answers that the model writes to a batch of prompts, with everything that PPO has to know of them.

rollout = Rollout(prompt_ids=..., prompt_mask=..., answer_ids=..., mask=..., logps=..., values=..., advantages=..., returns=...)
rollout.rows(0, 4)           the first four answers
"""

from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """Tensors with one row an answer; prompts are padded on the left, answers on the right."""

    prompt_ids: Any
    prompt_mask: Any
    answer_ids: Any
    mask: Any
    """1 for what was written, the end token included, as float."""
    logps: Any
    values: Any
    advantages: Any
    returns: Any

    def rows(self, start: int, end: int) -> Self:
        """Return some of the answers."""
        return type(self)(**{field.name: getattr(self, field.name)[start:end] for field in fields(self)})

    def as_dict(self) -> dict[str, Any]:
        """Return the tensors by name, for a checkpoint."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def num_tokens(self) -> Any:
        """Tokens written."""
        return self.mask.sum()


class Figures(NamedTuple):
    """What a rollout amounts to, over the answers of all processes."""

    reward: float
    kl: float
    """Divergence from the reference in nats an answer, estimated on the answers themselves."""
    answer_tokens: float
    unfinished: float
    """Share of the answers that were cut."""
    num_tokens: int
    """Tokens of prompts and answers."""


def measure_answers(written: Rollout, *, scores: Any, kl: Any, unfinished: Any, accelerator: Any) -> Figures:
    """Return the figures of a rollout; every process has to call this.

    Args:
        written: prompts and answers of this process.
        scores: what each of its answers is worth, [answers].
        kl: log-probability of each answer minus that under the reference, [answers].
        unfinished: whether an answer was cut, [answers].
        accelerator: of the trainer; each process has as many answers.
    """
    import torch

    per_answer = (scores, kl, written.mask.sum(dim=1), unfinished.float())
    means = torch.stack([*(values.mean() for values in per_answer), written.mask.sum() + written.prompt_mask.sum()])
    reward, divergence, length, cut, tokens = accelerator.reduce(means.double(), reduction="mean").tolist()
    return Figures(reward, divergence, length, cut, round(tokens * accelerator.num_processes))


class Reading(NamedTuple):
    """What a model says of answers, [answers, tokens]."""

    logps: Any
    values: Any
    """None where the model has no value head."""


def read_answers(model: Any, part: Any, *, value_head: Any, temperature: float) -> Reading:
    """Return the log-probability of each written token, and the value of the text before it.

    Args:
        model: a causal language model, wrapped or not.
        part: has `prompt_ids`, `prompt_mask`, `answer_ids` and `mask`.
        value_head: maps the hidden state of a token to its value; None leaves values out.
        temperature: that the answers were written with.
    """
    import torch

    ids = torch.cat([part.prompt_ids, part.answer_ids], dim=1)
    attention = torch.cat([part.prompt_mask, part.mask.to(part.prompt_mask.dtype)], dim=1)
    positions = (attention.cumsum(dim=1) - 1).clamp(min=0)
    width = part.answer_ids.shape[1]
    output = model(
        input_ids=ids,
        attention_mask=attention,
        position_ids=positions,
        use_cache=False,
        output_hidden_states=value_head is not None,
        logits_to_keep=width + 1,
    )
    logits = output.logits[:, -width - 1 : -1].float() / temperature
    logps = logits.log_softmax(dim=-1).gather(2, part.answer_ids[:, :, None])[:, :, 0]
    values = None
    if value_head is not None:
        hidden = output.hidden_states[-1][:, -width - 1 : -1]
        values = value_head(hidden.to(value_head.weight.dtype))[:, :, 0].float()
    return Reading(logps=logps, values=values)


class Prompts(NamedTuple):
    """Prompts as tensors, padded on the left."""

    ids: Any
    mask: Any


def pad_prompts(prompts: list[list[int]], *, pad: int, device: Any) -> Prompts:
    """Return prompts of different lengths as one batch."""
    import torch

    width = max(map(len, prompts))
    ids = [[pad] * (width - len(prompt)) + prompt for prompt in prompts]
    mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return Prompts(torch.tensor(ids, device=device), torch.tensor(mask, device=device))


def pad_answers(answers: list[list[int]], *, pad: int, device: Any) -> Any:
    """Return answers of different lengths as one tensor, padded on the right."""
    import torch

    width = max(map(len, answers))
    return torch.tensor([answer + [pad] * (width - len(answer)) for answer in answers], device=device)


def mask_answers(answer_ids: Any, end_ids: list[int]) -> Any:
    """Return 1.0 up to and with the first end token of each answer, 0.0 after it."""
    import torch

    is_end = torch.isin(answer_ids, torch.tensor(end_ids, device=answer_ids.device))
    return (is_end.long().cumsum(dim=1) - is_end.long() == 0).float()
