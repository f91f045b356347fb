"""The arithmetic of PPO against an example computed by hand: two answers of three and two tokens, the second padded."""

import pytest

torch = pytest.importorskip("torch")

from training.methods.ppo_math import (  # noqa: E402
    adapt_coefficient,
    estimate_advantages,
    masked_mean,
    policy_terms,
    token_rewards,
    value_terms,
    whiten,
)

MASK = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]])
LOGPS = torch.tensor([[-1.0, -2.0, -3.0], [-0.5, -1.5, -99.0]])
REFERENCE = torch.tensor([[-1.5, -2.0, -2.5], [-0.5, -2.5, -7.0]])
SCORES = torch.tensor([1.0, -2.0])
VALUES = torch.tensor([[0.5, 0.4, 0.3], [0.2, 0.1, 55.0]])


def close(given: object, expected: object) -> bool:
    return bool(torch.allclose(torch.as_tensor(given), torch.as_tensor(expected), atol=1e-5))


def test_tokens_pay_for_leaving_the_reference_and_the_last_one_gets_the_score() -> None:
    # 0.1 * (-1 + 1.5) = 0.05; 0; 0.1 * (-3 + 2.5) = -0.05, and the score 1. Second: 0; 0.1 * 1 = 0.1, and the score -2.
    rewards = token_rewards(SCORES, LOGPS, REFERENCE, MASK, kl_coefficient=0.1)
    assert close(rewards, [[-0.05, 0.0, 1.05], [0.0, -2.1, 0.0]])


def test_what_stands_in_the_padding_changes_nothing() -> None:
    others = [torch.where(MASK > 0, tensor, torch.full_like(tensor, 7.7)) for tensor in (LOGPS, REFERENCE, VALUES)]
    for logps, reference, values in ((LOGPS, REFERENCE, VALUES), others):
        rewards = token_rewards(SCORES, logps, reference, MASK, kl_coefficient=0.1)
        found = estimate_advantages(rewards, values, MASK, gamma=1.0, gae_lambda=0.95)
        assert close(found.advantages[1], [-0.1 + 0.95 * -2.2, -2.2, 0.0])
        assert close(found.returns[1, 2], 0.0)


def test_advantages_are_discounted_sums_of_errors_from_the_end() -> None:
    rewards = torch.tensor([[-0.05, 0.0, 1.05]])
    found = estimate_advantages(rewards, VALUES[:1], MASK[:1], gamma=0.9, gae_lambda=0.5)
    # errors: -0.05 + 0.9*0.4 - 0.5 = -0.19;  0 + 0.9*0.3 - 0.4 = -0.13;  1.05 - 0.3 = 0.75; weight 0.45 a token
    last, middle = 0.75, -0.13 + 0.45 * 0.75
    first = -0.19 + 0.45 * middle
    assert close(found.advantages, [[first, middle, last]])
    assert close(found.returns, [[first + 0.5, middle + 0.4, last + 0.3]])


def test_without_discount_the_return_is_the_sum_of_rewards() -> None:
    rewards = torch.tensor([[-0.05, 0.0, 1.05]])
    found = estimate_advantages(rewards, VALUES[:1], MASK[:1], gamma=1.0, gae_lambda=1.0)
    assert close(found.returns, [[1.0, 1.05, 1.05]])


def test_the_objective_counts_no_more_beyond_the_range() -> None:
    old = torch.zeros(1, 4)
    new = torch.log(torch.tensor([[1.5, 1.5, 0.5, 1.1]]))
    advantages = torch.tensor([[1.0, -1.0, 1.0, 1.0]])
    # better and much likelier: clipped at 1.2; worse and much likelier: not; better and less likely: not; within: as it is
    assert close(policy_terms(new, old, advantages, clip_range=0.2), [[-1.2, 1.5, -0.5, -1.1]])


def test_no_gradient_flows_beyond_the_range() -> None:
    new = torch.log(torch.tensor([[1.5, 1.1]])).requires_grad_()
    policy_terms(new, torch.zeros(1, 2), torch.ones(1, 2), clip_range=0.2).sum().backward()
    assert new.grad is not None
    assert close(new.grad, [[0.0, -1.1]])


def test_the_value_loss_takes_the_larger_of_free_and_clipped() -> None:
    new, old, returns = torch.tensor([1.0, 0.1]), torch.tensor([0.0, 0.0]), torch.tensor([1.0, 1.0])
    # moved onto the return, but only 0.2 of it counts: 0.5 * 0.8**2; within the range: 0.5 * 0.9**2
    assert close(value_terms(new, old, returns, clip_range=0.2), [0.32, 0.405])


def test_whitening_looks_at_written_tokens_only() -> None:
    values = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 1e6]])
    scaled = whiten(values, MASK)
    assert close(masked_mean(scaled, MASK), 0.0)
    assert close(masked_mean(scaled**2, MASK), 1.0)
    assert close(scaled[1, 2], 0.0)
    assert close(masked_mean(whiten(values, MASK, keeps_mean=True), MASK), 3.0)


def test_the_coefficient_follows_the_divergence_within_bounds() -> None:
    assert adapt_coefficient(0.1, 12.0, target=6.0, num_answers=1000, horizon=10_000) == pytest.approx(0.1 * 1.02)
    assert adapt_coefficient(0.1, 0.0, target=6.0, num_answers=1000, horizon=10_000) == pytest.approx(0.1 * 0.98)
    assert adapt_coefficient(0.1, 6.0, target=6.0, num_answers=1000, horizon=10_000) == 0.1
    assert adapt_coefficient(0.1, 0.0, target=6.0, num_answers=64, horizon=1) == pytest.approx(0.1 * 0.8)
