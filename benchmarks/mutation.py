"""Whether the tests of the review queue would notice a fault: put one in, run the tests that run that line, count.

    python -m benchmarks.mutation [--sample 40] [--seed 5] [--only slots.py] [--jobs 1]    last line: JSON

The faults are those of `mutation_operators`; `--sample 0` tries all, otherwise so many of each module, drawn with the seed.
The tests are those of tests/curation/review without the web pages and the accounts, slow and PostgreSQL ones too: only tests
near the queue count. For each fault, those run that ran its line before (coverage contexts; for a line that runs at import,
those of any function of the module or named after it), the ones named after the module first, for at most `TEST_SECONDS`.
A fault that makes them hang is noticed. One that changes no behaviour is left out; mutation_equivalents.toml says why.

    mutants, killed, score       tried, noticed, and the share; `modules` has the same for each, and of how many they were drawn

Ready-made tools do not fit: mutmut 3 leaves module constants (all SQL) and decorated functions alone, cosmic-ray runs one
command for every fault, which is minutes here.
"""

import argparse
import json
import random
import signal
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.mutation_operators import Mutant, list_mutants
from benchmarks.mutation_runner import Measured, Task, open_runner

ROOT = Path(__file__).resolve().parent.parent
QUEUE = "curation/review/queue"
MODULES = (
    *(f"{QUEUE}/{name}.py" for name in ("append", "chain", "claims", "counts", "resolution", "review_queue", "slots")),
    *(f"{QUEUE}/{name}.py" for name in ("statements", "sync", "vote")),
    *(f"curation/review/{name}.py" for name in ("exchange/audit", "gate", "items", "trail", "verdicts")),
)
TESTS = ("queue", "exchange", "lots", "reviewers", "search", "test_*.py")
MARKS = "not browser and not gpu and not realdata"
_RULES, _ENTRIES = "test_claim_rules", "test_entries"
NEAR = {"claims": _RULES, "statements": _RULES, "review_queue": _ENTRIES, "append": _ENTRIES}
"""Module -> the tests most likely to notice, where they are not named after it."""
TEST_SECONDS = 40.0


class Case(NamedTuple):
    """A mutant of a module."""

    module: str
    mutant: Mutant
    source: str

    @property
    def line(self) -> str:
        """The line that it changes."""
        return self.source.splitlines()[self.mutant.line - 1].strip()


class Equivalents:
    """Mutants that change no behaviour, each with its reason."""

    def __init__(self, file: Path) -> None:
        self.entries: list[dict[str, str]] = tomllib.loads(file.read_text()).get("equivalent", [])
        self.used: set[int] = set()
        if any(not entry["reason"].strip() for entry in self.entries):
            raise ValueError(f"{file.name}: every mutant that is left out needs a reason")

    def holds(self, case: Case) -> bool:
        """Tell whether a mutant is left out."""
        for number, entry in enumerate(self.entries):
            same = case.module.endswith(entry["module"]) and entry["line"] in case.line
            if same and entry["change"] == case.mutant.change:
                self.used.add(number)
                return True
        return False

    def stale(self, modules: Sequence[str]) -> list[dict[str, str]]:
        """Return the entries about these modules that fit no mutant any more."""
        left = [entry for number, entry in enumerate(self.entries) if number not in self.used]
        return [entry for entry in left if any(module.endswith(entry["module"]) for module in modules)]


def draw(module: str, sample: int, seed: int, equivalents: Equivalents) -> tuple[list[Case], int]:
    """Return the mutants of a module to try, and how many there are."""
    source = (ROOT / module).read_text()
    cases = [Case(module, mutant, source) for mutant in list_mutants(source)]
    cases = [case for case in cases if not equivalents.holds(case)]
    if not sample or sample >= len(cases):
        return cases, len(cases)
    chosen = random.Random(f"{seed} {module}").sample(range(len(cases)), sample)
    return [cases[number] for number in sorted(chosen)], len(cases)


def choose_tests(case: Case, measured: Measured) -> tuple[tuple[str, ...], ...]:
    """Return the tests that run the line: those named after the module, then the others, each quickest first."""
    lines = measured.lines[case.module]
    found = set().union(*(lines.get(line, set()) for line in range(case.mutant.first, case.mutant.last + 1)))
    stem = Path(case.module).stem
    near = NEAR.get(stem, f"test_{stem}")
    named = {test for test in measured.seconds if near in test.partition("::")[0]}
    found = (found or named.union(*lines.values())) & set(measured.seconds)
    groups: dict[bool, list[str]] = {False: [], True: []}
    seconds = 0.0
    for test in sorted(found, key=lambda test: (test not in named, measured.seconds[test], test)):
        seconds += measured.seconds[test]
        if seconds <= TEST_SECONDS or not any(groups.values()):
            groups[test not in named].append(test)
    return tuple(tuple(group) for group in groups.values() if group)


def as_task(case: Case, measured: Measured) -> Task:
    """Return what has to run for a mutant."""
    groups = choose_tests(case, measured)
    limit = 60.0 + 5.0 * sum(measured.seconds[test] for group in groups for test in group)
    return Task(case.module, case.mutant.apply(case.source), groups, limit)


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the mutants and print what survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=40)
    parser.add_argument(
        "--seed", type=int, default=5, help="of the sample; another one shows what the tests were not written for"
    )
    parser.add_argument("--only", action="append", default=[], help="modules whose path ends like this")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--marks", default=MARKS, help="which tests, as pytest's -m; 'not slow and not postgres' is quick")
    parser.add_argument("--tests", action="append", default=[], help="folders or files (patterns) below tests/curation/review")
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped, and the copies go
    modules = [name for name in MODULES if not chosen.only or name.endswith(tuple(chosen.only))]
    equivalents = Equivalents(Path(__file__).with_name("mutation_equivalents.toml"))
    drawn = {module: draw(module, chosen.sample, chosen.seed, equivalents) for module in modules}
    for entry in equivalents.stale(modules):
        sys.exit(f"mutation_equivalents.toml: no such mutant any more: {entry}")
    with tempfile.TemporaryDirectory(prefix="tunewright-mutation-") as folder:
        print(json.dumps(_try(drawn, Path(folder), chosen.jobs, chosen.marks, chosen.tests or TESTS)))
    return 0


def _try(
    drawn: dict[str, tuple[list[Case], int]], folder: Path, jobs: int, marks: str, patterns: Sequence[str]
) -> dict[str, Any]:
    cases = [case for module in drawn for case in drawn[module][0]]
    found = {module: {"mutants": len(drawn[module][0]), "killed": 0, "of": drawn[module][1]} for module in drawn}
    with open_runner(ROOT, folder, jobs) as runner:
        found_tests = [path for name in patterns for path in sorted((ROOT / "tests/curation/review").glob(name))]
        tests = [str(path.relative_to(ROOT)) for path in found_tests]
        measured = runner.measure(tests, marks, list(drawn))
        tasks = [as_task(case, measured) for case in cases]
        print(f"{len(measured.seconds)} tests, {len(tasks)} mutants", flush=True)
        covered = [number for number, task in enumerate(tasks) if task.groups]
        for number in sorted(set(range(len(tasks))) - set(covered)):
            _tell(cases[number], "never run")
        for done, outcome in enumerate(runner.run([tasks[number] for number in covered]), start=1):
            if done % 20 == 0:
                print(f"{done} of {len(covered)} tried", flush=True)
            case = cases[covered[outcome.task]]
            found[case.module]["killed"] += outcome.result != "survived"
            _tell(case, outcome.result)
    num, killed = (sum(counts[name] for counts in found.values()) for name in ("mutants", "killed"))
    return {"mutants": num, "killed": killed, "score": round(killed / max(1, num), 4), "modules": found}


def _tell(case: Case, result: str) -> None:
    if result != "killed":
        print(f"{result}  {case.module}:{case.mutant.line}  {case.mutant.change}    in: {case.line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
