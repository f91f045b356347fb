"""The GPUs of this machine, as `nvidia-smi` lists them: the parent process asks, and never imports torch.

find_gpus()      # (Gpu(name="NVIDIA H100 80GB HBM3", memory=85_520_809_984),), or () where there is none
"""

import os
import subprocess
from typing import NamedTuple

QUERY = ("nvidia-smi", "--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits")
SECONDS = 10.0


class Gpu(NamedTuple):
    """One device."""

    name: str
    memory: int
    """Bytes, the driver's own share left out."""


def find_gpus() -> tuple[Gpu, ...]:
    """Return the devices that a training process will see, in order; none where the driver's tool is missing or silent."""
    try:
        done = subprocess.run(QUERY, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.SubprocessError):
        return ()
    return read_gpus(done.stdout, os.environ.get("CUDA_VISIBLE_DEVICES")) if done.returncode == 0 else ()


def read_gpus(listing: str, visible: str | None = None) -> tuple[Gpu, ...]:
    """Read what `nvidia-smi` printed, one device a line, MiB; keep those that CUDA_VISIBLE_DEVICES names, in its order."""
    found: dict[str, Gpu] = {}
    for line in listing.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) == 4 and parts[3].isdigit():
            index, uuid, name, mebibytes = parts
            found[index] = found[uuid] = Gpu(name, int(mebibytes) * 2**20)
    if visible is None:
        return tuple(gpu for key, gpu in found.items() if key.isdigit())
    seen = []
    for key in (part.strip() for part in visible.split(",")):
        full = next((name for name in found if name == key or (key.startswith("GPU-") and name.startswith(key))), None)
        if full is None:
            break  # CUDA ignores all that follow an unknown one
        seen.append(found[full])
    return tuple(seen)
