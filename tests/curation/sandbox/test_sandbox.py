"""Programs that answer wrongly, run forever, or mean harm: each is ended, named and counted, and nothing of it is left."""

import dataclasses
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import ConfigError, SandboxUnavailableError
from curation.sandbox import sandbox as module
from curation.sandbox.limits import Limits
from curation.sandbox.sandbox import LEVEL_VARIABLE, Sandbox, require_level
from tests.curation.sandbox.levels import level_here

pytestmark = pytest.mark.skipif(level_here() == "none", reason="this machine has no sandbox of any level")
MIB = 1 << 20
SMALL = Limits(seconds=60, memory_mb=128, disk_mb=4, output_bytes=50_000)
SHORT = dataclasses.replace(SMALL, seconds=0.6)
"""For what never ends by itself; all else may take as long as a slow machine does."""


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(SMALL)


@pytest.fixture
def marked() -> Iterator[str]:
    """Name of a process that a program starts; afterwards none of that name may be alive."""
    name = f"tw{os.getpid()}x{time.monotonic_ns() % 10**6}"[:15]
    yield name
    for _ in range(1200):
        if not alive(name):
            return
        time.sleep(0.05)
    raise AssertionError(f"{alive(name)} survived")


def alive(name: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "comm").read_text().strip() == name and " Z " not in (entry / "stat").read_text():
                found.append(entry.name)
        except OSError:
            continue
    return found


def test_a_program_reads_and_writes(sandbox: Sandbox) -> None:
    done = sandbox.run("number = int(input())", "print(number * 2, end='')", stdin="21")
    assert (done.outcome, done.stdout, done.is_complete) == ("finished", "42", True)
    assert sandbox.counts == {"finished": 1}


@pytest.mark.parametrize(
    ("source", "outcome", "error"),
    [
        ("def f(:", "failed", "SyntaxError: invalid syntax"),
        ("assert 1 == 2, 'differs'", "failed", "AssertionError: differs"),
        ("import sys; sys.exit(0)", "finished", ""),
        ("import os; os._exit(0)", "finished", ""),
        ("import sys; sys.exit(3)", "failed", ""),
        ("import os; os.abort()", "killed", "signal 6"),
        ("x = [0] * (10 ** 9)", "memory", "MemoryError"),
        ("file = open('a', 'w')\nwhile True: file.write('x' * 100_000)", "disk", None),
        ("files = [open('/dev/null') for _ in range(100)]", "open_files", None),
        ("\x00", "failed", None),
        ("\ud800", "failed", None),
    ],
)
def test_ends_are_named(sandbox: Sandbox, source: str, outcome: str, error: str | None) -> None:
    done = sandbox.run(source, "pass")
    assert done.outcome == outcome, done
    assert error is None or done.error == error
    assert not done.is_complete
    assert sandbox.counts == {outcome: 1}


def test_endless_output_is_cut(sandbox: Sandbox) -> None:
    done = sandbox.run("while True: print('x' * 1000)")
    assert done.outcome == "output"
    assert len(done.stdout) <= 50_000


def test_a_token_cannot_be_guessed_and_is_no_output(sandbox: Sandbox) -> None:
    done = sandbox.run("print('done')")
    assert done.stdout == "done\n"
    assert not sandbox.run("print('0' * 32, end=''); import os; os._exit(0)").is_complete


def test_nothing_of_ours_is_inherited(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    monkeypatch.setenv("SECRET_KEY", "hush")
    with open("/etc/hostname") as file:
        os.set_inheritable(file.fileno(), True)
        done = sandbox.run(
            "import os, sys",
            "print(dict(os.environ), sorted(os.listdir('/proc/self/fd')), os.listdir('.'), sys.stdin.read(), sys.argv)",
        )
    kept = done.stdout.replace("'LC_CTYPE': 'C.UTF-8'", "")
    assert kept == "{} ['0', '1', '2', '3'] []  ['answer']\n", done  # 3 is the folder that is being listed


def test_limits_cannot_be_raised(sandbox: Sandbox) -> None:
    raise_it = "import resource as r; r.setrlimit(r.RLIMIT_AS, (1 << 40, 1 << 40))"
    assert "not allowed to raise maximum limit" in sandbox.run(raise_it).error


def test_the_folder_is_removed(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    deep = "import os\nfor _ in range(900):\n    os.mkdir('d'); os.chdir('d')\nos.chmod('.', 0)"
    sandbox.run(deep)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_sleep_and_endless_loops_run_out_of_time() -> None:
    sandbox = Sandbox(SHORT)
    for source in (
        "import time; time.sleep(600)",
        "while True: pass",
        "import signal\nsignal.pthread_sigmask(0, range(1, 64))\nwhile 1: pass",
    ):
        start = time.monotonic()
        assert sandbox.run(source).outcome == "timeout"
        assert time.monotonic() - start < 300
    assert sandbox.counts == {"timeout": 3}


@pytest.mark.slow
def test_a_fork_bomb_ends(marked: str) -> None:
    sandbox = Sandbox(SHORT)
    name = f"import os\nopen('/proc/self/comm', 'w').write({marked!r})\n"
    bomb = f"{name}while True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
    assert sandbox.run(bomb).outcome == "timeout"
    assert sandbox.run("import os\nwhile os.fork(): pass\nimport time; time.sleep(9)").outcome in ("processes", "timeout")


@pytest.mark.slow
def test_what_is_forked_twice_does_not_survive(sandbox: Sandbox, marked: str) -> None:
    source = f"""
import os, time
open('/proc/self/comm', 'w').write({marked!r})
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for descriptor in range(3): os.close(descriptor)
        time.sleep(600)
    os._exit(0)
os.wait()
"""
    done = sandbox.run(source)
    assert done.is_complete or done.outcome == "processes"


@pytest.mark.slow
def test_what_a_flood_was_started_with_ends_with_it(marked: str) -> None:
    name = f"import os, time\nopen('/proc/self/comm', 'w').write({marked!r})\n"
    flood = f"{name}os.fork()\nwhile True:\n    try: print('x' * 1000)\n    except OSError: time.sleep(60)"
    assert Sandbox(Limits(seconds=30, output_bytes=10_000)).run(flood).outcome in ("output", "processes")


def test_processor_time_that_is_used_up_is_named_by_the_signal_that_says_so() -> None:
    """What the kernel counts against the limit and what it reports of a process differ on a busy machine."""
    sandbox = Sandbox(dataclasses.replace(SMALL, processor_seconds=0.3))
    assert sandbox.run("import resource; print(resource.getrlimit(resource.RLIMIT_CPU))").stdout == "(1, 2)\n"
    assert sandbox.run("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)").outcome == "timeout"
    assert sandbox.run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)").outcome == "killed"


def test_a_program_that_kills_whom_it_can_reach_harms_nobody(sandbox: Sandbox) -> None:
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        for target in ("os.getppid()", "-1", "0"):
            done = sandbox.run(f"import os\ntry:\n    os.kill({target}, 9)\nexcept OSError as error: print(error)")
            assert done.outcome in ("finished", "killed", "broke_out"), done
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_many_small_files_fill_a_small_disk_only(sandbox: Sandbox) -> None:
    fill = "import os\nfor number in range(10**6):\n    open(str(number), 'w').write('x' * 300_000)"
    assert sandbox.run(fill).outcome in ("disk", "timeout")


@pytest.mark.skipif(level_here() != "strict", reason="the kernel gives no namespaces here")
class TestStrict:
    def test_ctypes_and_threads_are_there_but_no_privileges(self, sandbox: Sandbox) -> None:
        source = """
import ctypes, os, threading
libc = ctypes.CDLL(None, use_errno=True)
found = [libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None), libc.unshare(0x10000000), libc.sethostname(b"x", 1)]
found += [libc.umount2(b"/usr", 2), libc.setuid(0), libc.chroot(b"/tmp")]
thread = threading.Thread(target=found.append, args=("thread",)); thread.start(); thread.join()
print(found)
"""
        done = Sandbox(Limits(memory_mb=512)).run(source)
        assert done.stdout == "[-1, -1, -1, -1, -1, -1, 'thread']\n", done

    def test_files_and_processes_of_others_are_not_there(self, sandbox: Sandbox) -> None:
        numbers = "len([name for name in os.listdir('/proc') if name.isdigit()])"
        look = f"import os; print(os.path.exists({__file__!r}), sorted(os.listdir('/')), {numbers})"
        shown, _, rest = sandbox.run(look).stdout.partition(" ")
        assert shown == "False"
        assert rest.endswith(" 2\n")
        assert "etc" not in rest
        assert "home" not in rest

    def test_nothing_can_be_written_but_the_small_disk(self, sandbox: Sandbox) -> None:
        for folder in ("/", "/usr", "/dev", "/lib", "/usr/lib"):
            done = sandbox.run(f"open({folder + '/x'!r}, 'w')")
            assert "Read-only" in done.error or "Permission denied" in done.error, (folder, done)
        assert sandbox.run("open('/tmp/x', 'w').write('y')").is_complete

    def test_what_it_shares_with_us_is_mounted_read_only(self, sandbox: Sandbox) -> None:
        mounts = [line.split() for line in sandbox.run("print(open('/proc/self/mounts').read())").stdout.splitlines() if line]
        shared = [fields for fields in mounts if fields[1] not in ("/", "/proc") and not fields[1].startswith("/dev/")]
        assert "/usr" in [fields[1] for fields in shared]
        assert [fields[1] for fields in shared if "ro" not in fields[3].split(",")] == []

    def test_there_is_no_network(self, sandbox: Sandbox) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = server.getsockname()
            socket.create_connection(address, 1).close()
            done = sandbox.run(f"import socket; socket.create_connection({address!r}, 1)")
        assert "Network is unreachable" in done.error or "refused" in done.error, done


def test_a_level_that_cannot_be_had_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_level", lambda: "plain")
    require_level("plain")
    with pytest.raises(SandboxUnavailableError, match="'strict' cannot be had here .this machine allows 'plain' only"):
        Sandbox(required="strict")
    monkeypatch.setenv(LEVEL_VARIABLE, "own_user")
    with pytest.raises(SandboxUnavailableError, match="own_user"):
        Sandbox()
    monkeypatch.setenv(LEVEL_VARIABLE, "hope")
    with pytest.raises(SandboxUnavailableError, match="there are the levels plain, own_user, strict"):
        Sandbox()


def test_limits_are_checked() -> None:
    with pytest.raises(ConfigError, match="memory_mb"):
        Limits(memory_mb=1)
    with pytest.raises(ConfigError, match="seconds"):
        Limits(seconds=0)


@given(seconds=st.floats(0.05, 3600))
def test_processor_time_is_never_shorter_than_the_clock_allows(seconds: float) -> None:
    assert 0 <= Limits(seconds=seconds).cpu_seconds - seconds < 1
