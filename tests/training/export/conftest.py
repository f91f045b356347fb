"""A base of two layers, an adapter on it, and the model with the adapter merged in; made by hand, without PEFT."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from curation.records import Example, Message, Provenance
from curation.store import Store
from training.base_model import build_small_llama
from training.config import BaseModelConfig
from training.export.spec import ExportSpec

RANK, ALPHA = 4, 8.0
TARGETS = ("q_proj", "v_proj", "down_proj")
MADE = Provenance(origin="synthetic", method="routing")


def make_example(number: int) -> Example:
    system = (Message(role="system", content="Be brief."),) if number % 3 == 0 else ()
    turns = (
        Message(role="user", content=f"Where is item {number}?"),
        Message(role="assistant", content=f'{{"part":{number}}}'),
    )
    return Example(
        key=f"api/{number}", task="routing", group=str(number), split="eval", provenance=MADE, messages=(*system, *turns)
    )


class Trained(NamedTuple):
    """What a stage leaves behind, and where it started."""

    parent: Path
    model: Path
    store_url: str
    conversations: str

    def spec(self, out: Path, **changes: Any) -> ExportSpec:
        given = {"parent_folder": str(self.parent), "base": "demo/base", "readme": "# Card\n", **changes}
        values = {"model_folder": str(self.model), "out": str(out), "work_folder": str(out.parent / "work"), **given}
        return ExportSpec(name="demo", store_url=self.store_url, conversations=self.conversations, **values)


def make_adapter(folder: Path, parent: Path, *, rank: int = RANK, **changes: Any) -> Path:
    """Write a random adapter as PEFT does."""
    import torch
    from safetensors.torch import load_file, save_file

    torch.manual_seed(rank)
    tensors = {}
    for name, weight in load_file(parent / "model.safetensors").items():
        module = name.removesuffix(".weight")
        if module.endswith(TARGETS):
            tensors[f"base_model.model.{module}.lora_A.weight"] = torch.randn(rank, weight.shape[1]) * 0.3
            tensors[f"base_model.model.{module}.lora_B.weight"] = torch.randn(weight.shape[0], rank) * 0.3
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": ALPHA, "bias": "none"}
    config |= {"target_modules": list(TARGETS), "base_model_name_or_path": "x", "use_rslora": False, **changes}
    folder.mkdir(parents=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def merge(parent: Path, adapter: Path, out: Path, *, scale: float = ALPHA / RANK) -> Path:
    """Write W + scale * B A over the weights of a copy of a model."""
    from safetensors.torch import load_file, save_file

    if parent != out:
        shutil.copytree(parent, out, dirs_exist_ok=True)
    weights, update = load_file(parent / "model.safetensors"), load_file(adapter / "adapter_model.safetensors")
    for key, matrix in update.items():
        if key.endswith(".lora_A.weight"):
            name = key.removeprefix("base_model.model.").replace(".lora_A.weight", ".weight")
            low = update[key.replace("lora_A", "lora_B")]
            weights[name] = (weights[name].float() + scale * low @ matrix).to(weights[name].dtype)
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    return out


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    import torch

    folder = tmp_path_factory.mktemp("export")
    shape = BaseModelConfig(hidden_size=32, num_layers=2, num_heads=2, vocab_size=320, context_length=128)
    model, tokenizer = build_small_llama(shape, ["Where is item 1? It is there."], seed=0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.mul_(1.0 if "norm" in name else 8.0)  # so large that answers depend on the prompt
    for part in (model, tokenizer):
        part.save_pretrained(folder / "parent")
    adapter = make_adapter(folder / "adapter", folder / "parent")
    merged = merge(folder / "parent", adapter, folder / "model")
    shutil.copytree(adapter, merged / "adapter")
    (merged / "manifest.json").write_text('{"stage": "sft"}')
    (merged / "pytorch_model.bin").write_bytes(b"pickle")
    store = Store(str(folder / "store"))
    table = store.write_table(Example, [make_example(number) for number in range(24)])
    return Trained(folder / "parent", merged, store.url, table.root)


@pytest.fixture
def trained(built: Trained, tmp_path: Path) -> Trained:
    """A copy that a test may damage."""
    for source in (built.parent, built.model):
        shutil.copytree(source, tmp_path / "trained" / source.name)
    return built._replace(parent=tmp_path / "trained" / "parent", model=tmp_path / "trained" / "model")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    return folder / "demo"


Damage = Callable[[Trained], None]
