"""Two processes that train together, with DDP or FSDP2, learn what one learns: a real launch.

With gloo on the CPU, or NCCL where the tests are shown two GPUs.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import Bench
from training.config import StageConfig
from training.config.presets import resolve_stage
from training.launch import child_environment
from training.learning import read_size
from training.memory.device import find_gpus
from training.memory.stage_plan import run_shape_of
from training.memory.weights import adapter_bytes, gradient_bytes, optimizer_bytes, weight_bytes
from training.scale.config import Layout, Strategy
from training.scale.launch_command import build_launch
from training.scale.stage_situation import find_shape

COUNTING = """
import json, sys
from pathlib import Path
from torch.optim.optimizer import register_optimizer_step_post_hook
from training import learning
from training.run import main
from training.scale.ranks import is_first_rank

held, gather = {}, learning.gather_model

def local(tensors):
    storages = [getattr(tensor, "_local_tensor", tensor).untyped_storage() for tensor in tensors]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())  # shards of a layer share one

def count_step(optimizer, *_):
    trained = [tensor for group in optimizer.param_groups for tensor in group["params"]]
    held["gradients"] = local(tensor.grad for tensor in trained)
    held["optimizer"] = local(state[name] for state in optimizer.state.values() for name in ("exp_avg", "exp_avg_sq"))

def count(trainer):
    weights = {False: [], True: []}
    for tensor in trainer.model.parameters():
        weights[tensor.requires_grad].append(tensor)
    held.update(trained=local(weights[True]), frozen=local(weights[False]))
    rank = 0 if is_first_rank() else 1
    Path(sys.argv[1]).with_name(f"held-{rank}.json").write_text(json.dumps(held))
    return gather(trainer)

register_optimizer_step_post_hook(count_step)
learning.gather_model = count
sys.exit(main(sys.argv[1:]))
"""
"""`python -m training.run` that counts the bytes which its process holds itself."""
SHAPE: dict[str, Any] = {"method": "sft", "max_steps": 6, "max_length": 128, "learning_rate": 0.01, "checkpoint_every_steps": 3}
ON_GPUS = bool(os.environ.get("TUNEWRIGHT_TEST_GPU"))
QUIET = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "0,1" if ON_GPUS else ""}


def train(bench: Bench, name: str, layout: Layout, **settings: Any) -> dict[str, Any]:
    spec = bench.spec(StageConfig(**SHAPE, **settings), name=name)
    launch = build_launch(spec.write(Path(spec.work_folder) / "spec.json"), layout)
    launch.write()
    script = Path(spec.work_folder, "counting.py")
    script.write_text(COUNTING)
    *launcher, _, _, path = launch.command
    command, environment = [*launcher, str(script), path], child_environment({**os.environ, **QUIET})
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    manifest: dict[str, Any] = json.loads((Path(spec.work_folder) / "output" / "manifest.json").read_text())
    return manifest


@pytest.mark.slow
@pytest.mark.gpu
@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_two_ranks_have_the_loss_of_one(bench: Bench, tuning: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    if ON_GPUS and len(find_gpus()) < 2:
        pytest.skip("two GPUs are needed")
    settings = {"tuning": tuning, "gradient_accumulation": 1, "gradient_checkpointing": False, "precision": "fp32"}
    one = train(bench, f"one-{tuning}", Layout(), batch_size=8, **settings)
    for strategy in ("ddp", "fsdp2"):
        two = train(bench, f"{strategy}-{tuning}", Layout(processes=2, strategy=strategy), batch_size=4, **settings)
        assert [point["step"] for point in two["loss_curve"]] == [point["step"] for point in one["loss_curve"]]
        for first, second in zip(one["loss_curve"], two["loss_curve"], strict=True):
            for name in ("loss", "grad_norm"):
                assert second[name] == pytest.approx(first[name], abs=1e-3), (strategy, name, first["step"])
        assert (two["trained_tokens"], two["num_parameters"]) == (one["trained_tokens"], one["num_parameters"])
        assert_same_weights(bench.folder / f"one-{tuning}" / "output", bench.folder / f"{strategy}-{tuning}" / "output")
        assert_planned(bench, StageConfig(**SHAPE, batch_size=4, **settings), strategy, bench.folder / f"{strategy}-{tuning}")
    assert one["loss_curve"][-1]["loss"] < one["loss_curve"][0]["loss"] - 0.1, "nothing was learnt, so equal losses say nothing"


def assert_planned(bench: Bench, stage: StageConfig, strategy: Strategy, work: Path) -> None:
    """Each process holds itself what the memory plan says of it."""
    shape = find_shape(bench.base)
    assert shape is not None
    resolved = resolve_stage(stage, read_size(str(bench.base))).stage
    run = run_shape_of(resolved, Layout(processes=2, strategy=strategy), is_on_gpu=False)
    is_full = stage.tuning == "full"
    planned = {
        "trained": weight_bytes(shape, run) if is_full else adapter_bytes(shape, run),
        "frozen": 0 if is_full else weight_bytes(shape, run),
        "gradients": gradient_bytes(shape, run),
        "optimizer": optimizer_bytes(shape, run),
    }
    for rank in (0, 1):
        held = json.loads((work / f"held-{rank}.json").read_text())
        assert held == pytest.approx(planned, rel=0.02), (strategy, rank)


def assert_same_weights(one: Path, other: Path) -> None:
    """All of them: a shard has another shape. Adam turns a rounding error of a tiny gradient into a part of a step."""
    from safetensors.numpy import load_file

    files = sorted(file.relative_to(one) for file in one.rglob("*.safetensors"))
    assert files == sorted(file.relative_to(other) for file in other.rglob("*.safetensors"))
    for file in files:
        ours, theirs = load_file(one / file), load_file(other / file)
        assert {name: weight.shape for name, weight in ours.items()} == {name: weight.shape for name, weight in theirs.items()}
        assert max(float(abs(ours[name] - theirs[name]).mean()) for name in ours) < 1e-3
    assert json.loads((one / "config.json").read_text()) == json.loads((other / "config.json").read_text())
