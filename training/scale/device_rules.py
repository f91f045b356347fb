"""Rules about devices, hosts and launchers."""

import re

from training.four_bits import BLOCK, SLOW_ON_CPU
from training.scale.situation import Rule, Situation

WITHOUT_BF16 = re.compile(r"\b(V100|P100|P40|P4|K80|T4|M40|M60|GTX|RTX 20\d\d|TITAN (V|RTX|X|Xp)|Quadro RTX)\b")
"""Names of NVIDIA devices before Ampere, which compute bf16 slowly or not at all."""
LOCAL_NAMES = ("localhost", "127.", "[::1]", "0.0.0.0")  # noqa: S104 - names to refuse, nothing binds to them


def _gpus(now: Situation) -> int:
    return len(now.gpus or ())


def _is_local(now: Situation) -> bool:
    return now.layout.scale.launcher.kind == "subprocess"


def _lacks(now: Situation, package: str) -> bool:
    return now.packages is not None and package not in now.packages


def _kind(now: Situation) -> str:
    return now.layout.scale.launcher.kind


def _unblocked(now: Situation) -> list[str]:
    """Return the layers that would be read back wrongly on a CPU."""
    return [linear.name for linear in now.shape.linears if linear.num_inputs % BLOCK] if now.shape else []


NOTES = (
    Rule(
        "qlora_on_cpu",
        "stages.tuning",
        lambda now: now.tuning == "qlora" and now.gpus == (),
        lambda now: now.tuning,
        SLOW_ON_CPU,
        "use tuning: lora here, unless this is a test",
    ),
)
"""What is worth knowing and not refused."""

DEVICE_RULES = (
    Rule(
        "processes_exceed_devices",
        "processes",
        lambda now: _is_local(now) and 0 < _gpus(now) < now.layout.processes,
        lambda now: now.layout.processes,
        "is more than this machine has devices",
        "give one process a device at most; `tunewright plan` lists them",
    ),
    Rule(
        "sharding_without_devices",
        "strategy",
        lambda now: _is_local(now) and now.gpus == () and now.layout.strategy.startswith("deepspeed"),
        lambda now: now.layout.strategy,
        "needs CUDA devices, and this machine has none",
        "use strategy: fsdp2 or ddp here",
    ),
    Rule(
        "strategy_for_one_process",
        "strategy",
        lambda now: now.world_size == 1 and now.layout.strategy != "ddp",
        lambda now: now.layout.strategy,
        "has nothing to share out with one process",
        "raise processes, or use strategy: ddp",
    ),
    Rule(
        "deepspeed_missing",
        "strategy",
        lambda now: now.layout.strategy.startswith("deepspeed") and _lacks(now, "deepspeed"),
        lambda now: now.layout.strategy,
        "needs the package deepspeed, which is not installed",
        "install it, or use strategy: fsdp2",
    ),
    Rule(
        "bitsandbytes_missing",
        "stages.tuning",
        lambda now: now.tuning == "qlora" and _lacks(now, "bitsandbytes"),
        lambda now: now.tuning,
        "needs the package bitsandbytes, which is not installed",
        "install it with `pip install 'tunewright[gpu]'`, or use tuning: lora",
    ),
    Rule(
        "qlora_width_on_cpu",
        "stages.tuning",
        lambda now: now.tuning == "qlora" and now.gpus == () and bool(_unblocked(now)),
        lambda now: now.tuning,
        f"needs a CUDA device for this model: a CPU reads back rows of four bits only in blocks of {BLOCK}",
        f"use tuning: lora here, or a model whose hidden and intermediate sizes are multiples of {BLOCK}",
    ),
    Rule(
        "bf16_too_old_device",
        "stages.precision",
        lambda now: now.precision == "bf16" and any(WITHOUT_BF16.search(gpu.name) for gpu in now.gpus or ()),
        lambda now: now.precision,
        "is not computed by a device of this machine",
        "use precision: auto or fp32",
    ),
    Rule(
        "qlora_too_old_device",
        "stages.tuning",
        lambda now: now.tuning == "qlora" and any(WITHOUT_BF16.search(gpu.name) for gpu in now.gpus or ()),
        lambda now: now.tuning,
        "computes in bf16, which a device of this machine cannot",
        "use tuning: lora with precision: fp32",
    ),
    Rule(
        "unequal_devices",
        "processes",
        lambda now: _is_local(now) and now.layout.processes > 1 and _spread(now) > 1.25,
        lambda now: now.layout.processes,
        "would put equal work on devices whose memory differs by more than a quarter",
        "choose equal ones with CUDA_VISIBLE_DEVICES",
    ),
)


def _spread(now: Situation) -> float:
    sizes = [gpu.memory for gpu in (now.gpus or ())[: now.layout.processes]]
    return max(sizes) / min(sizes) if sizes else 1.0


HOST_RULES = (
    Rule(
        "hosts_without_rendezvous",
        "scale.rendezvous",
        lambda now: now.layout.nodes > 1 and _kind(now) != "slurm" and now.layout.scale.rendezvous is None,
        lambda now: now.layout.scale.rendezvous,
        "is missing, so several nodes cannot find each other",
        "give HOST:PORT of the first node",
    ),
    Rule(
        "rendezvous_of_one_host",
        "scale.rendezvous",
        lambda now: now.layout.nodes == 1 and now.layout.scale.rendezvous is not None,
        lambda now: now.layout.scale.rendezvous,
        "has no effect with one node",
        "leave it out, or raise nodes",
    ),
    Rule(
        "rendezvous_under_slurm",
        "scale.rendezvous",
        lambda now: now.layout.nodes > 1 and _kind(now) == "slurm" and now.layout.scale.rendezvous is not None,
        lambda now: now.layout.scale.rendezvous,
        "has no effect under Slurm, which knows the first host of the job",
        "leave it out",
    ),
    Rule(
        "rendezvous_is_local",
        "scale.rendezvous",
        lambda now: now.layout.nodes > 1 and (now.layout.scale.rendezvous or "").startswith(LOCAL_NAMES),
        lambda now: now.layout.scale.rendezvous,
        "names each node itself, so none would find the others",
        "give the name that the other nodes know the first one by",
    ),
    Rule(
        "rendezvous_privileged_port",
        "scale.rendezvous",
        lambda now: 0 < int((now.layout.scale.rendezvous or "x:0").rpartition(":")[2]) < 1024,
        lambda now: now.layout.scale.rendezvous,
        "has a port below 1024, which only root may open",
        "use one such as 29500",
    ),
    Rule(
        "several_hosts_from_here",
        "nodes",
        lambda now: now.layout.nodes > 1 and _is_local(now),
        lambda now: now.layout.nodes,
        "cannot be started as a subprocess of one machine",
        "use launcher: {kind: slurm}, or nodes: 1",
    ),
    Rule(
        "several_hosts_in_one_pod",
        "nodes",
        lambda now: now.layout.nodes > 1 and _kind(now) == "kubernetes",
        lambda now: now.layout.nodes,
        "is more than the one pod that is started",
        "use nodes: 1 with more processes, or launcher: {kind: slurm}",
    ),
    Rule(
        "restarts_of_one_process",
        "scale.max_restarts",
        lambda now: now.world_size == 1 and now.layout.scale.max_restarts > 0,
        lambda now: now.layout.scale.max_restarts,
        "has no effect with one process",
        "leave it out; Dagster's own retries go on from the last checkpoint",
    ),
    Rule(
        "restarts_without_checkpoints",
        "scale.max_restarts",
        lambda now: now.layout.scale.max_restarts > 0 and now.checkpoint_every_steps == 0,
        lambda now: now.layout.scale.max_restarts,
        "would begin anew each time, for no checkpoints are written",
        "set checkpoint_every_steps",
    ),
)


def _needs_job(name: str) -> Rule:
    return Rule(
        f"{name}_without_job",
        f"scale.launcher.{name}",
        lambda now: _kind(now) != "slurm" and bool(getattr(now.layout.scale.launcher, name)),
        lambda now: getattr(now.layout.scale.launcher, name),
        "has no effect without Slurm",
        "set launcher.kind to slurm, or leave it out",
    )


LAUNCHER_RULES = (
    Rule(
        "pod_without_image",
        "scale.launcher.image",
        lambda now: _kind(now) == "kubernetes" and now.layout.scale.launcher.image is None,
        lambda now: now.layout.scale.launcher.image,
        "is missing, so there is no container to start",
        "name an image with this project installed",
    ),
    Rule(
        "pod_without_volume",
        "scale.launcher.volume_claim",
        lambda now: _kind(now) == "kubernetes" and now.layout.scale.launcher.volume_claim is None,
        lambda now: now.layout.scale.launcher.volume_claim,
        "is missing, so the pod could not read the run nor leave its checkpoints",
        "name the claim of the volume that holds TUNEWRIGHT_HOME",
    ),
    Rule(
        "pod_package_missing",
        "scale.launcher.kind",
        lambda now: _kind(now) == "kubernetes" and _lacks(now, "dagster_k8s"),
        _kind,
        "needs the package dagster-k8s, which is not installed",
        "install it with `pip install 'tunewright[kubernetes]'`",
    ),
    Rule(
        "pod_devices_differ",
        "scale.launcher.gpus",
        lambda now: _kind(now) == "kubernetes" and now.layout.scale.launcher.gpus not in (None, 0, now.layout.processes),
        lambda now: now.layout.scale.launcher.gpus,
        "differs from processes, so devices would idle or be shared",
        "leave it out: one a process is asked for",
    ),
    Rule(
        "job_devices_too_few",
        "scale.launcher.gpus",
        lambda now: _kind(now) == "slurm" and 0 < (now.layout.scale.launcher.gpus or 0) < now.layout.processes,
        lambda now: now.layout.scale.launcher.gpus,
        "is less than processes on each node",
        "leave it out: one a process is asked for",
    ),
    Rule(
        "sbatch_missing",
        "scale.launcher.kind",
        lambda now: _kind(now) == "slurm" and "sbatch" not in now.programs,
        _kind,
        "needs the command sbatch, which is not on PATH",
        "start Dagster on a login host of the cluster",
    ),
    Rule(
        "image_without_pod",
        "scale.launcher.image",
        lambda now: _kind(now) != "kubernetes" and now.layout.scale.launcher.image is not None,
        lambda now: now.layout.scale.launcher.image,
        "has no effect without a pod",
        "set launcher.kind to kubernetes, or leave it out",
    ),
    Rule(
        "volume_without_pod",
        "scale.launcher.volume_claim",
        lambda now: _kind(now) != "kubernetes" and now.layout.scale.launcher.volume_claim is not None,
        lambda now: now.layout.scale.launcher.volume_claim,
        "has no effect without a pod",
        "set launcher.kind to kubernetes, or leave it out",
    ),
    Rule(
        "secret_without_pod",
        "scale.launcher.secret",
        lambda now: _kind(now) != "kubernetes" and now.layout.scale.launcher.secret is not None,
        lambda now: now.layout.scale.launcher.secret,
        "has no effect without a pod",
        "set launcher.kind to kubernetes, or leave it out",
    ),
    *(_needs_job(name) for name in ("partition", "account", "time", "options")),
    Rule(
        "gpus_of_a_subprocess",
        "scale.launcher.gpus",
        lambda now: _is_local(now) and now.layout.scale.launcher.gpus is not None,
        lambda now: now.layout.scale.launcher.gpus,
        "has no effect on this machine",
        "choose devices with processes and CUDA_VISIBLE_DEVICES",
    ),
)
