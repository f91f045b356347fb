"""The command that starts all processes of a run on one host, and the configuration file that it reads.

    launch = build_launch(Path("work/spec.json"), Layout(processes=8, strategy="fsdp2"))
    launch.command      # [python, "-m", "accelerate.commands.launch", "--config_file", "work/accelerate.yaml", ...]
    launch.write()      # writes work/accelerate.yaml

One process needs no launcher. `ddp` goes through torchrun; what shards goes through `accelerate launch`, which turns its file
into the variables that transformers' trainers read (accelerate 1.15, the keys of `accelerate config`).
"""

import sys
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from curation.files import write_atomically
from training.scale.config import Layout

MODULE = "training.run"


class Launch(NamedTuple):
    """A command, and the files that must stand before it runs."""

    command: list[str]
    files: dict[Path, str]
    """Path -> content."""

    def write(self) -> None:
        """Write the files. Raises OSError."""
        for path, content in self.files.items():
            write_atomically(path, content.encode())


def build_launch(
    spec_path: Path, layout: Layout, *, rank: str = "0", rendezvous: str | None = None, python: str = sys.executable
) -> Launch:
    """Return how a host starts its processes.

    Args:
        spec_path: the run; the configuration file stands beside it and is the same for all hosts.
        layout: processes, hosts and strategy.
        rank: number of this host, or a shell variable that holds it.
        rendezvous: HOST:PORT where the hosts meet, if the launcher knows it; otherwise that of the configuration.
        python: interpreter of that host.
    """
    script = ["-m", MODULE, str(spec_path)]
    if layout.world_size == 1:
        return Launch([python, *script], {})
    meeting = rendezvous or layout.scale.rendezvous or ""
    if layout.strategy == "ddp":
        return Launch([python, "-m", "torch.distributed.run", *_torchrun_options(layout, meeting), *script], {})
    path = spec_path.with_name("accelerate.yaml")
    options = ["--config_file", str(path), "--max_restarts", str(layout.scale.max_restarts)]
    if layout.nodes > 1:
        host, _, port = meeting.rpartition(":")
        options += ["--machine_rank", rank, "--main_process_ip", host, "--main_process_port", port]
    command = [python, "-m", "accelerate.commands.launch", *options, *script]
    return Launch(command, {path: yaml.safe_dump(accelerate_values(layout), sort_keys=True)})


def _torchrun_options(layout: Layout, rendezvous: str) -> list[str]:
    options = ["--nproc-per-node", str(layout.processes), "--max-restarts", str(layout.scale.max_restarts)]
    if layout.nodes == 1:
        return ["--standalone", *options]
    meeting = ["--rdzv-backend", "c10d", "--rdzv-endpoint", rendezvous, "--rdzv-id", "tunewright"]
    return ["--nnodes", str(layout.nodes), *meeting, *options]


def accelerate_values(layout: Layout) -> dict[str, Any]:
    """Return the content of accelerate's configuration file.

    Mixed precision is left to the trainer's own arguments, as is checkpointing of activations.
    """
    values: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "debug": False,
        "downcast_bf16": "no",
        "enable_cpu_affinity": False,
        "main_training_function": "main",
        "mixed_precision": "no",
        "num_machines": layout.nodes,
        "num_processes": layout.world_size,
        "rdzv_backend": "static" if layout.nodes == 1 else "c10d",
        "same_network": layout.nodes == 1,
        "use_cpu": False,
    }
    if layout.strategy == "fsdp2":
        values |= {"distributed_type": "FSDP", "fsdp_config": _fsdp_values()}
        if layout.scale.parallel.fixed > 1:
            values["parallelism_config"] = _mesh_values(layout)
        return values
    return values | {"distributed_type": "DEEPSPEED", "deepspeed_config": _deepspeed_values(layout)}


def _fsdp_values() -> dict[str, Any]:
    return {
        "fsdp_version": 2,
        "fsdp_reshard_after_forward": True,
        "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "fsdp_state_dict_type": "FULL_STATE_DICT",
        "fsdp_cpu_ram_efficient_loading": True,
        "fsdp_activation_checkpointing": False,
        "fsdp_offload_params": False,
    }


def _mesh_values(layout: Layout) -> dict[str, Any]:
    mesh = layout.scale.parallel
    return {
        "parallelism_config_dp_replicate_size": mesh.replicate,
        "parallelism_config_dp_shard_size": layout.shard,
        "parallelism_config_cp_size": mesh.context,
        "parallelism_config_tp_size": mesh.tensor,
    }


def _deepspeed_values(layout: Layout) -> dict[str, Any]:
    stage = 3 if layout.strategy == "deepspeed_zero3" else 2
    values: dict[str, Any] = {
        "zero_stage": stage,
        "offload_optimizer_device": "none",
        "offload_param_device": "none",
        "zero3_init_flag": stage == 3,
    }
    if stage == 3:
        values["zero3_save_16bit_model"] = True
    if layout.nodes > 1:
        values["deepspeed_multinode_launcher"] = "standard"
    return values
