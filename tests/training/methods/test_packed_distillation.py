"""Distillation without padding: the loss, its gradients and what is counted are those of padded batches."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curation.errors import ConfigError
from tests.training.methods.two_words import LORA, QUICK, World
from training.config import DistillationConfig, StageConfig
from training.config.presets import ModelSize, resolve_stage
from training.memory.stage_plan import run_shape_of
from training.scale.config import Layout

runs = pytest.mark.filterwarnings("ignore")
SETTINGS = DistillationConfig(teacher="knowing_model", max_new_tokens=8)
STAGE = StageConfig(method="distillation", tuning="full", distillation=SETTINGS, max_steps=6, learning_rate=0.003, **QUICK)


def build_tiny(width: int) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(width)
    shape: dict[str, Any] = {"intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 96}
    return LlamaForCausalLM(LlamaConfig(hidden_size=width, num_key_value_heads=2, initializer_range=0.3, **shape))


@pytest.mark.slow
@runs
def test_states_and_gradients_are_those_of_padded_rows() -> None:
    import torch

    from training.methods.distillation import packed_states

    prompts, answers = [[5, 9, 7], [3], [11, 60, 41, 8, 2]], [[1, 4], [8, 90, 33, 2], [7]]
    width, kept = max(map(len, prompts)), max(map(len, answers))
    rows = [[0] * (width - len(one)) + one + two + [0] * (kept - len(two)) for one, two in zip(prompts, answers, strict=True)]
    masks = [
        [0] * (width - len(one)) + [1] * (len(one) + len(two)) + [0] * (kept - len(two))
        for one, two in zip(prompts, answers, strict=True)
    ]
    ids, mask, is_answer = torch.tensor(rows), torch.tensor(masks), torch.tensor(masks)[:, -kept:].bool()
    model = build_tiny(48).train()
    found = []
    for states in (
        lambda: packed_states(model, ids, mask, kept),
        lambda: model.base_model(ids, attention_mask=mask, use_cache=False).last_hidden_state[:, -kept - 1 : -1],
    ):
        model.zero_grad()
        out = states()
        assert out.shape == (3, kept, 48)
        out[is_answer].square().sum().backward()
        gradients = [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]
        found.append((out[is_answer].detach(), gradients))
    (packed, ours), (padded, theirs) = found
    torch.testing.assert_close(packed, padded, atol=1e-5, rtol=1e-5)
    assert len(ours) == len(theirs) > 10
    for one, two in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.gpu
@runs
@pytest.mark.parametrize("tuning", ["full", "lora"])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_a_run_has_the_losses_and_tokens_of_a_padded_one(
    world: World, start: Path, knowing: Path, tuning: Any, accumulation: int
) -> None:
    import torch

    stage = replace(STAGE, tuning=tuning, lora=LORA if tuning == "lora" else None, gradient_accumulation=accumulation)
    packed, padded = (
        json.loads(
            (
                world.run(
                    replace(stage, packing=packing),
                    f"distilled-{tuning}-{accumulation}-{packing}",
                    parent_model=str(start),
                    models={"knowing_model": str(knowing)},
                )
                / "manifest.json"
            ).read_text()
        )
        for packing in (True, False)
    )
    losses, expected = ([point["loss"] for point in made["loss_curve"]] for made in (packed, padded))
    is_bf16 = torch.cuda.is_available()
    assert losses[0] == pytest.approx(expected[0], abs=2e-3 if is_bf16 else 1e-5)
    later = 1e-2 if is_bf16 else 1e-3
    assert losses == pytest.approx(expected, abs=later), "later steps learn from answers that rounding may change"
    assert packed["trained_tokens"] == pytest.approx(padded["trained_tokens"], abs=10 if is_bf16 else 0)
    assert packed["trained_tokens"] > 0


@pytest.mark.slow
@runs
def test_attention_comes_back_after_the_answers() -> None:
    from training.methods.distillation import attention_of

    model = build_tiny(48)
    own = model.config._attn_implementation
    with attention_of(model, "eager"):
        assert model.config._attn_implementation == "eager"
    assert model.config._attn_implementation == own
    with pytest.raises(RuntimeError, match="stop"), attention_of(model, "eager"):
        raise RuntimeError("stop")
    assert model.config._attn_implementation == own


@pytest.mark.slow
@runs
def test_a_model_whose_scores_are_capped_writes_as_it_reads() -> None:
    import torch
    from transformers import Gemma2Config, Gemma2ForCausalLM

    from training.kernels.attach import attach_kernels
    from training.methods.distillation import attention_of, writing_attention

    shape: dict[str, Any] = {"intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "head_dim": 16}
    capped = Gemma2ForCausalLM(Gemma2Config(vocab_size=96, hidden_size=32, num_key_value_heads=1, **shape))
    assert attach_kernels(capped).attention == "eager"
    with attention_of(capped, writing_attention(capped)):
        assert capped.generate(torch.tensor([[5, 9]]), max_new_tokens=2, min_new_tokens=2).shape == (1, 4)
    assert writing_attention(build_tiny(48)) == "sdpa"


def test_it_is_on_for_large_models_and_counts_rows_as_before() -> None:
    size = ModelSize(num_parameters=8_000_000_000, context_length=8192)
    stage = StageConfig(method="distillation", distillation=SETTINGS, max_length=1024)
    resolved = resolve_stage(stage, size).stage
    padded = resolve_stage(replace(stage, packing=False), size).stage
    assert (resolved.packing, resolved.tokens_per_batch) == (True, None)
    assert resolved.gradient_accumulation == padded.gradient_accumulation
    shape = run_shape_of(resolved, Layout(), is_on_gpu=True)
    assert shape.is_packed
    assert shape.tokens_per_micro_batch == (resolved.batch_size or 0) * 1024


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens_per_batch": 8192}, "tokens_per_batch: has no effect for method 'distillation'"),
        ({"optimizer": "adamw_8bit", "packing": True}, "optimizer: adamw_8bit counts for dapt, sft"),
    ],
)
def test_what_has_no_effect_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(STAGE, **changes)
