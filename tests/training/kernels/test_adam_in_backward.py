"""Adam with states of 8 bits, stepped in the backward pass."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.kernels.adam_in_backward import AdamInBackward, decode_first, decode_root, encode_first, encode_root


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), spread=st.floats(0.1, 4.0), size=st.floats(1e-12, 1e6))
def test_codes_keep_values_to_a_few_percent(seed: int, spread: float, size: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(4, 256, generator=generator) * torch.exp(spread * torch.randn(4, 256, generator=generator)) * size
    first = decode_first(*encode_first(values))
    lowest = values.abs().amax(1, keepdim=True) * 2**-15.8
    assert torch.all((first - values).abs() <= 0.0455 * values.abs() + lowest)
    root = decode_root(*encode_root(values.abs(), torch.randint(0, 65536, values.shape, generator=generator)))
    assert torch.all((root - values.abs()).abs() <= 0.0455 * values.abs() + lowest)
    assert torch.all(root > 0)


def test_rounding_keeps_the_mean() -> None:
    """A second moment that changes by less than a level a step must not stand still."""
    value = torch.full((400, 256), 0.512)
    value[:, 0] = 1.0
    noise = torch.randint(0, 65536, value.shape, generator=torch.Generator().manual_seed(0))
    assert decode_root(*encode_root(value, noise))[:, 1:].mean().item() == pytest.approx(0.512, rel=2e-4)


class Adam:
    """Adam in the precision of the weights, as the paper has it; torch's takes seconds to import."""

    def __init__(self, weights: list[Any], lr: float) -> None:
        self.weight, self.lr, self.step_number = weights[0], lr, 0
        self.first, self.second = torch.zeros_like(self.weight), torch.zeros_like(self.weight)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self) -> None:
        self.step_number += 1
        gradient = self.weight.grad
        self.first.mul_(0.9).add_(gradient, alpha=0.1)
        self.second.mul_(0.95).add_(gradient.square(), alpha=0.05)
        root = (self.second / (1 - 0.95**self.step_number)).sqrt() + 1e-8
        self.weight.sub_(self.lr * self.first / (1 - 0.9**self.step_number) / root)
        self.weight.grad = None


def quadratic(dtype: Any, make: Any, steps: int = 100) -> float:
    """Return how far weights are from where they should be, in the end."""
    torch.manual_seed(0)
    target = torch.randn(256)
    weight = torch.nn.Parameter(torch.zeros(256, dtype=dtype))
    optimizer = make([weight])
    for _ in range(steps):
        loss = ((weight.float() - target) ** 2 * torch.linspace(0.01, 3, 256)).sum()
        loss.backward()
        optimizer.step()
    return float((weight.detach().float() - target).abs().mean())


def test_it_learns_what_adam_learns() -> None:
    ours = quadratic(torch.float32, lambda weights: AdamInBackward(weights, lr=0.02))
    theirs = quadratic(torch.float32, lambda weights: Adam(weights, lr=0.02))
    assert ours <= theirs * 1.1 + 1e-2


def test_small_steps_of_bfloat16_weights_are_not_lost() -> None:
    """A step of 1e-4 on a weight of 1 is a fortieth of the distance to the next value in bfloat16."""
    moved = []
    for make in (lambda w: AdamInBackward(w, lr=1e-4), lambda w: Adam(w, lr=1e-4)):
        weight = torch.nn.Parameter(torch.full((4096,), 1.5, dtype=torch.bfloat16))
        optimizer = make([weight])
        for _ in range(50):
            weight.float().sum().backward()
            optimizer.step()
        moved.append(1.5 - weight.detach().float().mean().item())
    assert moved[0] == pytest.approx(50e-4, rel=0.1)
    assert moved[1] == 0


def test_the_gradient_is_gone_after_the_backward_pass() -> None:
    weights = [torch.nn.Parameter(torch.randn(3, 5)) for _ in range(2)]
    before = [weight.detach().clone() for weight in weights]
    AdamInBackward(weights, lr=0.1)
    (weights[0] @ weights[1].t()).sum().backward()
    assert all(weight.grad is None for weight in weights)
    assert all(not torch.equal(weight, old) for weight, old in zip(weights, before, strict=True))


def test_two_backward_passes_in_one_step_are_refused() -> None:
    weight = torch.nn.Parameter(torch.randn(3))
    AdamInBackward([weight], lr=0.1)
    weight.sum().backward()
    with pytest.raises(RuntimeError, match="cannot be accumulated"):
        weight.sum().backward()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_run_that_goes_on_is_bit_for_bit_the_same(dtype: Any) -> None:
    def run(weight: Any, optimizer: Any, steps: range) -> None:
        for step in steps:
            (weight.float() * torch.sin(torch.arange(700.0) + step)).square().sum().backward()
            optimizer.step()

    start = torch.linspace(-1, 1, 700).to(dtype)
    whole = torch.nn.Parameter(start.clone())
    run(whole, AdamInBackward([whole], lr=0.01), range(8))
    first = torch.nn.Parameter(start.clone())
    interrupted = AdamInBackward([first], lr=0.01)
    run(first, interrupted, range(5))
    second = torch.nn.Parameter(first.detach().clone())
    resumed = AdamInBackward([second], lr=0.5)
    resumed.load_state_dict(interrupted.state_dict())
    assert {tensor.dtype for tensor in resumed.state[second].values()} == {torch.uint8, torch.float32}
    run(second, resumed, range(5, 8))
    assert torch.equal(second, whole)


def test_weight_decay_and_learning_rate_are_those_of_the_group() -> None:
    weight = torch.nn.Parameter(torch.ones(300))
    optimizer = AdamInBackward([weight], lr=0.1, weight_decay=0.5)
    (weight * 0).sum().backward()
    assert weight.detach().mean().item() == pytest.approx(0.95)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.0
    (weight * 3).sum().backward()
    assert weight.detach().mean().item() == pytest.approx(0.95)


def test_a_detached_optimizer_steps_no_more() -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    AdamInBackward([weight], lr=0.1).detach()
    weight.sum().backward()
    assert weight.grad is not None
    assert weight.tolist() == [1, 1, 1]


def test_weights_that_are_no_numbers_are_never_saved() -> None:
    """No norm of the gradient is known here that would tell before the checkpoint is written."""
    weight = torch.nn.Parameter(torch.ones(300))
    optimizer = AdamInBackward([weight])
    (weight * torch.where(torch.arange(300) == 7, float("nan"), 1.0)).sum().backward()
    optimizer.step()
    with pytest.raises(RuntimeError, match="no numbers any more"):
        optimizer.state_dict()
