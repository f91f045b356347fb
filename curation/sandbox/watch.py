"""Watches the child process of a sandbox: reads what it writes up to a limit, and ends it when its time is over.

watched = watch(child, job, report, Limits(), folder=None)
watched.outcome                             "": it ended by itself; else `output`, `disk` or `timeout`
"""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from typing import NamedTuple

from curation.sandbox.limits import Limits

_GRACE = 2.0
"""Seconds that the supervisor, who watches the clock itself, gets beyond the program's time."""

_MAX_STDERR_BYTES, _MAX_REPORT_BYTES = 65_536, 4_096
_PIECE, _LOOK_EVERY = 65_536, 0.05


class Watched(NamedTuple):
    """What a child left behind."""

    stdout: bytes
    stderr: bytes
    report: dict[str, str]
    """What the supervisor says of the end; empty if it was ended before it could."""
    outcome: str
    """Why it was ended from here; empty if it ended by itself."""


class _Stream:
    def __init__(self, most: int) -> None:
        self.parts: list[bytes] = []
        self.size, self.most = 0, most

    def add(self, part: bytes) -> None:
        self.parts.append(part[: max(0, self.most - self.size)])
        self.size += len(part)


def watch(child: subprocess.Popen[bytes], job: bytes, report: int, limits: Limits, folder: str | None) -> Watched:
    """Hand a child its job, read what it writes, and return when it is gone, one way or the other.

    Args:
        child: just started, with three pipes, leader of its own process group.
        job: what it reads from its standard input.
        report: descriptor on which it reports; closed here.
        limits: of the program.
        folder: looked at for its size; None where the kernel bounds it.
    """
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    with contextlib.suppress(BrokenPipeError), child.stdin:
        child.stdin.write(job)
    streams = {
        child.stdout.fileno(): _Stream(limits.output_bytes),
        child.stderr.fileno(): _Stream(_MAX_STDERR_BYTES),
        report: _Stream(_MAX_REPORT_BYTES),
    }
    try:
        outcome = _read(child, streams, limits, folder)
    finally:
        _end(child)
        _drain(streams)
        for pipe in (child.stdout, child.stderr):
            pipe.close()
        os.close(report)
    stdout, stderr, told = (b"".join(stream.parts) for stream in streams.values())
    return Watched(stdout, stderr, _read_report(told), outcome)


def _read_report(told: bytes) -> dict[str, str]:
    """Return the supervisor's last word; if that is only the number of the program, it was killed, and so is the program."""
    lines = (line.partition(" ") for line in told.decode("utf-8", "replace").splitlines())
    found = {name: value for name, _, value in lines}
    if found.keys() == {"program"}:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(found["program"]), signal.SIGKILL)
    return found


def _read(child: subprocess.Popen[bytes], streams: dict[int, _Stream], limits: Limits, folder: str | None) -> str:
    deadline = time.monotonic() + limits.seconds + _GRACE
    look = time.monotonic() + _LOOK_EVERY
    with selectors.DefaultSelector() as selector:
        for descriptor in streams:
            os.set_blocking(descriptor, False)
            selector.register(descriptor, selectors.EVENT_READ)
        while child.poll() is None and selector.get_map():
            for key, _ in selector.select(_LOOK_EVERY):
                part = os.read(key.fd, _PIECE)
                streams[key.fd].add(part)
                if not part:
                    selector.unregister(key.fd)
            if any(stream.size > limits.output_bytes for stream in streams.values()):
                return "output"
            if (now := time.monotonic()) > deadline:
                return "timeout"
            if folder is not None and now > look:
                look = now + _LOOK_EVERY
                if _size_of(folder) > limits.disk_mb << 20:
                    return "disk"
    return ""


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ask the supervisor to end everything, then end it."""
    if child.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.02)
    if child.poll() is None:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE)
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _drain(streams: dict[int, _Stream]) -> None:
    for descriptor, stream in streams.items():
        with contextlib.suppress(BlockingIOError):
            while stream.size <= stream.most and (part := os.read(descriptor, _PIECE)):
                stream.add(part)


def _size_of(folder: str) -> int:
    """Return the bytes under a folder that another process is changing; 0 for what cannot be read any more."""
    total, waiting, left = 0, [folder], 10_000
    while waiting and left > 0:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                left -= 1
                with contextlib.suppress(OSError):
                    total += entry.stat(follow_symlinks=False).st_size
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
    return total
