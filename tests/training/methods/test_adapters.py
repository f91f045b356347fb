import importlib.util
from pathlib import Path

import pytest

from curation.errors import ConfigError, QuantizationUnavailableError
from training.config import LoraConfig, StageConfig
from training.methods.adapters import check_quantization, check_targets, peft_config

pytestmark = pytest.mark.filterwarnings("ignore")


def test_adapters_stand_on_all_linear_layers_unless_some_are_named() -> None:
    assert peft_config(LoraConfig(), "CAUSAL_LM").target_modules == "all-linear"
    named = peft_config(LoraConfig(targets=("q_proj", "v_proj"), rslora=True, dora=True, rank=4, alpha=8.0), "SEQ_CLS")
    assert named.target_modules == {"q_proj", "v_proj"}
    assert (named.use_rslora, named.use_dora, named.r, named.lora_alpha) == (True, True, 4, 8.0)


def test_qlora_is_refused_where_it_cannot_work(monkeypatch: pytest.MonkeyPatch) -> None:
    check_quantization(StageConfig(method="sft"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(QuantizationUnavailableError, match="bitsandbytes"):
        check_quantization(StageConfig(method="sft", tuning="qlora"))


@pytest.mark.parametrize(("installed", "on_gpu", "passes"), [
    ("0.49.2", False, False), ("0.50.0", False, True), ("1.2", False, True), ("0.49.2", True, True),
])  # fmt: skip
def test_qlora_needs_a_gpu_or_a_package_that_computes_on_cpus(
    monkeypatch: pytest.MonkeyPatch, installed: str, on_gpu: bool, passes: bool
) -> None:
    import torch

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr("training.methods.adapters.version", lambda name: installed)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: on_gpu)
    stage = StageConfig(method="sft", tuning="qlora")
    if passes:
        check_quantization(stage)
        return
    with pytest.raises(QuantizationUnavailableError, match=r"a CUDA GPU, or bitsandbytes 0\.50 \(here is 0\.49\.2\)"):
        check_quantization(stage)


@pytest.mark.parametrize(("targets", "missing"), [
    ((), ""),
    (("q_proj", "down_proj"), ""),
    (("self_attn.q_proj", "lm_head"), ""),
    (("query_key_value",), "query_key_value"),
    (("q_proj", "wo", "norm"), "wo, norm"),
    (("proj",), "proj"),
])  # fmt: skip
def test_adapters_on_layers_that_are_not_there_are_refused(tmp_path: Path, targets: tuple[str, ...], missing: str) -> None:
    import numpy
    from safetensors.numpy import save_file

    names = ("model.layers.0.self_attn.q_proj", "model.layers.0.mlp.down_proj", "lm_head")
    tensors = {f"{name}.weight": numpy.zeros((2, 2), numpy.float32) for name in names}
    save_file({**tensors, "model.norm.weight": numpy.zeros(2, numpy.float32)}, tmp_path / "model.safetensors")
    stage = StageConfig(method="sft", lora=LoraConfig(targets=targets))
    if not missing:
        check_targets(stage, str(tmp_path))
        return
    with pytest.raises(ConfigError) as refused:
        check_targets(stage, str(tmp_path))
    said = f"lora.targets: names {missing}, which the model does not have; it has down_proj, lm_head, q_proj (received"
    assert str(refused.value).startswith(said)
