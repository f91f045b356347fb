"""How well the cost is known beforehand, how hard the stop is, and how many calls it takes to get exactly n rows.

python -m benchmarks.budget [--quick]        the last line is JSON

Twenty seeded workloads with heavy-tailed lengths (see `budget_workloads`) go through the real engine (32 requests in flight)
and a real ledger to a simulated teacher. For each: a pilot of 50 and the estimate from it; a budget for a part of the rest,
which has to stop it; the same again, which must pay nothing more than what was left; a higher budget, which pays for
the rest and for nothing twice. Then `fill_quotas` for 100 rows at an acceptance of 10 to 100 %. Overspending is counted in
requests of mean cost. `worst_estimate_error` is that of a pilot of 50; `worst_estimate_error_enlarged` that of one which is
enlarged while its interval is wider than a tenth, as happens in a run. With REALDATA_DIR set, the estimate is tried on the
lengths of GSM8K as well, with 20 seeds.
"""

import argparse
import json
import os
import random
import tempfile
import threading
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.budget_workloads import MAX_TOKENS, PRICE, Task, make_workload, read_gsm8k
from curation.chat_model import ChatReply, ChatRequest
from curation.home import Home
from curation.ids import stable_fraction
from curation.records import Example, Message, Provenance, Rejection, reject
from curation.synthesis.asking import Ask, Session, SessionTeacher
from curation.synthesis.budget.config import BudgetConfig
from curation.synthesis.budget.estimate import PILOT_GROWTH, CostEstimate, choose_pilot, estimate_cost
from curation.synthesis.budget.guard import opened_budget
from curation.synthesis.engine.complete import complete_all
from curation.synthesis.ledger.request_ledger import RequestLedger, open_ledger
from curation.synthesis.methods.method import STAGE, Inputs, Made, Unit
from curation.synthesis.prompts.template import Template, render
from curation.synthesis.quota import Filled, Row, fill_quotas
from curation.synthesis.teachers.config import TeacherConfig

CONCURRENCY = 32
NUM_WORKLOADS = 20
PILOT = 50
QUOTA = 100
SAY = Template(template_id="say-1", system="", text="{what}", schema=None)
TEACHER = TeacherConfig(
    kind="openai",
    model="simulated",
    base_url="http://127.0.0.1:9/v1",
    max_tokens=MAX_TOKENS,
    concurrency=CONCURRENCY,
    price_input_usd_per_million=str(PRICE.input_usd),
    price_output_usd_per_million=str(PRICE.output_usd),
)


class SimulatedTeacher:
    """Answers after a millisecond, with the tokens of the task that the prompt names. Thread-safe."""

    provider = endpoint = model = revision = "simulated"
    is_model = True

    def __init__(self, tasks: Sequence[Task] = ()) -> None:
        self.num_asked = 0
        self.most_in_flight = 0
        self._tasks = {task.key: task for task in tasks}
        self._num_in_flight = 0
        self._lock = threading.Lock()

    def complete(self, request: ChatRequest) -> ChatReply:
        """Answer one request."""
        with self._lock:
            self.num_asked += 1
            self._num_in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._num_in_flight)
        time.sleep(0.001)
        with self._lock:
            self._num_in_flight -= 1
        task = self._tasks.get(request.messages[-1].content.partition("\n")[0])
        prompt, completion = (task.prompt_tokens, task.completion_tokens) if task else (50, 10)
        cost = PRICE.cost(prompt_tokens=prompt, completion_tokens=completion)
        return ChatReply(text="Yes.", prompt_tokens=prompt, completion_tokens=completion, cost_usd=float(cost))


def run_workload(home: Home, seed: int, num_tasks: int) -> dict[str, Any]:
    """Estimate, stop, stop again, go on: one workload."""
    tasks = make_workload(seed, num_tasks)
    teacher = SimulatedTeacher(tasks)
    true = sum((task.cost_usd for task in tasks), Decimal(0))
    with open_ledger(home, recipe=f"workload {seed}") as ledger:
        estimate = _run_pilot(tasks, teacher, ledger)
        paid = ledger.totals(recipe=f"workload {seed}").cost_usd
        limit = paid + (true - paid) * Decimal(str(round(0.1 + 0.8 * stable_fraction(str(seed), "limit"), 3)))
        stops = [_run_until_stopped(home, seed, tasks, teacher, ledger, limit) for _ in range(2)]
        rest = _run_until_stopped(home, seed, tasks, teacher, ledger, true * 2)
    mean = true / len(tasks)
    error = abs(estimate.cost_usd.value / float(true) - 1)
    return {
        "error": error,
        "error_enlarged": abs(estimate_closely(tasks).cost_usd.value / float(true) - 1),
        "held": estimate.cost_usd.low <= float(true) <= estimate.cost_usd.high,
        "overspend_requests": float(max(Decimal(0), max(stops) - limit) / mean),
        "unspent_requests": float((limit - stops[0]) / mean),
        "stopped": stops[0] < true,
        "complete": abs(rest - true) < Decimal("1e-9"),
        "paid_twice": teacher.num_asked - len(tasks),
        "in_flight": teacher.most_in_flight,
    }


def _requests(tasks: Sequence[Task]) -> list[ChatRequest]:
    texts = [f"{task.key}\n".ljust(task.prompt_bytes, "x") for task in tasks]
    return [
        ChatRequest(messages=(Message(role="user", content=text),), parameters={"max_tokens": MAX_TOKENS}) for text in texts
    ]


def _run_pilot(tasks: Sequence[Task], teacher: SimulatedTeacher, ledger: RequestLedger) -> CostEstimate:
    planned = [task.planned for task in tasks]
    pilot = set(choose_pilot(planned, PILOT, seed=0))
    first = [task for task in tasks if task.key in pilot]
    complete_all(_requests(first), teacher, ledger, concurrency=CONCURRENCY, max_attempts=1)
    return estimate_cost(planned, {task.key: task.spent for task in first}, price_versions=("recipe",))


def _run_until_stopped(
    home: Home, seed: int, tasks: Sequence[Task], teacher: SimulatedTeacher, ledger: RequestLedger, limit: Decimal
) -> Decimal:
    """Ask for everything under a budget, in a session of its own; return what the recipe has cost by then."""
    recipe = f"workload {seed}"
    with opened_budget(home, BudgetConfig(max_usd=str(limit)), recipe=recipe, ledger=ledger) as budget:
        complete_all(_requests(tasks), teacher, ledger, concurrency=CONCURRENCY, max_attempts=1, budget=budget.guard(TEACHER))
    return ledger.totals(recipe=recipe).cost_usd


class SimulatedMethod:
    """Asks once about each unit and makes one to five rows of it."""

    name = "simulated"

    def __init__(self, seed: int) -> None:
        self._most_rows = 1 + seed % 5
        self._seed = seed

    def plan(self, inputs: Inputs) -> list[Unit]:
        """Return more units than are needed."""
        return [Unit(key=f"{self._seed}.{number}#simulated") for number in range(3000)]

    def make(self, units: Sequence[Unit], session: Session) -> Made:
        """Ask, and make rows."""
        session.ask([Ask(key=unit.key, prompt=render(SAY, what=unit.key)) for unit in units])
        numbers = [(unit, 1 + int(stable_fraction(unit.key, "rows") * self._most_rows)) for unit in units]
        return Made(examples=tuple(_example(f"{unit.key}/{at}") for unit, number in numbers for at in range(number)))


def _example(key: str) -> Example:
    messages = (Message(role="user", content=key), Message(role="assistant", content="Yes."))
    provenance = Provenance(origin="synthetic", method="simulated", generation_depth=1)
    return Example(key=key, task="simulated", messages=messages, group=key, provenance=provenance)


def estimate_closely(tasks: Sequence[Task]) -> CostEstimate:
    """Return the estimate from a pilot that is enlarged while the interval is wide, as `run_pilot` does."""
    planned, spent = [task.planned for task in tasks], {task.key: task.spent for task in tasks}
    for growth in PILOT_GROWTH:
        pilot = choose_pilot(planned, PILOT * growth, seed=0)
        estimate = estimate_cost(planned, {key: spent[key] for key in pilot})
        if estimate.is_close:
            break
    return estimate


def fill(ledger: RequestLedger, seed: int) -> tuple[Filled, int]:
    """Get exactly `QUOTA` rows at an acceptance that depends on the seed; return what came of it and the calls it took."""
    share = random.Random(f"acceptance {seed}").uniform(0.1, 1.0)  # noqa: S311 - no secret

    def accept(row: Row) -> Rejection | None:
        if stable_fraction(row.key, "accept") < share:
            return None
        return reject(row, stage=STAGE, reason="refused", detail="The simulated judge says no.")

    session = Session([SessionTeacher(config=TEACHER, model=SimulatedTeacher())], ledger)
    filled = fill_quotas(SimulatedMethod(seed), Inputs(), session, quotas=QUOTA, max_candidates=20_000, accept=accept)
    return filled, session.report.num_calls


def measure_gsm8k(folder: Path) -> list[float]:
    """Return the errors of the estimate on real lengths."""
    tasks = read_gsm8k(folder)
    planned, true = [task.planned for task in tasks], float(sum(task.cost_usd for task in tasks))
    by_key = {task.key: task.spent for task in tasks}
    pilots = [choose_pilot(planned, PILOT, seed=seed) for seed in range(NUM_WORKLOADS)]
    return [abs(estimate_cost(planned, {key: by_key[key] for key in keys}).cost_usd.value / true - 1) for keys in pilots]


def summarize(runs: Sequence[dict[str, Any]], fills: Sequence[tuple[Filled, int]]) -> dict[str, Any]:
    """Return the fields of the last line."""
    needed = [filled.num_units - filled.num_surplus_units for filled, _ in fills]
    surplus = [filled.num_surplus_units for filled, _ in fills]
    return {
        "workloads": len(runs),
        "worst_estimate_error": max(run["error"] for run in runs),
        "median_estimate_error": sorted(run["error"] for run in runs)[len(runs) // 2],
        "worst_estimate_error_enlarged": max(run["error_enlarged"] for run in runs),
        "intervals_that_held": sum(run["held"] for run in runs),
        "worst_overspend_requests": max(run["overspend_requests"] for run in runs),
        "worst_unspent_requests": max(run["unspent_requests"] for run in runs),
        "in_flight": max(run["in_flight"] for run in runs),
        "stopped": sum(run["stopped"] for run in runs),
        "completed_afterwards": sum(run["complete"] for run in runs),
        "paid_twice": sum(run["paid_twice"] for run in runs),
        "exactly_n": sum(sum(filled.num_accepted.values()) == len(filled.made.examples) == QUOTA for filled, _ in fills),
        "exactly_n_surplus_share": sum(surplus) / sum(needed),
        "worst_exactly_n_surplus_share": max(one / other for one, other in zip(surplus, needed, strict=True)),
        "most_waves": max(filled.num_waves for filled, _ in fills),
    }


def main() -> None:
    """Run everything and print a summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100 calls a workload instead of 1000, 8 quotas instead of 20")
    num_tasks, num_fills = (100, 8) if parser.parse_args().quick else (1000, NUM_WORKLOADS)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(path=Path(folder), store_url=f"{folder}/store", database_url="", review_url="")
        runs = []
        for seed in range(NUM_WORKLOADS):
            runs.append(run_workload(home, seed, num_tasks))
            print(f"workload {seed}: {json.dumps(runs[-1])}")
        with open_ledger(home, recipe="quotas") as ledger:
            fills = [fill(ledger, seed) for seed in range(num_fills)]
    summary = summarize(runs, fills)
    if os.environ.get("REALDATA_DIR"):
        summary["worst_estimate_error_gsm8k"] = max(measure_gsm8k(Path(os.environ["REALDATA_DIR"]) / "gsm8k"))
    summary |= {"quotas": len(fills), "calls_a_workload": num_tasks, "seconds": round(time.monotonic() - started, 1)}
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
