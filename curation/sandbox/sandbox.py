r"""Runs Python programs that nobody trusts, each in a process of its own, and says how each ended.

    sandbox = Sandbox(Limits(seconds=2.0))
    sandbox.level                                            "strict"
    sandbox.run("print(int(input()) * 2)", stdin="4").stdout      "8\n"
    sandbox.run("while True: pass").outcome                  "timeout"
    sandbox.counts                                           Counter({"finished": 1, "timeout": 1})

Always: limits on processor time, address space, file size, processes and open files that can only be lowered; a limit on
time by the clock; an empty environment; a fresh folder that is removed afterwards; no descriptor of ours but the two ends of
output; standard input empty or as given; output cut; no new privileges; the standard library only. What else holds depends
on what the kernel allows, and `level` says which of these it is:

strict     (root, or a kernel that gives unprivileged users namespaces) The program sees its own processes only, so it can
           signal nobody else, and every descendant dies with it; no network at all; of files only Python, `/usr`, `/lib`,
           `/bin` (read-only) and a `/tmp` in memory of bounded size. Not stopped: faults of the kernel itself, and use of
           memory by several processes together up to `processes` times `memory_mb`.
own_user   (root without namespaces) A user id that nobody else has: it can neither signal nor read what is not open to all,
           and all processes of that id are killed afterwards. Not stopped: reading files that everybody may read, opening
           sockets, filling folders that everybody may write to (`/tmp`), file by file up to `disk_mb`.
plain      (neither) The program can start no process and no thread, so nothing survives it. Not stopped: everything that our
           own user may do in one process: read and change our files, open sockets, signal our other processes, us included.

No level uses seccomp: the kernel's whole interface is open to the program. Where answers are really hostile, run in a virtual
machine as well. TUNEWRIGHT_SANDBOX names the lowest level that will do; below it nothing is run.
"""

import collections
import contextlib
import functools
import marshal
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal, NamedTuple

from curation.errors import SandboxUnavailableError
from curation.sandbox.limits import Limits
from curation.sandbox.watch import Watched, watch

Level = Literal["plain", "own_user", "strict"]
LEVELS: tuple[Level, ...] = ("plain", "own_user", "strict")
"""From the weakest to the strongest."""

LEVEL_VARIABLE = "TUNEWRIGHT_SANDBOX"
_PROJECT = str(Path(__file__).parent.parent.parent)
_START = "import sys; sys.path.insert(0, {project!r}); from curation.sandbox.supervisor import main; main({report})"
_MESSAGES = (
    ("MemoryError", "memory"),
    ("No space left on device", "disk"),
    ("File too large", "disk"),
    ("Disk quota exceeded", "disk"),
    ("Resource temporarily unavailable", "processes"),
    ("can't start new thread", "processes"),
    ("Too many open files", "open_files"),
)


class Run(NamedTuple):
    """How a program ended."""

    outcome: str
    """`finished` (exit code 0), `failed` (an error, or another exit code), or the limit that it met: `timeout`, `memory`,
    `disk`, `processes`, `open_files`, `output`; `killed` by a signal, `broke_out` if it ended its supervisor."""
    stdout: str
    error: str
    """The last line of its error messages, or what else says why it ended."""
    is_complete: bool
    """Whether all sources ran to their end: `sys.exit()` and `os._exit()` in the middle are no end."""
    cpu_seconds: float = 0.0
    """Processor time that it took; 0 where that is not known. On a busy machine less than the clock says."""


class Sandbox:
    """Runs programs under limits; counts how they ended."""

    def __init__(self, limits: Limits | None = None, required: str | None = None) -> None:
        """Choose limits and the lowest level that will do; None takes TUNEWRIGHT_SANDBOX, or `plain`.

        Raises:
            SandboxUnavailableError: if this machine does not reach that level, or there is no such level.
        """
        self.limits = limits or Limits()
        self.level = find_level()
        self.counts: collections.Counter[str] = collections.Counter()
        require_level(required or os.environ.get(LEVEL_VARIABLE) or LEVELS[0])

    def run(self, *sources: str, stdin: str = "") -> Run:
        """Run Python sources one after the other, as one program with the same names.

        Raises:
            SandboxUnavailableError: if the machine does not let the sandbox be built.
        """
        found = run_once(sources, stdin, self.limits, self.level)
        self.counts[found.outcome] += 1
        return found


def require_level(required: str) -> None:
    """Raise SandboxUnavailableError unless this machine reaches a level."""
    if required not in LEVELS:
        raise SandboxUnavailableError(level=required, reason=f"there are the levels {', '.join(LEVELS)}")
    if LEVELS.index(find_level()) < LEVELS.index(required):
        raise SandboxUnavailableError(level=required, reason=f"this machine allows '{find_level()}' only")


@functools.cache
def find_level() -> Level:
    """Return the strongest level that a trivial program runs at here.

    Raises:
        SandboxUnavailableError: if there is none.
    """
    reason = "it needs Linux"
    for level in reversed(LEVELS) if sys.platform == "linux" else ():
        if (level == "own_user") != (os.geteuid() == 0) and level != "strict":
            continue
        try:
            if run_once(("import fractions",), "", Limits(seconds=30.0), level).is_complete:
                return level
        except SandboxUnavailableError as error:
            reason = error.fields["reason"]
    raise SandboxUnavailableError(level="plain", reason=reason)


def run_once(sources: tuple[str, ...], stdin: str, limits: Limits, level: Level) -> Run:
    """Run a program at one level. Raises SandboxUnavailableError if the kernel refuses the level."""
    folder = tempfile.mkdtemp(prefix="tunewright-sandbox-")
    token = secrets.token_hex(16).encode()
    try:
        watched = _start(_describe(sources, stdin, limits, level, folder, token), limits, folder)
    finally:
        _remove(folder)
    if "refused" in watched.report:
        raise SandboxUnavailableError(level=level, reason=watched.report["refused"])
    return _judge(watched, limits, token)


def _describe(sources: tuple[str, ...], stdin: str, limits: Limits, level: Level, folder: str, token: bytes) -> dict[str, Any]:
    return {
        "sources": tuple(source.encode("utf-8", "replace").decode() for source in sources),
        "stdin": stdin.encode("utf-8", "replace"),
        "level": level,
        "folder": folder,
        "token": token,
        "python": sys.base_prefix,
        "project": _PROJECT,
        "cpu_seconds": limits.cpu_seconds,
        **{name: getattr(limits, name) for name in ("seconds", "memory_mb", "disk_mb", "max_files", "processes", "open_files")},
    }


def _start(job: dict[str, Any], limits: Limits, folder: str) -> Watched:
    read_end, write_end = os.pipe()
    python = getattr(sys, "_base_executable", sys.executable)
    start = _START.format(project=_PROJECT, report=write_end)
    try:
        child = subprocess.Popen(
            [python, "-I", "-S", "-X", "utf8", "-c", start],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={},
            cwd="/",
            pass_fds=(write_end,),
            start_new_session=True,
        )
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    return watch(child, marshal.dumps(job), read_end, limits, folder if job["level"] != "strict" else None)


def _judge(watched: Watched, limits: Limits, token: bytes) -> Run:
    report = watched.report
    is_complete = watched.stdout.endswith(token) and report.get("code") == "0"
    stdout = watched.stdout.removesuffix(token).decode("utf-8", "replace")
    error = _last_line(watched.stderr)
    outcome = watched.outcome or report.get("outcome", "broke_out")
    if outcome == "ended":
        outcome = _name_end(report, error, limits)
    if outcome == "killed":
        error = f"signal {report['code'].lstrip('-')}"
    return Run(outcome, stdout, error, is_complete and outcome == "finished", _read_time(report.get("cpu", "")))


def _read_time(told: str) -> float:
    try:
        return max(0.0, float(told))
    except ValueError:
        return 0.0


def _name_end(report: dict[str, str], error: str, limits: Limits) -> str:
    code = int(report["code"])
    if code == 0:
        return "finished"
    if code == -signal.SIGXCPU:
        return "timeout"
    if code < 0:
        return "timeout" if float(report["cpu"]) >= 0.9 * limits.cpu_seconds else "killed"
    return next((outcome for text, outcome in _MESSAGES if text in error), "failed")


def _last_line(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:500] if lines else ""


def _remove(folder: str) -> None:
    """Remove a folder whatever a program has made of it: closed folders, folders a thousand deep, or none any more."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        if not any(entry.is_dir(follow_symlinks=False) for entry in entries):
            shutil.rmtree(folder, ignore_errors=True)
    if Path(folder).exists():
        subprocess.run(["chmod", "-R", "u+rwX", folder], capture_output=True, check=False)
        subprocess.run(["rm", "-rf", folder], capture_output=True, check=False)
