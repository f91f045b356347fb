"""The fused head is exact, in one chunk and in many."""

from typing import Any

import pytest
import torch

from training.kernels import linear_cross_entropy as fused


@pytest.fixture(params=[2**29, 64 * 97 * 4])
def parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, Any, Any]:
    monkeypatch.setattr(fused, "LOGITS_BYTES", request.param)
    torch.manual_seed(0)
    hidden, weight = torch.randn(150, 16).requires_grad_(), torch.randn(97, 16).requires_grad_()
    return hidden, weight, torch.randint(0, 97, (150,)), torch.rand(150)


def expected_gradients(hidden: Any, weight: Any, targets: Any, scale: Any) -> tuple[Any, Any]:
    losses = torch.nn.functional.cross_entropy(hidden @ weight.t(), targets, reduction="none")
    loss = 3 * (losses * scale).sum()
    return loss, torch.autograd.grad(loss, (hidden, weight))


def test_the_loss_and_both_gradients_are_exact(parts: tuple[Any, Any, Any, Any]) -> None:
    expected, gradients = expected_gradients(*parts)
    loss = 3 * fused.linear_cross_entropy(*parts)
    torch.testing.assert_close(loss, expected)
    for one, two in zip(torch.autograd.grad(loss, parts[:2]), gradients, strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)


def test_log_probs_carry_any_loss(parts: tuple[Any, Any, Any, Any]) -> None:
    hidden, weight, targets, scale = parts
    expected, gradients = expected_gradients(*parts)
    loss = -3 * (fused.token_log_probs(hidden, weight, targets) * scale).sum()
    torch.testing.assert_close(loss, expected)
    for one, two in zip(torch.autograd.grad(loss, (hidden, weight)), gradients, strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)


def test_a_frozen_head_gets_no_gradient(parts: tuple[Any, Any, Any, Any]) -> None:
    hidden, weight, targets, scale = parts
    fused.linear_cross_entropy(hidden, weight.detach(), targets, scale).backward()
    assert hidden.grad is not None
    assert weight.grad is None


def test_evaluation_makes_no_gradient(parts: tuple[Any, Any, Any, Any]) -> None:
    with torch.no_grad():
        loss = fused.linear_cross_entropy(*parts)
    torch.testing.assert_close(loss, expected_gradients(*parts)[0] / 3)


@pytest.mark.parametrize("name", ["linear_cross_entropy", "token_log_probs"])
def test_autocast_computes_in_its_precision_and_gives_gradients_in_that_of_the_weights(
    parts: tuple[Any, Any, Any, Any], name: str
) -> None:
    hidden, weight, targets, scale = parts
    expected, gradients = expected_gradients(*parts)
    with torch.autocast("cpu", torch.bfloat16):
        if name == "linear_cross_entropy":
            loss = 3 * fused.linear_cross_entropy(*parts)
        else:
            loss = -3 * (fused.token_log_probs(hidden, weight, targets) * scale).sum()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected.item(), rel=0.01)
    for one, two in zip(torch.autograd.grad(loss, (hidden, weight)), gradients, strict=True):
        assert one.dtype == torch.float32
        assert (one - two).norm() < 0.02 * two.norm()
