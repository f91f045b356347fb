"""Fused adapters compute what plain layers compute, and only where they may."""

from typing import Any

import pytest
import torch

from training.kernels.attach import attach_kernels, projection_of
from training.kernels.lora_projections import Projection, multiply_gated, project, project_gated


def layer(num_in: int, num_out: int, *, has_bias: bool = False) -> tuple[Any, list[Any]]:
    weight, bias = torch.randn(num_out, num_in).double(), torch.randn(num_out).double() if has_bias else None
    down, up = torch.randn(3, num_in).double().requires_grad_(), torch.randn(num_out, 3).double().requires_grad_()
    return Projection(lambda: weight, bias, down, up, 0.7), [down, up]


def plain(x: Any, given: Projection) -> Any:
    bias = 0 if given.bias is None else given.bias
    return x @ given.matrix().t() + bias + given.scale * (x @ given.down.t()) @ given.up.t()


@pytest.mark.parametrize("has_bias", [False, True])
def test_a_layer_and_its_gradients(has_bias: bool) -> None:
    torch.manual_seed(0)
    given, adapters = layer(8, 5, has_bias=has_bias)
    x = torch.randn(2, 4, 8).double().requires_grad_()
    expected, fused = plain(x, given), project(x, given)
    torch.testing.assert_close(fused, expected)
    slope = torch.randn_like(fused)
    for one, two in zip(
        torch.autograd.grad(fused, [x, *adapters], slope), torch.autograd.grad(expected, [x, *adapters], slope), strict=True
    ):
        torch.testing.assert_close(one, two)


def test_a_gated_block_and_its_gradients() -> None:
    torch.manual_seed(0)
    (gate, a), (up, b), (down, c) = layer(8, 6), layer(8, 6), layer(6, 8)
    x = torch.randn(2, 4, 8).double().requires_grad_()
    expected = plain(torch.nn.functional.silu(plain(x, gate)) * plain(x, up), down)
    fused = project_gated(x, gate, up, down)
    torch.testing.assert_close(fused, expected)
    slope, leaves = torch.randn_like(fused), [x, *a, *b, *c]
    for one, two in zip(torch.autograd.grad(fused, leaves, slope), torch.autograd.grad(expected, leaves, slope), strict=True):
        torch.testing.assert_close(one, two)


def test_a_block_under_autocast_has_gradients_in_the_precision_of_its_weights() -> None:
    """Weights in float32, computed in bfloat16."""
    torch.manual_seed(0)
    layers = [layer(*sizes) for sizes in ((8, 6), (8, 6), (6, 8))]
    singles = [given._replace(matrix=lambda given=given: given.matrix().float()) for given, _ in layers]
    x = torch.randn(4, 8, dtype=torch.bfloat16).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        out = project(project_gated(x, *singles), singles[0])
    leaves = [x, *(adapter for _, adapters in layers for adapter in adapters)]
    assert [one.dtype for one in torch.autograd.grad(out.sum(), leaves)] == [torch.bfloat16, *[torch.float64] * 6]


def test_the_gate_alone() -> None:
    torch.manual_seed(0)
    gate, up = (torch.randn(3, 5).double().requires_grad_() for _ in range(2))
    assert torch.autograd.gradcheck(multiply_gated, (gate, up))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")  # of peft, about transformers
class TestWithPeft:
    """peft takes seconds to import."""

    @staticmethod
    def adapted(llama: Any, **changes: Any) -> Any:
        import peft

        config = peft.LoraConfig(**{"r": 4, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **changes})
        model = peft.get_peft_model(llama, config)
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.1)
        return model

    def test_a_model_computes_the_same(self, llama: Any) -> None:
        model, ids = self.adapted(llama), torch.arange(20)[None]
        expected = model(input_ids=ids).logits
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        gradients = torch.autograd.grad(expected.square().mean(), trained)
        used = attach_kernels(model)
        assert (used.num_projections, used.num_gated) == (14, 2)
        given = model(input_ids=ids).logits
        torch.testing.assert_close(given, expected)
        for one, two in zip(torch.autograd.grad(given.square().mean(), trained), gradients, strict=True):
            torch.testing.assert_close(one, two, atol=1e-6, rtol=1e-4)

    def test_an_adapter_that_is_switched_off_does_nothing(self, llama: Any) -> None:
        ids = torch.arange(20)[None]
        before = llama(input_ids=ids).logits
        model = self.adapted(llama)
        attach_kernels(model)
        with model.disable_adapter():
            torch.testing.assert_close(model(input_ids=ids).logits, before)
        assert not torch.allclose(model(input_ids=ids).logits, before)

    def test_a_merged_model_computes_the_same(self, llama: Any) -> None:
        model, ids = self.adapted(llama), torch.arange(20)[None]
        attach_kernels(model)
        before = model(input_ids=ids).logits
        torch.testing.assert_close(model.merge_and_unload()(input_ids=ids).logits, before, atol=1e-5, rtol=1e-4)

    @pytest.mark.parametrize("changes", [{"lora_dropout": 0.1}, {"use_dora": True}])
    def test_what_does_more_keeps_its_own_forward(self, llama: Any, changes: dict[str, Any]) -> None:
        model, ids = self.adapted(llama, **changes), torch.arange(20)[None]
        model.eval()
        before = model(input_ids=ids).logits
        assert attach_kernels(model).num_projections == 0
        assert all(projection_of(module) is None for module in model.modules())
        torch.testing.assert_close(model(input_ids=ids).logits, before)
