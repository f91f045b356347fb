"""A running engine: started in a process of its own, watched until it answers, and stopped with all that it started.

    engine = start_engine(plan, log=folder / "engine.log")
    await wait_ready(engine, say)             # EngineFailedError, EngineMemoryError: with the engine's own last words
    await stop_engine(engine)

Call `start_engine` on the main thread: the engine dies with the thread that started it (Linux), so that even a `kill -9` of
this process leaves nothing on the GPU.
"""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.errors import EngineFailedError, EngineMemoryError
from evaluation.serving.engines import LOOPBACK, EnginePlan

READY_SECONDS = 1800.0
STOP_SECONDS = 20.0
TELL_SECONDS = 5.0
_MEMORY = re.compile(
    r"out of memory|OutOfMemoryError|can't allocate memory|cannot allocate memory|MemoryError|no available memory",
    re.IGNORECASE,
)
_KEEPER = (
    "import ctypes, os, signal, sys\n"
    "parent, command = int(sys.argv[1]), sys.argv[2:]\n"
    "if sys.platform == 'linux': ctypes.CDLL(None).prctl(1, signal.SIGTERM)\n"
    "if os.getppid() != parent: sys.exit(143)\n"
    "os.execvp(command[0], command)\n"
)
"""Ask the kernel for a SIGTERM when the parent dies, then become the engine."""


@dataclass(frozen=True, kw_only=True)
class EngineProcess:
    """A started engine."""

    plan: EnginePlan
    process: subprocess.Popen[bytes]
    log: Path
    log_start: int
    """Bytes of the log that earlier engines wrote."""

    @property
    def is_running(self) -> bool:
        """Tell whether the process is there."""
        return self.process.poll() is None


def find_free_port() -> int:
    """Return a port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def start_engine(plan: EnginePlan, *, log: Path) -> EngineProcess:
    """Start an engine in a process group of its own; what it says goes to the log. Raises EngineFailedError."""
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", _KEEPER, str(os.getpid()), *plan.command]
    try:
        with log.open("ab") as file:
            log_start = file.tell()
            process = subprocess.Popen(
                command,
                cwd=plan.folder,
                env=dict(plan.environment),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
    except OSError as error:
        raise EngineFailedError(engine=plan.engine, reason=str(error), log=log) from error
    return EngineProcess(plan=plan, process=process, log=log, log_start=log_start)


async def wait_ready(
    engine: EngineProcess, say: Callable[[str], None], *, seconds: float = READY_SECONDS, every: float = 0.2
) -> float:
    """Wait until an engine answers, say how it goes, and return how many seconds it took.

    Raises:
        EngineMemoryError: if it ended for want of memory.
        EngineFailedError: if it ended otherwise, or does not answer in time; then it still runs.
    """
    import aiohttp

    began = told = time.monotonic()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        while not await _answers(session, engine.plan.url + engine.plan.health):
            now = time.monotonic()
            if not engine.is_running:
                raise _why_ended(engine)
            if now - began > seconds:
                reason = f"it did not answer within {seconds:.0f} s"
                raise EngineFailedError(engine=engine.plan.engine, reason=reason, log=engine.log)
            if now - told >= TELL_SECONDS:
                told = now
                said = _last_lines(engine, 1)
                say(f"{engine.plan.engine}: loading for {now - began:.0f} s" + (f"  ({said[-1][:100]})" if said else ""))
            await asyncio.sleep(every)
    for command in engine.plan.after_start:
        await _run_beside(engine, command)
    return time.monotonic() - began


async def _run_beside(engine: EngineProcess, command: list[str]) -> None:
    with engine.log.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=engine.plan.folder, env=dict(engine.plan.environment), stdout=log, stderr=log
        )
        try:
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
    if code:
        said = " ".join(_last_lines(engine, 1))
        reason = f"`{' '.join(command[:2])}` ended with exit code {code}: {said[:200]}"
        raise EngineFailedError(engine=engine.plan.engine, reason=reason, log=engine.log)


async def _answers(session: Any, url: str) -> bool:
    import aiohttp

    try:
        async with session.get(url) as response:
            return bool(response.status == 200)
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False


def _why_ended(engine: EngineProcess) -> EngineFailedError | EngineMemoryError:
    code, said = engine.process.returncode, _last_lines(engine, 60)
    found = next((line for line in reversed(said) if _MEMORY.search(line)), "")
    if found:
        return EngineMemoryError(engine=engine.plan.engine, reason=found.strip()[:200], log=engine.log)
    if code == -signal.SIGKILL:
        return EngineMemoryError(engine=engine.plan.engine, reason="the system killed it", log=engine.log)
    last = said[-1].strip()[:200] if said else "it said nothing"
    return EngineFailedError(engine=engine.plan.engine, reason=f"exit code {code}: {last}", log=engine.log)


async def stop_engine(engine: EngineProcess, *, seconds: float = STOP_SECONDS) -> None:
    """Stop an engine and everything that it started: SIGINT, and after `seconds` SIGKILL."""
    _signal(engine, signal.SIGINT)
    deadline = time.monotonic() + seconds
    while engine.is_running and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    _signal(engine, signal.SIGKILL)
    await asyncio.to_thread(engine.process.wait)


def kill_engine(engine: EngineProcess) -> None:
    """End an engine and everything that it started at once."""
    _signal(engine, signal.SIGKILL)


def _signal(engine: EngineProcess, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(engine.process.pid, number)


def _last_lines(engine: EngineProcess, num_lines: int, num_bytes: int = 16384) -> list[str]:
    try:
        with engine.log.open("rb") as file:
            file.seek(max(engine.log_start, engine.log.stat().st_size - num_bytes))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-num_lines:]
