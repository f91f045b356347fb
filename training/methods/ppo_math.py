"""The arithmetic of PPO, on tensors of shape [answers, tokens] with a mask of the tokens that were written.

rewards = token_rewards(scores, logps, reference_logps, mask, kl_coefficient=0.05)
advantages, returns = estimate_advantages(rewards, values, mask, gamma=1.0, gae_lambda=0.95)
loss = masked_mean(policy_terms(new_logps, logps, whiten(advantages, mask), clip_range=0.2), mask)

Sources: Schulman et al. 2017 (arXiv:1707.06347) for the clipped objective, Schulman et al. 2015 (arXiv:1506.02438) for the
advantages, Ziegler et al. 2019 (arXiv:1909.08593) for the penalty on each token and its adaptive coefficient, Stiennon et al.
2020 (arXiv:2009.01325) and Ouyang et al. 2022 (arXiv:2203.02155) for rewards at the last token and clipped values.
"""

from typing import Any, NamedTuple


class Advantages(NamedTuple):
    """How much better each token was than expected, and what its value should have been."""

    advantages: Any
    returns: Any


def masked_mean(values: Any, mask: Any) -> Any:
    """Return the mean over the tokens of the mask."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


def whiten(values: Any, mask: Any, *, keeps_mean: bool = False) -> Any:
    """Scale to mean 0 (unless it is kept) and variance 1 over the tokens of the mask; elsewhere 0."""
    mean = masked_mean(values, mask)
    variance = masked_mean((values - mean) ** 2, mask)
    scaled = (values - mean) * (variance + 1e-8).rsqrt()
    return (scaled + mean if keeps_mean else scaled) * mask


def token_rewards(scores: Any, logps: Any, reference_logps: Any, mask: Any, *, kl_coefficient: float) -> Any:
    """Return the reward of each token: minus the penalty for leaving the reference, and the score at the last one.

    Args:
        scores: what each whole answer is worth, [answers].
        logps: log-probabilities of the tokens when they were written, [answers, tokens].
        reference_logps: the same under the model that training started from.
        mask: 1 for tokens that were written, [answers, tokens]; each answer has at least one.
        kl_coefficient: weight of the penalty.
    """
    import torch

    rewards = -kl_coefficient * (logps - reference_logps) * mask
    last = mask.long().cumsum(dim=1).argmax(dim=1)
    at_end = torch.zeros_like(rewards).scatter_(1, last[:, None], scores[:, None].to(rewards.dtype))
    return rewards + at_end


def estimate_advantages(rewards: Any, values: Any, mask: Any, *, gamma: float, gae_lambda: float) -> Advantages:
    """Return generalised advantages: exponentially weighted sums of the errors of the values, from the end backwards."""
    import torch

    advantages = torch.zeros_like(rewards)
    running = torch.zeros_like(rewards[:, 0])
    values = values * mask
    for token in reversed(range(rewards.shape[1])):
        is_inner = token + 1 < rewards.shape[1]
        following = values[:, token + 1] if is_inner else torch.zeros_like(running)
        error = rewards[:, token] + gamma * following - values[:, token]
        running = (error + gamma * gae_lambda * running) * mask[:, token]
        advantages[:, token] = running
    return Advantages(advantages=advantages, returns=(advantages + values) * mask)


def policy_terms(new_logps: Any, logps: Any, advantages: Any, *, clip_range: float) -> Any:
    """Return the clipped objective of each token, to be minimised."""
    import torch

    ratio = (new_logps - logps).exp()
    clipped = ratio.clamp(1 - clip_range, 1 + clip_range)
    return torch.maximum(-advantages * ratio, -advantages * clipped)


def value_terms(new_values: Any, values: Any, returns: Any, *, clip_range: float) -> Any:
    """Return half the squared error of each value, the larger one of moved freely and moved within the range."""
    import torch

    clipped = values + (new_values - values).clamp(-clip_range, clip_range)
    return 0.5 * torch.maximum((new_values - returns) ** 2, (clipped - returns) ** 2)


def adapt_coefficient(coefficient: float, kl: float, *, target: float, num_answers: int, horizon: int) -> float:
    """Return the KL coefficient for the next answers: up when the divergence is above its target, at most by 20 % a horizon.

    However many answers are written at once, it never moves by more, and so never changes its sign.
    """
    error = min(0.2, max(-0.2, kl / target - 1))
    return coefficient * (1 + error * min(1.0, num_answers / horizon))
