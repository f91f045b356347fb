"""Runs tests on copies of the tree in forked processes, so that a run costs no imports of what other people wrote.

    with open_runner(root, folder, jobs=1) as runner:
        runner.measure(folders, marks)                 which tests run which lines, and how long each takes
        for outcome in runner.run(tasks): ...          one fault at a time, in a copy

Each process is its own group, with a limit on time and memory, and is killed with all that it started. The tests of
PostgreSQL share one server.
"""

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tests.postgres_server import find_binaries, temporary_postgres

OURS = ("pipelines", "assets", "curation", "training", "evaluation", "tests")
MAX_BYTES = 6 * 2**30
PRELOADED = ("pytest", "hypothesis", "sqlalchemy.dialects.sqlite", "alembic.command", "pydantic", "numpy", "fastapi")

_WARNINGS = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
"""The parent has imported plugins before pytest could rewrite their assertions."""

Result = Literal["killed", "survived", "timeout"]


class Task(NamedTuple):
    """A changed file, and the tests that have to notice in groups: the next group runs where the one before did not notice."""

    module: str
    source: str
    groups: tuple[tuple[str, ...], ...]
    limit_s: float
    """Seconds that a group may take."""


class Outcome(NamedTuple):
    """What came of a task (its number)."""

    task: int
    result: Result


@dataclass
class Measured:
    """What the tests do on the tree as it is."""

    seconds: dict[str, float]
    lines: dict[str, dict[int, set[str]]]
    """Module -> line -> the tests that run it."""


class _Plugin:
    """Keeps to the chosen tests, in their order, and notes how long each took."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.order = {test: number for number, test in enumerate(tests)}
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        if self.order:
            items[:] = sorted((item for item in items if item.nodeid in self.order), key=lambda item: self.order[item.nodeid])

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if report.outcome == "failed":
            self.failed.add(report.nodeid)


class Runner:
    """Copies of the tree, and the processes that test them."""

    def __init__(self, trees: Sequence[Path], postgres: str | None) -> None:
        self.trees = list(trees)
        self.postgres = postgres

    def measure(self, folders: Sequence[str], marks: str, modules: Sequence[str]) -> Measured:
        """Run the tests with their coverage; those that fail already are left out. Raises RuntimeError if it stops."""
        tree = self.trees[0]
        covered = [f"--cov={name}" for name in sorted({str(Path(module).parent) for module in modules})]
        options = [
            "-m",
            marks,
            *covered,
            "--cov-branch",
            "--cov-context=test",
            "--cov-report=",
            "-p",
            "pytest_cov.plugin",
            *folders,
        ]
        pid = self._start(tree, options, ())
        _, status = os.waitpid(pid, 0)
        if os.waitstatus_to_exitcode(status) not in (0, 1):
            raise RuntimeError(f"the tests do not run on the tree as it is:\n{(tree / 'output.txt').read_text()[-4000:]}")
        seconds: dict[str, float] = json.loads((tree / "seconds.json").read_text())
        failed = json.loads((tree / "failed.json").read_text())
        for test in failed:
            print(f"fails on the tree as it is, and is left out: {test}")
        seconds = {test: spent for test, spent in seconds.items() if test not in failed}
        return Measured(seconds, {module: _read_lines(tree, module) for module in modules})

    def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Yield the outcome of every task as it comes."""
        waiting = [(number, 0) for number in range(len(tasks))]
        free = list(self.trees)
        running: dict[int, tuple[int, int, Path, float]] = {}
        while waiting or running:
            while waiting and free:
                number, group = waiting.pop(0)
                pid, tree = self._begin(tasks[number], group, free)
                running[pid] = (number, group, tree, time.monotonic() + tasks[number].limit_s)
            for pid, (number, group, tree, deadline) in list(running.items()):
                result = _look(pid, deadline, tree)
                if result is None:
                    continue
                del running[pid]
                shutil.copyfile(tree / "untouched" / tasks[number].module, tree / tasks[number].module)
                free.append(tree)
                if result == "survived" and group + 1 < len(tasks[number].groups):
                    waiting.insert(0, (number, group + 1))
                else:
                    yield Outcome(number, result)
            time.sleep(0.02)

    def _begin(self, task: Task, group: int, free: list[Path]) -> tuple[int, Path]:
        tree, tests = free.pop(), task.groups[group]
        _write(tree / task.module, task.source)
        files = sorted({test.partition("::")[0] for test in tests})
        return self._start(tree, ["-x", "-m", "slow or not slow", *files], tests), tree

    def _start(self, tree: Path, options: Sequence[str], tests: Sequence[str]) -> int:
        pid = os.fork()
        if pid:
            return pid
        code = 70
        try:
            code = self._test(tree, options, tests)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _test(self, tree: Path, options: Sequence[str], tests: Sequence[str]) -> int:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
        output = os.open(tree / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(tree)
        sys.path[0] = str(tree)
        sys.dont_write_bytecode = True
        os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
            del sys.modules[name]
        import pytest

        import tests.postgres_server as server

        if self.postgres is not None:
            server.temporary_postgres = lambda **_: contextlib.nullcontext(self.postgres)  # type: ignore[assignment]
        plugin = _Plugin(tests)
        code = int(pytest.main(["-q", "-p", "no:cacheprovider", "--tb=line", *_WARNINGS, *options], plugins=[plugin]))
        (tree / "seconds.json").write_text(json.dumps(plugin.seconds))
        (tree / "failed.json").write_text(json.dumps(sorted(plugin.failed)))
        return code


@contextlib.contextmanager
def open_runner(root: Path, folder: Path, jobs: int) -> Iterator[Runner]:
    """Copy the tree `jobs` times and start PostgreSQL where there is one."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root, capture_output=True, check=True
    )
    names = [name for name in listed.stdout.decode().split("\0") if name and (root / name).is_file()]
    trees = [folder / f"tree{number}" for number in range(jobs)]
    for tree in trees:
        _copy(root, tree, names)
        _copy(root, tree / "untouched", [name for name in names if name.startswith("curation/")])
    for name in PRELOADED:
        __import__(name)
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(temporary_postgres()) if find_binaries() is not None else None
        yield Runner(trees, url)


def _copy(root: Path, to: Path, names: Iterable[str]) -> None:
    for name in names:
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, to / name)


def _write(file: Path, text: str) -> None:
    file.write_text(text)
    for cached in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
        cached.unlink()


def _look(pid: int, deadline: float, tree: Path) -> Result | None:
    """Return what a process came to; None while it runs."""
    done, status = os.waitpid(pid, os.WNOHANG)
    if not done and time.monotonic() < deadline:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    if not done:
        os.waitpid(pid, 0)
        return "timeout"
    code = os.waitstatus_to_exitcode(status)
    if code == 5:
        raise RuntimeError(f"no test was found: {(tree / 'output.txt').read_text()[-1000:]}")
    return "survived" if code == 0 else "killed"


def _read_lines(tree: Path, module: str) -> dict[int, set[str]]:
    from coverage import CoverageData

    data = CoverageData(str(tree / ".coverage"))
    data.read()
    found = data.contexts_by_lineno(str(tree / module))
    return {line: {context.rpartition("|")[0] for context in contexts if "|" in context} for line, contexts in found.items()}
