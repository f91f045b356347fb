"""What a program in the sandbox may use.

Limits(seconds=2.0, memory_mb=256).cpu_seconds        2: rounded up to whole seconds
"""

import math

from curation.config import check, config


@config
class Limits:
    """Upper bounds of one run; the kernel or the supervisor ends a program that reaches one."""

    seconds: float = 5.0
    """Time by the clock, and the processor time of each process."""

    processor_seconds: float | None = None
    """Processor time of each process where it differs; null: `seconds`."""

    memory_mb: int = 512
    """Address space of each process, in MiB; the interpreter itself takes about 30."""

    disk_mb: int = 32
    """All files together at level `strict`, else each file and, looked at twenty times a second, the folder, in MiB."""

    max_files: int = 1_000
    """Files and folders at level `strict`."""

    processes: int = 16
    """Processes and threads, that of the program among them; at level `plain` it may start none."""

    open_files: int = 64
    """Open files of each process."""

    output_bytes: int = 1_000_000
    """Bytes of output and of error messages, each; a program that writes more is ended."""

    def __post_init__(self) -> None:
        check(0.05 <= self.seconds <= 3600, "seconds", "must lie in [0.05, 3600]", self.seconds)
        processor = self.processor_seconds
        check(processor is None or 0.05 <= processor <= 3600, "processor_seconds", "must lie in [0.05, 3600]", processor)
        bounds = {
            "memory_mb": (64, 1 << 20),
            "disk_mb": (1, 1 << 16),
            "max_files": (50, 1 << 20),
            "processes": (1, 4096),
            "open_files": (8, 4096),
            "output_bytes": (100, 1 << 28),
        }
        for name, (least, most) in bounds.items():
            value = getattr(self, name)
            check(least <= value <= most, name, f"must lie in [{least}, {most}]", value)

    @property
    def cpu_seconds(self) -> int:
        """The processor time that a process gets: the kernel counts whole seconds."""
        return math.ceil(self.seconds if self.processor_seconds is None else self.processor_seconds)
