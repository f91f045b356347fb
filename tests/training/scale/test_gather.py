"""Weights that were shared out over two processes come back whole: FSDP2 itself, with gloo on the CPU."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from training.launch import child_environment
from training.scale.gather import gather_model, is_sharded

SHARDED = """
import sys, torch, torch.distributed as dist
from types import SimpleNamespace
from peft import LoraConfig, get_peft_model
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import fully_shard
from transformers import LlamaConfig, LlamaForCausalLM
from training.scale.gather import gather_model

dist.init_process_group("gloo")
torch.manual_seed(0)
sizes = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, vocab_size=32)
model = LlamaForCausalLM(LlamaConfig(**sizes, tie_word_embeddings=True))
if sys.argv[1] == "lora":
    model = get_peft_model(model, LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))
before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
body = model.get_base_model() if sys.argv[1] == "lora" else model
for layer in body.model.layers:
    fully_shard(layer)
fully_shard(model)
ids = torch.arange(8)[None]
optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
model(input_ids=ids, labels=ids).loss.backward()
optimizer.step()
options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True, cpu_offload=True)
accelerator = SimpleNamespace(
    unwrap_model=lambda model: model, get_state_dict=lambda model: get_model_state_dict(model, options=options)
)
whole = gather_model(SimpleNamespace(accelerator=accelerator, model=model, is_fsdp_enabled=True))
if dist.get_rank():
    assert whole is None
else:
    assert all(type(p.data) is torch.Tensor for p in whole.parameters())
    assert whole.get_input_embeddings().weight is whole.get_output_embeddings().weight
    changed = [name for name, tensor in whole.state_dict().items() if not torch.equal(tensor, before[name])]
    assert changed, "nothing was learnt"
    assert {tuple(t.shape) for t in whole.state_dict().values()} == {tuple(t.shape) for t in before.values()}
    if sys.argv[1] == "lora":
        assert all("lora_B" in name for name in changed), changed
        whole = whole.merge_and_unload(safe_merge=True)
    whole = whole.to(torch.bfloat16)
    assert type(whole) is LlamaForCausalLM and type(whole.model.layers[0]).__name__ == "LlamaDecoderLayer"
    whole.save_pretrained(sys.argv[2])
dist.destroy_process_group()
"""


@pytest.mark.slow
@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_fsdp_comes_back_whole(tmp_path: Path, tuning: str) -> None:
    from transformers import AutoModelForCausalLM

    script = tmp_path / "sharded.py"
    script.write_text(SHARDED)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script), tuning]
    environment = child_environment({**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""})
    done = subprocess.run([*command, str(tmp_path / "model")], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert sum(parameter.numel() for parameter in loaded.parameters()) > 0


def trainer_of(**changes: Any) -> Any:
    accelerator = SimpleNamespace(unwrap_model=lambda model: model, deepspeed_config={"zero_optimization": {"stage": 2}})
    values = {"accelerator": accelerator, "model": object(), "is_fsdp_enabled": False, "is_deepspeed_enabled": False}
    return SimpleNamespace(**{**values, **changes})


def test_a_model_that_is_whole_is_left_alone() -> None:
    trainer = trainer_of()
    assert gather_model(trainer) is trainer.model


def test_zero_two_keeps_weights_whole_and_zero_three_does_not() -> None:
    trainer = trainer_of(is_deepspeed_enabled=True)
    assert not is_sharded(trainer)
    trainer.accelerator.deepspeed_config["zero_optimization"]["stage"] = 3
    assert is_sharded(trainer)
