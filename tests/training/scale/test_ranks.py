from pathlib import Path

import pytest

from training.scale.config import Layout, ParallelConfig, ScaleConfig
from training.scale.cpu_sharding import ON_CPU
from training.scale.ranks import (
    VISIBLE,
    is_first_rank,
    name_checkpoints,
    own_device,
    prepare_ranks,
    running_layout,
    world_size,
)


def test_one_process_is_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert (world_size(), is_first_rank(), name_checkpoints("f")) == (1, True, "f")


def test_checkpoints_of_another_number_of_processes_are_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert (world_size(), is_first_rank(), name_checkpoints("f")) == (2, False, "f-2")


def test_several_processes_on_a_cpu_train_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi
    alone, together, told = {"WORLD_SIZE": "1"}, {"WORLD_SIZE": "2"}, {"WORLD_SIZE": "2", ON_CPU: "false"}
    for environment in (alone, together, told):
        prepare_ranks(environment)
    assert ON_CPU not in alone
    assert together[ON_CPU] == "true"
    assert told[ON_CPU] == "false"


@pytest.mark.parametrize(
    ("visible", "kept"), [(None, "0"), ("0,1,2", "0"), ("3,1", "3"), ("GPU-aa11,GPU-bb22", "GPU-aa11"), ("", "")]
)
def test_one_process_sees_one_gpu(visible: str | None, kept: str) -> None:
    """With two, transformers trains through `nn.DataParallel`: every run on a machine of several GPUs broke off."""
    environment = {} if visible is None else {VISIBLE: visible}
    prepare_ranks(environment)
    assert environment[VISIBLE] == kept


def test_several_processes_see_all_and_know_theirs() -> None:
    environment = {"WORLD_SIZE": "2", "LOCAL_RANK": "1", VISIBLE: "4,5", ON_CPU: "false"}
    prepare_ranks(environment)
    assert (environment[VISIBLE], own_device(environment), own_device({})) == ("4,5", "cuda:1", "cuda:0")


def test_several_processes_on_gpus_do_not_train_on_the_cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho '0, GPU-aa11, NVIDIA L4, 23034'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    environment = {"WORLD_SIZE": "2"}
    prepare_ranks(environment)
    assert ON_CPU not in environment


@pytest.mark.parametrize(
    ("told", "layout"),
    [
        ({}, Layout()),
        ({"WORLD_SIZE": "128", "LOCAL_WORLD_SIZE": "8"}, Layout(processes=8, nodes=16)),
        (
            {
                "WORLD_SIZE": "4",
                "LOCAL_WORLD_SIZE": "4",
                "ACCELERATE_USE_FSDP": "true",
                "PARALLELISM_CONFIG_DP_REPLICATE_SIZE": "2",
            },
            Layout(processes=4, strategy="fsdp2", scale=ScaleConfig(parallel=ParallelConfig(replicate=2))),
        ),
        (
            {
                "WORLD_SIZE": "2",
                "LOCAL_WORLD_SIZE": "2",
                "ACCELERATE_USE_DEEPSPEED": "true",
                "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3",
            },
            Layout(processes=2, strategy="deepspeed_zero3"),
        ),
    ],
)
def test_a_process_knows_its_layout(told: dict[str, str], layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `gradient_checkpointing: auto` is decided by: 128 devices are no host of 128, and copies share nothing."""
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE", "ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED"):
        monkeypatch.delenv(name, raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert running_layout() == layout
