"""PEFT's and bitsandbytes' configurations, made of ours."""

import importlib.util
from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.version import Version

from curation.config import check
from curation.errors import QuantizationUnavailableError
from training.config import LoraConfig, StageConfig
from training.four_bits import FIRST_ON_CPU


def peft_config(lora: LoraConfig, task: str) -> Any:
    """Return the adapters as PEFT describes them; all linear layers but the head unless the recipe names others."""
    import peft

    return peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        use_rslora=lora.rslora,
        use_dora=lora.dora,
        target_modules=list(lora.targets) or "all-linear",
        task_type=task,
    )


def check_targets(stage: StageConfig, folder: str) -> None:
    """Refuse adapters on layers that the model in a folder does not have, by the names in its weight files alone.

    Raises:
        ConfigError: naming them, and those that there are.
    """
    from safetensors import safe_open

    targets = stage.lora.targets if stage.lora else ()
    if not targets:
        return
    layers: set[str] = set()
    for file in sorted(Path(folder).glob("*.safetensors")):
        with safe_open(file, framework="numpy") as weights:
            names = [name for name in weights.keys() if name.endswith(".weight")]  # noqa: SIM118 - it is no dictionary
            layers |= {name.removesuffix(".weight") for name in names if len(weights.get_slice(name).get_shape()) == 2}
    missing = [name for name in targets if not any(f".{layer}".endswith(f".{name}") for layer in layers)]
    known = ", ".join(sorted({layer.rpartition(".")[2] for layer in layers}))
    check(not missing, "lora.targets", f"names {', '.join(missing)}, which the model does not have; it has {known}", targets)


def check_quantization(stage: StageConfig) -> None:
    """Refuse `qlora` where it cannot work, before anything is loaded.

    Raises:
        QuantizationUnavailableError: saying what is missing.
    """
    if stage.tuning != "qlora":
        return
    if importlib.util.find_spec("bitsandbytes") is None:
        raise QuantizationUnavailableError(missing="the package bitsandbytes (extra `gpu`)")
    import torch

    installed = version("bitsandbytes")
    if not torch.cuda.is_available() and Version(installed) < Version(FIRST_ON_CPU):
        raise QuantizationUnavailableError(missing=f"a CUDA GPU, or bitsandbytes {FIRST_ON_CPU} (here is {installed})")


def quantization_of(stage: StageConfig) -> Any:
    """Return four-bit weights with bf16 computing for `qlora`, None otherwise. Raises QuantizationUnavailableError."""
    if stage.tuning != "qlora":
        return None
    check_quantization(stage)
    import torch
    from transformers import BitsAndBytesConfig

    assert stage.quantization is not None
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=stage.quantization.kind,
        bnb_4bit_use_double_quant=stage.quantization.double,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
