"""On how many devices a stage trains, and who starts it there.

training:
  processes: 8              # a host, one a GPU
  nodes: 2
  strategy: fsdp2
  scale:
    rendezvous: "gpu-1.cluster:29500"
    max_restarts: 3
    launcher: {kind: slurm, partition: gpu, time: "08:00:00"}
"""

import re
from typing import Literal

from curation.config import check, config

Strategy = Literal["ddp", "fsdp2", "deepspeed_zero2", "deepspeed_zero3"]
STRATEGIES: tuple[Strategy, ...] = ("ddp", "fsdp2", "deepspeed_zero2", "deepspeed_zero3")
LauncherKind = Literal["subprocess", "kubernetes", "slurm"]
MAX_PROCESSES, MAX_NODES = 64, 1024

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,250}")
_RENDEZVOUS = re.compile(r"(?P<host>[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\]):(?P<port>\d{1,5})")
_TIME = re.compile(r"(\d{1,3}-)?\d{1,3}:\d{2}(:\d{2})?")


@config
class ParallelConfig:
    """How `fsdp2` divides the devices; the product of the four is their number."""

    replicate: int = 1
    """Copies of the sharded model, one a host usually (HSDP)."""

    shard: int | None = None
    """Devices that share one copy of the weights; null: all that the others leave."""

    context: int = 1
    """Devices that share one long row (ring attention)."""

    tensor: int = 1
    """Devices of one host that share every matrix."""

    def __post_init__(self) -> None:
        for name in ("replicate", "context", "tensor"):
            check(getattr(self, name) >= 1, f"parallel.{name}", "must be at least 1", getattr(self, name))
        check(self.shard is None or self.shard >= 1, "parallel.shard", "must be at least 1, or left out", self.shard)

    @property
    def fixed(self) -> int:
        """Devices without those that shard."""
        return self.replicate * self.context * self.tensor


@config
class LauncherConfig:
    """Who starts the training process: this machine, a Kubernetes cluster, or Slurm."""

    kind: LauncherKind = "subprocess"
    """`subprocess` on this machine; `kubernetes` in a pod (extra `kubernetes`); `slurm` through sbatch."""

    image: str | None = None
    """Kubernetes: container image with this project installed."""

    namespace: str = "default"
    """Kubernetes: namespace of the pod."""

    volume_claim: str | None = None
    """Kubernetes: claim of the volume that holds TUNEWRIGHT_HOME, mounted at the same path in the pod."""

    secret: str | None = None
    """Kubernetes: name of a Secret whose keys become variables of the pod, such as HF_TOKEN and AWS_SECRET_ACCESS_KEY."""

    gpus: int | None = None
    """Devices to ask for on each host; null: as many as processes."""

    partition: str | None = None
    """Slurm: partition to queue in."""

    account: str | None = None
    """Slurm: account to book on."""

    time: str | None = None
    """Slurm: time limit as HH:MM:SS or D-HH:MM:SS."""

    options: tuple[str, ...] = ()
    """Slurm: further options of sbatch, such as `--constraint=h100`."""

    def __post_init__(self) -> None:
        for name in ("image", "namespace", "volume_claim", "secret", "partition", "account"):
            value = getattr(self, name)
            fits = value is None or _NAME.fullmatch(value) is not None
            check(fits, f"launcher.{name}", "must be a name of letters, digits and . _ / : @ -", value)
        check(
            self.gpus is None or 0 <= self.gpus <= MAX_PROCESSES,
            "launcher.gpus",
            f"must lie in [0, {MAX_PROCESSES}]",
            self.gpus,
        )
        fits = self.time is None or _TIME.fullmatch(self.time) is not None
        check(fits, "launcher.time", "must be HH:MM:SS or D-HH:MM:SS", self.time)
        for option in self.options:
            fits = re.fullmatch(r"--[a-z][a-z0-9-]*(=[^\s\x00-\x1f]+)?", option) is not None
            check(fits, "launcher.options", "must each be --name or --name=value without blanks", option)
            name = option.split("=")[0]
            check(
                name not in OWN_OPTIONS, "launcher.options", f"must not repeat what we set ({', '.join(OWN_OPTIONS)})", option
            )


OWN_OPTIONS = ("--wait", "--parsable", "--output", "--error", "--wrap", "--export", "--nodes", "--ntasks-per-node")
"""Options of sbatch that the Slurm client needs for itself."""


@config
class ScaleConfig:
    """What several processes or hosts need beyond their number."""

    rendezvous: str | None = None
    """HOST:PORT where the hosts find each other; needed with several nodes, but for Slurm, which knows its hosts."""

    max_restarts: int = 0
    """How often all processes are started again when one dies; they go on from the last checkpoint."""

    parallel: ParallelConfig = ParallelConfig()
    """How `fsdp2` divides the devices."""

    launcher: LauncherConfig = LauncherConfig()
    """Who starts the processes."""

    def __post_init__(self) -> None:
        check(0 <= self.max_restarts <= 100, "scale.max_restarts", "must lie in [0, 100]", self.max_restarts)
        if self.rendezvous is not None:
            found = _RENDEZVOUS.fullmatch(self.rendezvous)
            fits = found is not None and 0 < int(found["port"]) < 65536
            check(fits, "scale.rendezvous", "must be HOST:PORT with a port in [1, 65535]", self.rendezvous)


@config
class Layout:
    """The devices of a run, as `training.processes`, `nodes`, `strategy` and `scale` say."""

    processes: int = 1
    """Training processes on each host, one a GPU."""

    nodes: int = 1
    """Hosts."""

    strategy: Strategy = "ddp"
    """`ddp` copies the model to every device; `fsdp2` and `deepspeed_zero3` spread weights, gradients and optimizer over them,
    `deepspeed_zero2` only the latter two."""

    scale: ScaleConfig = ScaleConfig()
    """Where hosts meet, restarts, the mesh, and who starts the processes."""

    def __post_init__(self) -> None:
        check(1 <= self.processes <= MAX_PROCESSES, "training.processes", f"must lie in [1, {MAX_PROCESSES}]", self.processes)
        check(1 <= self.nodes <= MAX_NODES, "training.nodes", f"must lie in [1, {MAX_NODES}]", self.nodes)
        check(self.strategy in STRATEGIES, "training.strategy", f"must be one of {', '.join(STRATEGIES)}", self.strategy)

    def alone(self) -> "Layout":
        """Return one process with the same launcher."""
        return Layout(scale=ScaleConfig(launcher=self.scale.launcher))

    @property
    def world_size(self) -> int:
        """Training processes on all hosts."""
        return self.processes * self.nodes

    @property
    def shard(self) -> int:
        """Devices that share one copy of the weights."""
        return self.scale.parallel.shard or max(1, self.world_size // self.scale.parallel.fixed)
