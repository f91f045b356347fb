"""What the asset around a training costs: the same run as a Dagster asset and as `python -m training.run SPEC` alone.

    python -m benchmarks.asset_overhead [--quick] [--steps 2000] [--repeats 5]         the last line is JSON

Both are fresh processes. The asset's imports Dagster and all definitions of a recipe, opens an instance on disk, passes the
gates, starts the training through Pipes, follows its progress, stores the model and reports it. Pairs alternate their order.

    parent_cpu_share  seconds of a core that the asset's process took while the training loop ran, as a share of that time: what
                      the asset can have taken from it at most, on a machine with a single core. Median over the pairs
    child_cpu_share   how much more processor time the training process took inside the asset, from start to end
    cpu_share         both together: what the asset costs in processor time
    step_share        how much longer a step took on the clock, as a share of the loop

The last three compare two runs of a pair, so they carry the noise of the machine: `*_95` are their intervals, 2000 times
drawn from the pairs. Where other work runs beside, the clock says little and processor time most of the truth.

    start_s           from the start of the process until the training process works, less the same without the asset
    finish_s          from the end of the training process until the model is stored and reported
"""

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.resume_cases import Workshop, build_workshop
from curation.home import Home
from curation.ingest.config import SourceConfig
from curation.records import Document
from curation.store import Snapshot
from training.config import StageConfig, TrainingConfig
from training.launch import build_command, child_environment
from training.spec import RunSpec

STEPS, QUICK_STEPS = 2000, 300
REPEATS, QUICK_REPEATS = 5, 1
NAME, MODEL = "overhead", "dapt_model"
MEASURED = "measured.json"
SAMPLE_SECONDS = 0.2
NUM_DRAWS = 2000


class Timing(NamedTuple):
    """One run."""

    start_s: float
    """Until the training process worked."""
    loop_s: float
    """In the training loop."""
    cpu_s: float
    """Processor time of the training process, from its start to its end."""


class Loop(NamedTuple):
    """The training loop of a run."""

    ended: float
    """On the clock."""
    seconds: float


class TimedPipes:
    """A Pipes client that notes what its process does while the child runs."""

    def __init__(self, pipes: Any) -> None:
        self._pipes = pipes
        self.samples: list[tuple[float, float]] = []
        """(clock, processor time of this process), a few a second."""
        self.child_cpu_s = self.ended = 0.0
        self.loop = Loop(0.0, 0.0)

    def run(self, **options: Any) -> Any:
        """Run the child to its end."""
        done, before = threading.Event(), children_cpu()
        thread = threading.Thread(target=self._sample, args=(done,), daemon=True)
        thread.start()
        try:
            return self._pipes.run(**options)
        finally:
            self.ended = time.monotonic()
            self.child_cpu_s = children_cpu() - before
            self.loop = read_loop(Path(options["command"][-1]).parent)
            done.set()
            thread.join()

    def _sample(self, done: threading.Event) -> None:
        while not done.wait(SAMPLE_SECONDS):
            self.samples.append((time.time(), time.process_time()))

    def cpu_between(self, start: float, end: float) -> float:
        """Return the share of a core that this process took between two times."""
        inside = [sample for sample in self.samples if start <= sample[0] <= end]
        if len(inside) < 2:
            raise SystemExit("too short to be measured: give more --steps")
        return (inside[-1][1] - inside[0][1]) / (inside[-1][0] - inside[0][0])


def read_loop(work: Path) -> Loop:
    """Return when the loop of a run ended, and how long it took."""
    lines = [json.loads(line) for line in (work / "progress.jsonl").read_text().splitlines()]
    last = next(line for line in reversed(lines) if line.get("step"))
    return Loop(last["time"], json.loads((work / "timings.json").read_text())["seconds"])


def children_cpu() -> float:
    """Return the processor time of all child processes that ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def make_stage(steps: int) -> StageConfig:
    """Return the stage that is trained."""
    return StageConfig(
        method="dapt", tuning="full", max_steps=steps, learning_rate=0.001, batch_size=4, gradient_accumulation=1,
        max_length=128, gradient_checkpointing=False,
    )  # fmt: skip


def materialize(folder: Path, *, steps: int, seed: int) -> None:
    """Train as an asset, in this process and its child, and leave what was measured."""
    import dagster as dg

    from assets.models import build
    from assets.recipe import Recipe
    from pipelines.compose import build_definitions
    from pipelines.resources import build_pipes

    source = SourceConfig(name="notes", kind="files", path="notes/*.md", role="demonstrations")
    training = TrainingConfig(stages=(make_stage(steps), StageConfig(method="sft")), seed=seed)
    recipe = Recipe(name=NAME, sources=(source,), training=training)
    build_definitions([recipe])
    asset = next(asset for asset in build(recipe) if asset.key.path[-1] == MODEL)
    home, pipes = Home.from_environment(), TimedPipes(build_pipes())
    with dg.DagsterInstance.local_temp(str(folder / "dagster")) as instance:
        dg.materialize([asset], resources={"home": home, "pipes": pipes}, instance=instance)
    measured = {
        "loop_s": pipes.loop.seconds,
        "parent_share": pipes.cpu_between(pipes.loop.ended - pipes.loop.seconds, pipes.loop.ended),
        "child_cpu_s": pipes.child_cpu_s,
        "finish_s": time.monotonic() - pipes.ended,
    }
    (folder / MEASURED).write_text(json.dumps(measured))


def prepare_home(workshop: Workshop) -> Home:
    """Write what the asset's inputs would have left, and Dagster's own databases."""
    import dagster as dg

    home = Home(path=workshop.folder / "home", store_url=workshop.store_url, database_url="", review_url="")
    (workshop.folder / "dagster").mkdir()
    dg.DagsterInstance.local_temp(str(workshop.folder / "dagster")).dispose()
    store = home.store()
    root = workshop.tables["documents"]
    documents = store.write_table(Document, store.read_table(Document, root))
    store.put_snapshot(Snapshot(asset=f"{NAME}/dapt_corpus", partition="", version=root, tables={"documents": documents}))
    folder = store.put_folder(workshop.base)
    store.put_snapshot(Snapshot(asset=f"{NAME}/base_model", partition="", version=folder, folders={"model": folder}))
    return home


def run_asset(workshop: Workshop, home: Home, *, steps: int, seed: int) -> tuple[Timing, dict[str, float]]:
    """Train as an asset in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.asset_overhead", "--materialize", str(workshop.folder)]
    environment = {**os.environ, "TUNEWRIGHT_HOME": str(home.path), "TUNEWRIGHT_STORE": home.store_url}
    started = time.time()
    options = ["--steps", str(steps), "--seed", str(seed)]
    with (workshop.folder / "asset.log").open("w") as log:
        process = subprocess.Popen([*command, *options], env=environment, stdout=log, stderr=log)
        begun = 0.0
        while process.poll() is None:
            begun = begun or read_start(home.path / "work" / NAME, f"{MODEL}-*/progress.jsonl")
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit((workshop.folder / "asset.log").read_text()[-3000:])
    measured = json.loads((workshop.folder / MEASURED).read_text())
    return Timing(begun - started, measured["loop_s"], measured["child_cpu_s"]), measured


def run_alone(workshop: Workshop, home: Home, *, steps: int, seed: int) -> Timing:
    """Train the same without an asset."""
    store = home.store()
    work = workshop.folder / f"alone-{seed}"
    spec = RunSpec(
        config=make_stage(steps),
        store_url=home.store_url,
        tables={"documents": store.snapshot(f"{NAME}/dapt_corpus").tables["documents"].root},
        parent_model=str(store.get_folder(store.snapshot(f"{NAME}/base_model").folders["model"])),
        work_folder=str(work),
        seed=seed,
    )
    path = spec.write(work / "spec.json")
    started, before = time.time(), children_cpu()
    subprocess.run(
        build_command(path), env=child_environment(), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return Timing(read_start(work, "progress.jsonl") - started, read_loop(work).seconds, children_cpu() - before)


def read_start(folder: Path, pattern: str) -> float:
    """Return when a training process began to work, by its first line; 0 if it has not."""
    for file in folder.glob(pattern):
        line = file.read_text().partition("\n")[0]
        if line.endswith("}"):
            return float(json.loads(line)["started"])
    return 0.0


def measure(folder: Path, *, steps: int, repeats: int) -> dict[str, Any]:
    """Return what the asset costs, over alternating pairs of runs."""
    workshop = build_workshop(folder)
    home = prepare_home(workshop)
    pairs: list[dict[str, float]] = []
    for seed in range(repeats):
        alone = run_alone(workshop, home, steps=steps, seed=seed) if seed % 2 else None
        inside, parent = run_asset(workshop, home, steps=steps, seed=seed)
        alone = alone or run_alone(workshop, home, steps=steps, seed=seed)
        child_share = inside.cpu_s / alone.cpu_s - 1
        pairs.append(
            {
                "parent_cpu_share": parent["parent_share"],
                "child_cpu_share": child_share,
                "cpu_share": parent["parent_share"] + child_share,
                "step_share": inside.loop_s / alone.loop_s - 1,
                "start_s": inside.start_s - alone.start_s,
                "finish_s": parent["finish_s"],
            }
        )
        print({name: round(value, 4) for name, value in pairs[-1].items()}, f"loop {inside.loop_s:.1f} s", flush=True)
    found: dict[str, Any] = {name: round(statistics.median(pair[name] for pair in pairs), 5) for name in pairs[0]}
    for name in ("parent_cpu_share", "child_cpu_share", "cpu_share", "step_share"):
        found[f"{name}_95"] = interval([pair[name] for pair in pairs])
    return {**found, "steps": steps, "repeats": repeats}


def interval(values: list[float]) -> list[float]:
    """Return the range in which the median of such values lies, 95 times in 100, by drawing from them."""
    rng = random.Random(0)
    drawn = sorted(statistics.median(rng.choices(values, k=len(values))) for _ in range(NUM_DRAWS))
    return [round(drawn[int(NUM_DRAWS * at)], 5) for at in (0.025, 0.975)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--materialize", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
    if options.materialize:
        materialize(options.materialize, steps=steps, seed=options.seed)
        return
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), steps=steps, repeats=options.repeats or (QUICK_REPEATS if options.quick else REPEATS))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
