"""Whether every request ends accepted or rejected with its reason, whatever the endpoint does.

python -m benchmarks.faults [--quick]        the last line is JSON

A server on this machine answers with each of its faults once, and then again with each for ever, among healthy requests; all
of them go through `Session.ask` in one batch, with replies whole and streamed. A completion is cut at every byte (--quick: at
every 15th).
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.curation.synthesis.engine.fault_matrix import make_cases, run_matrix


def main() -> None:
    """Run the matrix, print a table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="cut a completion at every 15th byte only")
    given = parser.parse_args()
    started = time.perf_counter()
    outcomes = []
    for stream in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            outcome = run_matrix(Path(folder), make_cases(step=15 if given.quick else 1), stream=stream)
        outcomes.append(outcome)
        what = "streamed" if stream else "whole"
        print(
            f"{what:<9} {outcome.num_asked:>5} requests {outcome.num_accepted:>5} accepted {outcome.num_rejected:>5} rejected"
        )
        for line in outcome.wrong:
            print(f"    not as it must be: {line}")
    reasons = sum((outcome.reasons for outcome in outcomes), Counter[str]())
    for reason, number in reasons.most_common():
        print(f"    {reason:<20} {number:>5}")
    result = {
        "requests": sum(outcome.num_asked for outcome in outcomes),
        "accounted_for": sum(outcome.num_accounted_for for outcome in outcomes),
        "accepted": sum(outcome.num_accepted for outcome in outcomes),
        "rejected": sum(outcome.num_rejected for outcome in outcomes),
        "not_as_it_must_be": sum(len(outcome.wrong) for outcome in outcomes),
        "partial_rows": sum(outcome.num_partial for outcome in outcomes),
        "seconds": time.perf_counter() - started,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
