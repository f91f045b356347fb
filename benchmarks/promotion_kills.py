"""Whether a promotion that is killed leaves the old champion or the new one, and never something in between.

python -m benchmarks.promotion_kills [--quick] [--kills 100]        the last line is JSON

A child process stores a new model, decides on its evidence and promotes it (every fourth time it rolls back instead). It is
killed with SIGKILL at a random moment of its life. All the while another process reads, as somebody who serves the champion
does: the file, the link, and every byte behind the link.

    kills        children that died by the signal; those that were done before it do not count
    torn         reads during, or states after a kill, that were neither the old nor the new champion: a file that cannot be
                 read, a model that is not whole, a ledger that does not hold, or a run afterwards that does not end in the new
    old, new     which champion was live after a kill
    reads        reads while it happened
    rollback_s   `tunewright release rollback`, start of the process included, median of three; rollback_cpu_s: of a processor
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.promotion_child import live_model, read_for_ever, release, roll_back
from benchmarks.release_rows import RECIPE, ReleaseRows, make_home
from curation.errors import TunewrightError
from curation.store import hash_folder
from evaluation.release.champion import read_champion
from evaluation.release.registry import open_release_ledger

NUM_KILLS, QUICK_KILLS = 100, 8
ROLLBACK_EVERY = 4
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["benchmarks.promotion_child", "scipy.stats"])


@dataclass
class Kills:
    """What the kills did."""

    num_kills: int = 0
    num_done: int = 0
    torn: list[str] = field(default_factory=list)
    states: dict[str, int] = field(default_factory=lambda: {"old": 0, "new": 0})


def look(folder: Path, old: str, new: str, kills: Kills) -> None:
    """Note what a kill left behind."""
    ledger = open_release_ledger(make_home(folder))
    try:
        ledger.verify()
        entry = ledger.champion(RECIPE)
    except TunewrightError as error:
        kills.torn.append(str(error))
        return
    finally:
        ledger.close()
    pointed = read_champion(RECIPE, folder)
    states = (entry.model_hash if entry else "", pointed["model_hash"] if pointed else "", live_model(folder) or "")
    if not set(states) <= {old, new}:
        kills.torn.append(f"ledger, file and link name {states}, neither {old} nor {new}")
    kills.states["new" if states[2] == new else "old"] += 1


@dataclass(frozen=True)
class Life:
    """One run of a child that was let live."""

    decided_s: float
    """From its start until it had decided."""
    promoted_s: float
    """From then to its end."""


def run_child(target: Any, arguments: tuple[Any, ...], moments: random.Random, life: Life | None) -> tuple[int, Life]:
    """Start a child, kill it at a random moment (not without a `life` to choose it by), and return exit code and times.

    Every second kill falls into the time after the decision, in which ledger, file and link are written.
    """
    begun = CONTEXT.Event()
    process = CONTEXT.Process(target=target, args=(*arguments, begun))
    started = time.perf_counter()
    process.start()
    if life is None:
        begun.wait()
        decided = time.perf_counter()
        process.join()
    elif moments.random() < 0.5:
        process.join(moments.uniform(0.0, life.decided_s))
        decided = time.perf_counter()
    else:
        while process.is_alive() and not begun.wait(0.01):
            pass
        decided = time.perf_counter()
        process.join(moments.uniform(0.0, life.promoted_s))
    process.kill()
    process.join()
    return process.exitcode or 0, Life(decided - started, time.perf_counter() - decided)


def kill_often(folder: Path, num_kills: int, seed: int) -> Kills:
    """Promote and roll back, kill, look, and end what was begun, again and again."""
    moments, kills, rows = random.Random(seed), Kills(), ReleaseRows(make_home(folder))
    stack = [rows.store_model("m0")]
    release(folder, "m0", rows.evidence(stack[0]))
    code, life = 0, Life(0.0, 0.0)
    for name in ("first", "second"):  # the first one waits for the server that forks
        stack.append(rows.store_model(name))
        code, life = run_child(release, (folder, name, rows.evidence(stack[-1], champion=stack[-2])), moments, None)
        assert code == 0, "a promotion that nobody kills works"
    number = 0
    while kills.num_kills < num_kills:
        number += 1
        is_rollback = number % ROLLBACK_EVERY == 0
        old, name = stack[-1], f"m{number}"
        new = stack[-2] if is_rollback else hash_folder(rows.write_model(name))
        arguments = (folder, new) if is_rollback else (folder, name, rows.evidence(new, champion=old))
        target: Any = roll_back if is_rollback else release
        code, _ = run_child(target, arguments, moments, life)
        assert code in (0, -signal.SIGKILL), f"a child ended by itself with exit code {code}"
        if code == 0:
            kills.num_done += 1
        else:
            kills.num_kills += 1
            look(folder, old, new, kills)
            target(*arguments)
        if live_model(folder) != new or (read_champion(RECIPE, folder) or {}).get("model_hash") != new:
            kills.torn.append(f"the run after kill {kills.num_kills} did not end in {new}")
        stack = stack[:-1] if is_rollback else [*stack, new]
    return kills


def time_rollback(folder: Path, num_times: int = 3) -> tuple[float, float]:
    """Return the seconds of the command from its start to its end, and those of a processor, median."""
    seconds, work = [], []
    command = [sys.executable, "-m", "pipelines.cli", "release", "rollback", RECIPE, "--who", "benchmark", "--reason", "timing"]
    for _ in range(num_times):
        started, before = time.perf_counter(), os.times()
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "TUNEWRIGHT_HOME": str(folder)})
        seconds.append(time.perf_counter() - started)
        after = os.times()
        work.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return statistics.median(seconds), statistics.median(work)


def measure(folder: Path, num_kills: int, seed: int) -> dict[str, Any]:
    """Return the figures of the last line."""
    rows = ReleaseRows(make_home(folder))
    release(folder, "m0", rows.evidence(rows.store_model("m0")))
    stop, seen = CONTEXT.Event(), CONTEXT.Array("q", 2)
    reader = CONTEXT.Process(target=read_for_ever, args=(folder, stop, seen))
    reader.start()
    try:
        kills = kill_often(folder, num_kills, seed)
    finally:
        stop.set()
        reader.join()
    for problem in kills.torn:
        print(problem)
    for name in ("z1", "z2", "z3"):  # something to go back from
        model = rows.store_model(name)
        release(folder, name, rows.evidence(model, champion=live_model(folder) or ""))
    seconds, work = time_rollback(folder)
    return {
        "kills": kills.num_kills,
        "torn": len(kills.torn) + seen[1],
        **kills.states,
        "done_before_the_signal": kills.num_done,
        "reads": seen[0],
        "rollback_s": round(seconds, 2),
        "rollback_cpu_s": round(work, 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_KILLS} kills")
    parser.add_argument("--kills", type=int, default=None, help=f"default: {NUM_KILLS}")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    num_kills = arguments.kills or (QUICK_KILLS if arguments.quick else NUM_KILLS)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), num_kills, arguments.seed)))


if __name__ == "__main__":
    main()
