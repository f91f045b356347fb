"""Each rule with a situation that breaks it, and situations that break none."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import ConflictError
from tests.training.memory.test_estimate import LLAMA_8B
from training.memory.device import Gpu
from training.scale.config import LauncherConfig, Layout, ParallelConfig, ScaleConfig, Strategy
from training.scale.conflicts import RULES, find_conflicts, find_notes, refuse_conflicts
from training.scale.situation import Situation

H100, L4, T4 = Gpu("NVIDIA H100 80GB HBM3", 80 << 30), Gpu("NVIDIA L4", 23 << 30), Gpu("Tesla T4", 15 << 30)
EIGHT = (H100,) * 8


def layout(processes: int = 1, nodes: int = 1, strategy: Strategy = "ddp", **scale: Any) -> Layout:
    return Layout(processes=processes, nodes=nodes, strategy=strategy, scale=ScaleConfig(**scale))


def mesh(strategy: Strategy = "fsdp2", processes: int = 8, **sizes: int) -> Layout:
    return layout(processes, strategy=strategy, parallel=ParallelConfig(**sizes))


def launched(kind: Any, nodes: int = 1, processes: int = 1, **settings: Any) -> Layout:
    if kind == "kubernetes":
        settings = {"image": "i", "volume_claim": "v", **settings}
    return layout(processes, nodes, launcher=LauncherConfig(kind=kind, **settings))


def slurm(**scale: Any) -> Layout:
    return layout(8, 2, launcher=LauncherConfig(kind="slurm"), **scale)


BROKEN: dict[str, dict[str, Any]] = {
    "processes_exceed_devices": {"layout": layout(8), "gpus": (H100,) * 4},
    "sharding_without_devices": {"layout": layout(2, strategy="deepspeed_zero3"), "gpus": (), "packages": frozenset()},
    "strategy_for_one_process": {"layout": layout(strategy="fsdp2")},
    "deepspeed_missing": {"layout": layout(2, strategy="deepspeed_zero2"), "packages": frozenset()},
    "bitsandbytes_missing": {"tuning": "qlora", "packages": frozenset()},
    "qlora_width_on_cpu": {"tuning": "qlora", "gpus": (), "shape": replace(LLAMA_8B, intermediate_size=14_336 + 32)},
    "bf16_too_old_device": {"precision": "bf16", "gpus": (T4,)},
    "qlora_too_old_device": {"tuning": "qlora", "gpus": (T4,)},
    "unequal_devices": {"layout": layout(2), "gpus": (H100, L4)},
    "hosts_without_rendezvous": {"layout": layout(8, 2)},
    "rendezvous_of_one_host": {"layout": layout(8, rendezvous="gpu-1:29500")},
    "rendezvous_under_slurm": {"layout": slurm(rendezvous="gpu-1:29500")},
    "rendezvous_is_local": {"layout": layout(8, 2, rendezvous="localhost:29500")},
    "rendezvous_privileged_port": {"layout": layout(8, 2, rendezvous="gpu-1:443")},
    "several_hosts_from_here": {"layout": layout(8, 2, rendezvous="gpu-1:29500")},
    "several_hosts_in_one_pod": {"layout": launched("kubernetes", nodes=2)},
    "restarts_of_one_process": {"layout": layout(max_restarts=3)},
    "restarts_without_checkpoints": {"layout": layout(2, max_restarts=3), "checkpoint_every_steps": 0},
    "pod_without_image": {"layout": launched("kubernetes", image=None)},
    "pod_without_volume": {"layout": launched("kubernetes", volume_claim=None)},
    "pod_package_missing": {"layout": launched("kubernetes"), "packages": frozenset()},
    "pod_devices_differ": {"layout": launched("kubernetes", processes=4, gpus=8)},
    "job_devices_too_few": {"layout": launched("slurm", processes=8, gpus=4)},
    "sbatch_missing": {"layout": launched("slurm"), "programs": frozenset()},
    "image_without_pod": {"layout": launched("subprocess", image="i")},
    "secret_without_pod": {"layout": launched("slurm", secret="keys")},
    "volume_without_pod": {"layout": launched("slurm", volume_claim="v")},
    "partition_without_job": {"layout": launched("subprocess", partition="gpu")},
    "account_without_job": {"layout": launched("kubernetes", account="a")},
    "time_without_job": {"layout": launched("subprocess", time="08:00:00")},
    "options_without_job": {"layout": launched("subprocess", options=("--exclusive",))},
    "gpus_of_a_subprocess": {"layout": launched("subprocess", gpus=4)},
    "mesh_product": {"layout": mesh(replicate=3)},
    "replicate_needs_fsdp": {"layout": mesh("ddp", replicate=2)},
    "context_needs_fsdp": {"layout": mesh("deepspeed_zero3", context=2)},
    "tensor_needs_fsdp": {"layout": mesh("ddp", tensor=2)},
    "shard_needs_fsdp": {"layout": mesh("ddp", shard=8)},
    "replicas_of_nothing": {"layout": mesh(replicate=8)},
    "tensor_across_hosts": {"layout": layout(2, 2, strategy="fsdp2", parallel=ParallelConfig(tensor=4))},
    "tensor_heads": {"layout": mesh(processes=3, tensor=3), "shape": LLAMA_8B, "tuning": "full"},
    "tensor_key_value_heads": {"layout": mesh(processes=16, tensor=16), "shape": LLAMA_8B, "tuning": "full"},
    "tensor_with_adapters": {"layout": mesh(tensor=2)},
    "context_with_packing": {"layout": mesh(context=2), "is_packed": True},
    "context_method": {"layout": mesh(context=2), "method": "dpo"},
    "context_length": {"layout": mesh(context=4), "max_length": 1020},
    "generations_divide": {"method": "grpo", "num_generations": 6, "max_new_tokens": 64},
    "kto_alone": {"method": "kto", "batch_size": 1},
    "fewer_rows_than_devices": {"layout": layout(8), "num_rows": 5, "max_steps": 3},
    "never_a_whole_step": {"num_rows": 10},
    "answers_leave_no_room": {"method": "ppo", "max_new_tokens": 1024},
    "answers_exceed_context": {"max_new_tokens": 2048, "shape": LLAMA_8B},
    "row_exceeds_context": {"max_length": 4096, "shape": LLAMA_8B},
    "rank_too_high": {"rank": 1024, "shape": LLAMA_8B},
    "qlora_storage_dtype": {"tuning": "qlora", "layout": layout(2, strategy="fsdp2"), "precision": "fp32"},
    "qlora_fp32": {"tuning": "qlora", "precision": "fp32"},
    "zero3_adapters_reentrant": {"layout": layout(2, strategy="deepspeed_zero3"), "is_checkpointed": True},
    "zero3_adapters_fp32": {"layout": layout(2, strategy="deepspeed_zero3"), "precision": "fp32"},
    "stepped_before_averaged": {"layout": layout(2), "optimizer": "adamw_8bit", "accumulation": 1, "tuning": "full"},
    "dora_deepspeed": {"layout": layout(2, strategy="deepspeed_zero2"), "has_dora": True, "tuning": "qlora"},
    "generation_under_fsdp": {"layout": layout(2, strategy="fsdp2"), "method": "grpo"},
    "ppo_sharded": {"layout": layout(2, strategy="deepspeed_zero3"), "method": "ppo"},
    "reward_head_sharded": {"layout": layout(2, strategy="fsdp2"), "method": "reward", "tuning": "qlora"},
}  # fmt: skip
ALL = frozenset({"deepspeed", "bitsandbytes", "dagster_k8s"})
CLEAN: list[dict[str, Any]] = [
    {},
    {"gpus": (), "packages": frozenset()},
    {"gpus": (), "packages": frozenset(), "layout": layout(2, strategy="fsdp2")},
    {"gpus": EIGHT, "packages": ALL, "layout": layout(8), "shape": LLAMA_8B, "num_rows": 10_000},
    {"layout": layout(8, strategy="fsdp2", max_restarts=2), "gpus": EIGHT, "tuning": "full", "is_checkpointed": True},
    {"layout": layout(8, strategy="fsdp2"), "tuning": "qlora", "precision": "bf16", "packages": ALL},
    {"layout": mesh(replicate=2, context=2), "max_length": 1024},
    {"layout": mesh(tensor=4), "tuning": "full", "shape": LLAMA_8B},
    {"layout": layout(8, strategy="deepspeed_zero3"), "tuning": "full", "packages": ALL, "gpus": EIGHT},
    {"layout": slurm(max_restarts=1)},
    {"layout": launched("kubernetes", processes=8), "packages": ALL},
    {"method": "grpo", "num_generations": 8, "max_new_tokens": 256, "layout": layout(2)},
    {"method": "kto", "batch_size": 2},
    {"is_packed": True, "shape": LLAMA_8B, "gpus": EIGHT, "precision": "bf16"},
    {"num_rows": 16, "epochs": 1.0},
    {"method": "grpo", "num_generations": 8, "max_new_tokens": 256, "num_rows": 2},
    {"method": "rloo", "num_generations": 8, "max_new_tokens": 256, "num_rows": 5, "layout": layout(8), "batch_size": 1},
    {"tuning": "qlora", "gpus": (), "packages": ALL, "shape": LLAMA_8B},
    {"tuning": "qlora", "gpus": (H100,), "packages": ALL, "shape": replace(LLAMA_8B, intermediate_size=14_336 + 32)},
]


def test_every_rule_has_its_situation() -> None:
    assert {rule.name for rule in RULES} == set(BROKEN)
    assert len(RULES) >= 60


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_told_with_field_value_and_fix(name: str) -> None:
    conflicts = {conflict.rule: conflict for conflict in find_conflicts(Situation(**BROKEN[name]))}
    assert name in conflicts
    told = str(conflicts[name])
    assert told.startswith("training.")
    assert f"received {conflicts[name].value!r}" in told
    assert conflicts[name].fix in told


@pytest.mark.parametrize("changes", CLEAN, ids=lambda changes: "-".join(changes) or "nothing")
def test_what_works_is_not_refused(changes: dict[str, Any]) -> None:
    assert find_conflicts(Situation(**changes)) == ()
    refuse_conflicts(Situation(**changes))


@pytest.mark.parametrize(("tuning", "gpus", "noted"), [
    ("qlora", (), ["qlora_on_cpu"]), ("lora", (), []), ("qlora", (H100,), []), ("qlora", None, []),
])  # fmt: skip
def test_four_bits_on_a_cpu_are_a_note_and_not_refused(tuning: str, gpus: Any, noted: list[str]) -> None:
    situation = Situation(tuning=tuning, gpus=gpus, packages=ALL)
    assert [note.rule for note in find_notes(situation)] == noted
    assert find_conflicts(situation) == ()
    if noted:
        assert "save memory on a GPU; on a CPU" in str(find_notes(situation)[0])


def test_all_conflicts_are_told_at_once() -> None:
    situation = Situation(layout=layout(8, 2, strategy="fsdp2"), method="grpo", num_generations=3)
    with pytest.raises(ConflictError, match=r"^4 of the training settings .*rendezvous.*nodes.*num_generations.*strategy"):
        refuse_conflicts(situation)


@given(st.integers(1, 16), st.integers(1, 4), st.integers(1, 8), st.integers(1, 4), st.integers(1, 4))
def test_a_mesh_is_refused_unless_its_product_is_the_world(
    processes: int, nodes: int, replicate: int, context: int, tensor: int
) -> None:
    sizes = ParallelConfig(replicate=replicate, context=context, tensor=tensor, shard=2)
    scaled = Layout(processes=processes, nodes=nodes, strategy="fsdp2", scale=ScaleConfig(parallel=sizes))
    names = {conflict.rule for conflict in find_conflicts(Situation(layout=scaled))}
    assert ("mesh_product" in names) == (2 * replicate * context * tensor != processes * nodes)
