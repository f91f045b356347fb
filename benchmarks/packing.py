"""Are packed documents kept apart, and is nothing lost? Gradients of packed rows against separate ones, and the fill of packs.

python -m benchmarks.packing [--quick] [--device cuda]        the last line is JSON

On a CPU in float32, `gradient_difference` is |packed - separate| / |separate| over all adapter gradients, which must be
rounding. On a GPU in bfloat16 both are compared with separate rows in float32; `plain_difference` is that of plain modules.
"""

import argparse
import json
import time

from benchmarks.gpu.correctness import check_kernels
from benchmarks.gpu.workload import draw_lengths
from training.packing import plan_packs

NUM_ROWS, QUICK_ROWS = 100_000, 10_000


def measure_plan(budget: int, num_rows: int) -> dict[str, float]:
    """Return fill, seconds and lost rows of packing rows of log-normal lengths."""
    lengths = draw_lengths(num_rows)
    started = time.perf_counter()
    plan = plan_packs(lengths, budget=budget, num_rows=len(lengths), group=8)
    seconds = time.perf_counter() - started
    seen = [row for pack in plan.packs for row in pack]
    return {
        "fill": round(plan.fill, 4),
        "seconds": round(seconds, 2),
        "lost_rows": num_rows - len(set(seen)),
        "rows_twice": len(seen) - len(set(seen)),
        "packs_over_budget": sum(tokens > budget for tokens in plan.tokens),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"pack {QUICK_ROWS:,} rows instead of {NUM_ROWS:,}")
    parser.add_argument("--device", default="cpu", help="where gradients are compared (cpu)")
    given = parser.parse_args()
    num_rows = QUICK_ROWS if given.quick else NUM_ROWS
    errors = check_kernels(given.device)
    figures = {
        "device": given.device,
        "gradient_difference": errors["packed_gradients"],
        "plain_difference": errors["plain_gradients"],
        "pair_gradient_difference": errors["pair_gradients"],
        "rows": num_rows,
        "budgets": {budget: measure_plan(budget, num_rows) for budget in (4096, 8192, 16384)},
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
