"""The child process of a sandbox: shuts itself in, runs the program in a child of its own, and ends all that comes of it.

    python -I -S -B -X utf8 -c "... supervisor.main(3)"       the job on standard input, the report on descriptor 3

Knows three levels (`Sandbox` says what each stops). `strict`: the program's parent is process 1 of new namespaces, so that
the kernel ends every descendant with it. `own_user`: the program has a user id that nobody else has, and everything of that
id is killed. `plain`: the program may start no process at all.
"""

import marshal
import os
import resource
import signal
import sys
import time

from curation.sandbox import kernel

TYPE_CHECKING = False  # mypy takes it for true; importing typing would cost every program seven milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    Job = dict[str, Any]

FIRST_USER = 1_000_000_000
"""User ids from here on, plus the number of a process, belong to nobody."""

_SIGNALS = (signal.SIGCHLD, signal.SIGTERM)


def main(report: int) -> "NoReturn":
    """Run the job that stands on standard input; what became of it is written to the descriptor `report`."""
    job: Job = marshal.loads(_read_all(0))  # noqa: S302 (our own parent wrote it)
    stdin = os.memfd_create("stdin")
    os.write(stdin, job["stdin"])
    os.lseek(stdin, 0, os.SEEK_SET)
    os.dup2(stdin, 0)
    os.close(stdin)
    _offer_to_oom_killer()
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        {"strict": _run_strict, "own_user": _run_as_nobody, "plain": _run_plain}[job["level"]](job, report)
    except OSError as error:
        _tell(report, {"refused": repr(error)})
    os._exit(0)


def _run_strict(job: "Job", report: int) -> None:
    user, group, is_root = os.getuid(), os.getgid(), os.getuid() == 0
    kernel.unshare(kernel.NEW_NAMESPACES | (0 if is_root else kernel.NEW_USER))
    if is_root:
        user = group = FIRST_USER + os.getpid()
    else:
        kernel.map_user(user, group)
    first = os.fork()
    if first:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)  # killed, it takes process 1 with it
        os.waitpid(first, 0)
        return
    kernel.die_with_parent()
    kernel.build_root(job["folder"], job)

    def shut_in() -> None:
        if is_root:
            _become(user, group)
            kernel.unshare(kernel.NEW_USER)
            kernel.map_user(user, group)
        kernel.forbid_namespaces()

    num_own = 0 if is_root else 2  # this process and its parent have the user id of the program
    _tell(report, _supervise(job, report, shut_in, job["processes"] + num_own))


def _run_as_nobody(job: "Job", report: int) -> None:
    user = FIRST_USER + os.getpid()
    os.chown(job["folder"], user, user)
    os.chdir(job["folder"])

    def shut_in() -> None:
        _become(user, user)
        kernel.show_descriptors()

    found = _supervise(job, report, shut_in, job["processes"])
    _kill_all_of(user)
    _tell(report, found)


def _run_plain(job: "Job", report: int) -> None:
    kernel.hide_descriptors()
    os.chdir(job["folder"])
    _tell(report, _supervise(job, report, kernel.die_with_parent, 1))


def _supervise(job: "Job", report: int, shut_in: "Callable[[], None]", processes: int) -> "Job":
    """Run the program until it ends, or the time is over, or a SIGTERM says so; return how it ended."""
    start = time.monotonic()
    program = os.fork()
    if program == 0:
        _run_program(job, report, shut_in, processes)
    if job["level"] == "plain":
        _tell(report, {"program": program})
    ended = _wait(program, start + job["seconds"])
    if ended is None:
        os.kill(program, signal.SIGKILL)
        usage = os.wait4(program, 0)[2]
        return {"outcome": "timeout", "cpu": usage.ru_utime + usage.ru_stime}
    status, usage = ended
    return {"outcome": "ended", "code": os.waitstatus_to_exitcode(status), "cpu": usage.ru_utime + usage.ru_stime}


def _wait(program: int, deadline: float) -> tuple[int, resource.struct_rusage] | None:
    while (left := deadline - time.monotonic()) > 0:
        while (found := _reap()) is not None:
            if found[0] == program:
                return found[1], found[2]
        signalled = signal.sigtimedwait(_SIGNALS, left)
        if signalled is not None and signalled.si_signo == signal.SIGTERM:
            break
    return None


def _reap() -> tuple[int, int, resource.struct_rusage] | None:
    try:
        found = os.wait4(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return found if found[0] else None


def _run_program(job: "Job", report: int, shut_in: "Callable[[], None]", processes: int) -> "NoReturn":
    try:
        os.setsid()
        shut_in()
        _limit(job, processes)
        kernel.drop_privileges()
        os.closerange(3, 4096)
    except BaseException as error:
        _tell(report, {"refused": repr(error)})
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    sys.path[:] = [path for path in sys.path if path != job["project"]]
    sys.argv = ["answer"]
    _execute(job["sources"], job["token"])


def _execute(sources: tuple[str, ...], token: bytes) -> "NoReturn":
    names: dict[str, Any] = {"__name__": "__main__"}
    code = 0
    try:
        for source in sources:
            exec(compile(source, "<answer>", "exec"), names)  # noqa: S102 (this is what the sandbox is for)
    except SystemExit as stop:
        code, token = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1, b""
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code, token = 1, b""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(1, token)
    except BaseException:
        code = code or 1
    os._exit(code & 255)


def _limit(job: "Job", processes: int) -> None:
    """Set limits that can only be lowered from here on.

    The kernel tells that the processor time is used up with a signal of its own, and kills who goes on a second later.
    """
    mib = 1 << 20
    limits = {
        resource.RLIMIT_AS: job["memory_mb"] * mib,
        resource.RLIMIT_FSIZE: job["disk_mb"] * mib,
        resource.RLIMIT_NPROC: processes,
        resource.RLIMIT_NOFILE: job["open_files"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    resource.setrlimit(resource.RLIMIT_CPU, (job["cpu_seconds"], job["cpu_seconds"] + 1))
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))


def _become(user: int, group: int) -> None:
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


def _kill_all_of(user: int) -> None:
    """Kill every process of a user id, also those that are just being born: kill(-1) by that very user."""
    killer = os.fork()
    if killer == 0:
        try:
            os.setresuid(user, user, user)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(killer, 0)


def _offer_to_oom_killer() -> None:
    try:
        kernel.write("/proc/self/oom_score_adj", "1000")
    except OSError:
        return


def _read_all(descriptor: int) -> bytes:
    parts = []
    while part := os.read(descriptor, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _tell(report: int, found: "Job") -> None:
    """Write the report as lines of a name and a value: plain text, since the parent trusts nobody here."""
    os.write(report, "".join(f"{name} {value}\n" for name, value in found.items()).encode())
