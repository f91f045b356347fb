"""Groups that teach nothing are replaced in two processes at once: real ones, over gloo on the CPU."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.training.methods.two_words import QUICK, World, build_world, train_base, train_knowing, train_unsure
from training.config import RlConfig, StageConfig
from training.launch import child_environment
from training.scale.config import Layout
from training.scale.launch_command import build_launch
from training.spec import RunSpec

pytestmark = pytest.mark.slow
QUIET = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
SECONDS = 240
"""A process that waits for the other for ever is what these tests look for."""

RANK = '''
import json, os, sys
from collections import defaultdict
from types import SimpleNamespace
import torch
from accelerate import Accelerator
from training.config import RlConfig, StageConfig
from training.methods.group_sampling import GroupSampler

accelerator = Accelerator(cpu=True)
rank, size = accelerator.process_index, 2
rl = RlConfig(num_generations=size, resample_groups=int(sys.argv[2]))
sampler = GroupSampler(StageConfig(method="grpo", rl=rl), seed=0, pad=0)
trainer = SimpleNamespace(
    accelerator=accelerator, state=SimpleNamespace(global_step=3), reward_weights=torch.tensor([1.0]),
    train_dataset=[{"prompt": [number]} for number in range(60)], _metrics={"train": defaultdict(list)},
)
rounds = []

def write(prompts):
    """Two answers to a prompt differ when its number is odd; the collectives are those of the trainer."""
    numbers = [row["prompt"][0] for row in prompts]
    own = torch.tensor([[float(at % 2 * (number % 2))] for at, number in enumerate(numbers)])
    sampler.scores = accelerator.gather(own)
    rounds.append(numbers)
    trainer._metrics["train"]["reward"].append(sampler.scores.mean().item())
    trainer._metrics["train"]["frac_reward_zero_std"].append(-1.0)
    mask = torch.ones(len(numbers), 1 + len(rounds), dtype=torch.long)
    return {"prompt_ids": torch.tensor(numbers)[:, None], "completion_mask": mask, "num_items_in_batch": torch.tensor(0)}

given = json.loads(sys.argv[3])[rank]
prompts = [{"prompt": [number]} for number in given for _ in range(size)]
batch = sampler.fill(trainer, prompts, write(prompts), write)
json.dump({
    "rounds": rounds, "kept": batch["prompt_ids"][:, 0].tolist(), "metrics": trainer._metrics["train"],
    "tokens": int(batch["num_items_in_batch"]), "own_tokens": int(batch["completion_mask"].sum()),
}, open(os.path.join(sys.argv[1], f"{rank}.json"), "w"))
accelerator.wait_for_everyone()
accelerator.end_training()
'''


def fill(folder: Path, rounds: int, given: list[list[int]]) -> list[dict[str, Any]]:
    (folder / "rank.py").write_text(RANK)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(folder / "rank.py")]
    environment = child_environment({**os.environ, **QUIET})
    subprocess.run([*command, str(folder), str(rounds), json.dumps(given)], env=environment, check=True, timeout=SECONDS)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize(
    "given",
    [
        [[2, 4, 6], [1, 3, 5]],  # one process has silent groups only, the other none
        [[1, 3, 5], [2, 1, 6]],
        [[2, 4, 6], [8, 10, 12]],
        [[1, 3, 5], [7, 9, 11]],
    ],
    ids=str,
)
def test_both_write_as_often_and_count_as_one_process_would(tmp_path: Path, given: list[list[int]]) -> None:
    ranks = fill(tmp_path, 20, given)
    assert [len(numbers) for numbers in ranks[0]["rounds"]] == [len(numbers) for numbers in ranks[1]["rounds"]]
    assert ranks[0]["metrics"] == ranks[1]["metrics"]
    asked = [number for numbers in given for number in numbers]
    silent = sum(number % 2 == 0 for number in asked)
    metrics = {"reward": [pytest.approx((6 - silent) / 12)], "frac_reward_zero_std": [pytest.approx(silent / 6)]}
    assert ranks[0]["metrics"] == {**metrics, "resampled": [pytest.approx(silent / 6)]}
    for rank, numbers in zip(ranks, given, strict=True):
        assert all(number % 2 for number in rank["kept"])
        was_good = [number for number in numbers if number % 2]
        assert [number for number in rank["kept"][::2] if number in numbers] == was_good, "what differed is kept"
    assert ranks[0]["tokens"] == ranks[1]["tokens"] == sum(rank["own_tokens"] for rank in ranks)


def test_both_stop_when_the_rounds_are_over(tmp_path: Path) -> None:
    ranks = fill(tmp_path, 1, [[2, 4, 6, 8, 10, 12], [1, 3, 5, 7, 9, 11]])
    assert [len(rank["rounds"]) for rank in ranks] == [2, 2]
    replaced = sum(number % 2 for number in ranks[0]["kept"][::2])
    assert ranks[1]["metrics"]["resampled"] == [pytest.approx(replaced / 12)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build_world(tmp_path_factory.mktemp("ranks"))


@pytest.fixture(scope="module")
def start(world: World) -> Path:
    return train_unsure(world, train_knowing(world, train_base(world)))


def launch(world: World, stage: StageConfig, name: str, parent: Path) -> list[dict[str, float]]:
    work = world.folder / name
    work.mkdir()
    tables = {"tasks": world.tables["tasks"]}
    spec = RunSpec(config=stage, store_url=world.url, work_folder=str(work), tables=tables, parent_model=str(parent), seed=0)
    prepared = build_launch(spec.write(work / "spec.json"), Layout(processes=2))
    prepared.write()
    environment = child_environment({**os.environ, **QUIET})
    done = subprocess.run(prepared.command, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 0, done.stderr[-3000:]
    curve: list[dict[str, float]] = json.loads((work / "output" / "manifest.json").read_text())["loss_curve"]
    return curve


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", ["grpo", "rloo"])
def test_a_run_of_two_processes_ends_and_replaces_groups(world: World, start: Path, method: Any) -> None:
    rl = RlConfig(max_new_tokens=6, kl_coefficient=0.05, num_generations=2, resample_groups=4)
    settings = {**QUICK, "batch_size": 8}
    stage = StageConfig(method=method, tuning="full", rl=rl, max_steps=3, learning_rate=0.001, **settings)
    points = launch(world, stage, f"two-{method}", start)
    assert [point["step"] for point in points] == [1, 2, 3]
    for point in points:
        assert 0 <= point["resampled"] <= point["zero_variance"] <= 1
        assert point["zero_variance"] * 8 == pytest.approx(round(point["zero_variance"] * 8)), "of the groups of both"
    assert sum(point["resampled"] for point in points) > 0
    plain = launch(world, replace(stage, max_steps=1, rl=replace(rl, resample_groups=0)), f"two-plain-{method}", start)
    assert (plain[0]["reward"], plain[0]["zero_variance"]) == (points[0]["reward"], points[0]["zero_variance"])
