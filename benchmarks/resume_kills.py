"""Kill trainings at random moments: what is resumed ends in the very same model as a run that nobody touched.

    python -m benchmarks.resume_kills [--kills 200] [--quick] [--case NAME ...]         the last line is JSON

Small models are trained by each case (all weights, adapters with dropout, preference pairs, packed documents, reinforcement
learning, early stopping). An unbroken `python -m training.run SPEC` is what the others are held to. Then runs are killed with
SIGKILL: at any moment of their life, while a checkpoint is written, and while the model is written; each is started
again, killed again up to four times, and at last left alone. Most are forked from a process that has imported torch and trl
already, so that their life is not spent with imports; every tenth is a process of its own.

    identical         runs whose every output file (weights, loss curve, manifest) has the bytes of the unbroken run's
    tokens_exact      runs whose count of trained tokens is that of the unbroken run
    landed            what the killed process was doing: starting, training, writing a checkpoint, writing the model, done
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.resume_cases import Workshop, build_workshop
from curation.config import as_plain
from training.launch import SILENT, build_command, child_environment

NUM_KILLS, QUICK_KILLS = 200, 12
KILLS_A_RUN = 4
REAL_EVERY = 10
"""Every so many runs is a process of its own, imports included."""
AIMS = ("any", "any", "saving", "finishing")
LONGEST_SAVE_SECONDS, LONGEST_FINISH_SECONDS = 0.04, 0.08
POLL_SECONDS = 0.0005
LONGEST_LIFE_SECONDS = 600.0


class Process(NamedTuple):
    """A training process that can be killed."""

    pid: int
    wait: Callable[[], int]
    """Waits for its end and returns its exit code, negative for a signal."""
    is_over: Callable[[], bool]


@dataclass
class Tally:
    """What came out."""

    kills: int = 0
    runs: int = 0
    identical: int = 0
    tokens_exact: int = 0
    landed: Counter[str] = field(default_factory=Counter)
    different: list[str] = field(default_factory=list)


def warm_up() -> None:
    """Import what a training process imports, so that forks need not."""
    os.environ.update(SILENT)
    os.environ["OMP_NUM_THREADS"] = "1"
    import datasets
    import peft
    import torch
    import transformers
    import trl
    from trl import DPOTrainer, RLOOTrainer, SFTTrainer

    import training.run
    import training.trainers

    torch.set_num_threads(1)
    assert all((datasets, peft, transformers, trl, DPOTrainer, RLOOTrainer, SFTTrainer, training.run, training.trainers))


def fork_run(spec_path: Path) -> Process:
    """Run `training.run.main` in a fork of this process."""
    pid = os.fork()
    if pid == 0:
        os._exit(_live(spec_path))
    done: list[int] = []

    def look(flags: int) -> bool:
        if not done:
            found, status = os.waitpid(pid, flags)
            if found:
                done.append(os.waitstatus_to_exitcode(status))
        return bool(done)

    def wait() -> int:
        look(0)
        return done[0]

    return Process(pid, wait, lambda: look(os.WNOHANG))


def _live(spec_path: Path) -> int:
    from training.run import main

    try:
        quiet = os.open(spec_path.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        return main([str(spec_path)])
    except SystemExit as left:
        return int(left.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 70


def start_run(spec_path: Path) -> Process:
    """Run `python -m training.run SPEC` as anybody would."""
    environment = child_environment() | {"OMP_NUM_THREADS": "1"}
    with spec_path.with_suffix(".log").open("a") as log:
        child = subprocess.Popen(build_command(spec_path), env=environment, stdout=log, stderr=log)
    return Process(child.pid, child.wait, lambda: child.poll() is not None)


def kill_somewhere(process: Process, work: Path, aim: str, *, life: float, rng: random.Random) -> bool:
    """Kill a process at the moment that is aimed at; False if it was over before."""
    started = time.monotonic()
    deadline = started + rng.uniform(0, life) if aim == "any" else started + LONGEST_LIFE_SECONDS
    signs = {"saving": [work / "staging"], "finishing": [work / ".adapter", work / ".output.part"], "any": []}[aim]
    skipped = rng.randrange(3) if aim == "saving" else 0  # not always the first checkpoint
    before = _num_saved(work)
    while time.monotonic() < deadline and not process.is_over():
        if any(_is_begun(sign) for sign in signs) and _num_saved(work) - before >= skipped:
            time.sleep(rng.uniform(0, LONGEST_SAVE_SECONDS if aim == "saving" else LONGEST_FINISH_SECONDS))
            break
        time.sleep(POLL_SECONDS)
    if process.is_over():
        return False
    os.kill(process.pid, signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def _is_begun(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        return False


def _num_saved(work: Path) -> int:
    return max((int(folder.name[5:]) for folder in (work / "checkpoints").glob("step-*")), default=0)


def tell_landing(work: Path) -> str:
    """Tell by what it left what a killed process was doing."""
    if (work / "output").exists():
        return "done"
    if (work / ".output.part").exists() or (work / ".adapter").exists():
        return "writing the model"
    if _is_begun(work / "staging"):
        return "writing a checkpoint"
    return "training" if (work / "checkpoints").exists() else "starting"


def hash_output(work: Path) -> dict[str, str]:
    """Return the hash of every file of a finished model."""
    output = work / "output"
    files = [file for file in sorted(output.rglob("*")) if file.is_file()]
    return {str(file.relative_to(output)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def read_tokens(work: Path) -> int:
    """Return how many tokens a finished model was trained on."""
    return int(json.loads((work / "output" / "manifest.json").read_bytes())["trained_tokens"])


def prepare(workshop: Workshop, case: str, name: str) -> Path:
    """Write the spec of a run of a case and return its path."""
    spec = workshop.spec(case, name)
    return spec.write(Path(spec.work_folder) / "spec.json")


def run_case(workshop: Workshop, case: str, num_kills: int, tally: Tally, rng: random.Random) -> None:
    """Kill and resume runs of one case until there were enough kills."""
    unbroken = prepare(workshop, case, f"{case}-unbroken")
    _finish(start_run(unbroken), unbroken)
    begun = time.monotonic()
    again = prepare(workshop, case, f"{case}-forked")
    _finish(fork_run(again), again)
    life = time.monotonic() - begun
    expected, tokens = hash_output(unbroken.parent), read_tokens(unbroken.parent)
    if hash_output(again.parent) != expected:
        raise SystemExit(f"{case}: two unbroken runs differ; kills prove nothing")
    left = num_kills
    while left > 0:
        spec_path = prepare(workshop, case, f"{case}-{tally.runs}")
        start = start_run if tally.runs % REAL_EVERY == REAL_EVERY - 1 else fork_run
        for _ in range(min(left, rng.randint(1, KILLS_A_RUN))):
            process = start(spec_path)
            if not kill_somewhere(process, spec_path.parent, rng.choice(AIMS), life=life, rng=rng):
                break
            left -= 1
            tally.kills += 1
            tally.landed[tell_landing(spec_path.parent)] += 1
        _finish(fork_run(spec_path), spec_path)
        found = hash_output(spec_path.parent)
        tally.runs += 1
        tally.identical += found == expected
        tally.tokens_exact += read_tokens(spec_path.parent) == tokens
        if found != expected:
            names = [name for name in sorted(expected.keys() | found.keys()) if found.get(name) != expected.get(name)]
            tally.different.append(f"{spec_path.parent.name}: {', '.join(names)}")
    print(f"{case}: {tally.kills} kills so far, {tally.identical} of {tally.runs} runs identical", flush=True)


def _finish(process: Process, spec_path: Path) -> None:
    code = process.wait()
    if code:
        log = spec_path.with_suffix(".log").read_text()[-3000:]
        raise SystemExit(f"{spec_path.parent.name} left with {code}:\n{log}")


def measure(folder: Path, *, kills: int, cases: list[str] | None = None, seed: int = 0) -> dict[str, Any]:
    """Return what so many kills, spread over the cases, did."""
    warm_up()
    workshop = build_workshop(folder)
    names = cases or list(workshop.cases)
    tally, rng, started = Tally(), random.Random(seed), time.monotonic()  # noqa: S311 - moments, not secrets
    for number, case in enumerate(names):
        share = kills // len(names) + (number < kills % len(names))
        run_case(workshop, case, share, tally, rng)
    return {**as_plain(vars(tally)), "cases": names, "seconds": round(time.monotonic() - started, 1)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=NUM_KILLS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--case", action="append")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    kills = QUICK_KILLS if options.quick else options.kills
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), kills=kills, cases=options.case, seed=options.seed)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
