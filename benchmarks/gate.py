"""How often the gate promotes noise, and how often it finds a candidate that is better, through the code that decides.

python -m benchmarks.gate [--quick] [--alpha 0.05]        the last line is JSON

Every simulated gate is a table of scores of base and candidate on 1,000 items, each in a group of its own, which goes through
`compare` as that of a recipe does, with the settings of a recipe that names none.

    aa_false_promotions   share of gates promoted although both answer equally well (20 % of the items answered differently)
    aa_grouped            the same with 250 groups of four items that are answered alike: what a test over items takes for news
    power_5pp_n1000       share promoted when the candidate is 5 points better: base right on 60 %, 20 % answered differently
    unpaired_power        share in which a z-test finds the same that does not know that the items are the same
    noise_refused, planted_promoted   one gate each: a candidate of noise, and one that is 5 points better, on 4,000 items
    detectable_n1000      the smallest difference that gates of noise say they find with power 0.8
    seconds_per_gate      of one gate of 1,000 items
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.config import EvaluationConfig
from evaluation.gate.comparison import Comparison, compare
from evaluation.records import DEFAULT_TASK, Score
from evaluation.release.config import ReleaseConfig
from evaluation.statistics import unpaired_z

NUM_GATES, QUICK_GATES = 1000, 200
NUM_ITEMS, MANY_ITEMS = 1000, 4000
BASE_ACCURACY, DISCORDANT, GAIN = 0.6, 0.2, 0.05
ITEMS_PER_GROUP = 4
Answers = npt.NDArray[np.bool_]


def draw(rng: np.random.Generator, num_items: int, gain: float) -> tuple[Answers, Answers]:
    """Return which items base and candidate have right."""
    better, worse = (DISCORDANT + gain) / 2, (DISCORDANT - gain) / 2
    shares = [BASE_ACCURACY - worse, better, worse, 1 - BASE_ACCURACY - better]
    kinds = rng.choice(4, size=num_items, p=shares)
    return np.isin(kinds, (0, 2)), np.isin(kinds, (0, 1))


def score_rows(base: Sequence[bool], candidate: Sequence[bool], per_group: int = 1) -> list[Score]:
    """Return the scores as a recipe's evaluation stores them."""
    return [
        Score(
            key=f"{comparator}/q{number}#exact_match",
            comparator=comparator,
            task=DEFAULT_TASK,
            item_key=f"q{number}",
            group=f"g{number // per_group}",
            metric="exact_match",
            value=float(value),
        )
        for comparator, values in (("base", base), ("candidate", candidate))
        for number, value in enumerate(values)
    ]


def decide(base: Answers, candidate: Answers, release: ReleaseConfig, seed: int, per_group: int = 1) -> Comparison:
    """Send one gate through the code that decides."""
    config = EvaluationConfig(seed=seed, metrics=("exact_match",))
    return compare(score_rows(base.tolist(), candidate.tolist(), per_group), config, release)


def share_promoted(num_gates: int, gain: float, release: ReleaseConfig, seed: int, per_group: int = 1) -> tuple[float, float]:
    """Return the share of gates promoted, and of those in which the unpaired test finds the candidate better."""
    rng = np.random.default_rng(seed)
    promoted = found = 0
    for number in range(num_gates):
        base, candidate = draw(rng, NUM_ITEMS // per_group, gain)
        base, candidate = np.repeat(base, per_group), np.repeat(candidate, per_group)
        promoted += decide(base, candidate, release, number, per_group).verdict == "pass"
        is_ahead = candidate.mean() > base.mean()
        found += bool(is_ahead and unpaired_z(candidate.tolist(), base.tolist()) < release.alpha)
    return promoted / num_gates, found / num_gates


def measure(num_gates: int, alpha: float | None, seed: int) -> dict[str, Any]:
    """Return the figures of the last line."""
    release = ReleaseConfig() if alpha is None else ReleaseConfig(alpha=alpha)
    started = time.perf_counter()
    aa, _ = share_promoted(num_gates, 0.0, release, seed)
    seconds = (time.perf_counter() - started) / num_gates
    print(f"noise: {aa:.1%} of {num_gates} promoted (alpha {release.alpha})", flush=True)
    grouped, _ = share_promoted(num_gates, 0.0, release, seed + 1, ITEMS_PER_GROUP)
    print(f"noise in groups of {ITEMS_PER_GROUP}: {grouped:.1%} promoted", flush=True)
    power, unpaired = share_promoted(num_gates, GAIN, release, seed + 2)
    print(f"5 points better: {power:.1%} promoted, {unpaired:.1%} found by the unpaired test", flush=True)
    rng = np.random.default_rng(seed + 3)
    noise = decide(*draw(rng, MANY_ITEMS, 0.0), release, seed)
    planted = decide(*draw(rng, MANY_ITEMS, GAIN), release, seed)
    print(f"a candidate of noise: {noise.verdict}. {noise.reason}")
    print(f"a planted one: {planted.verdict}. {planted.reason}")
    return {
        "aa_false_promotions": round(aa, 4),
        "power_5pp_n1000": round(power, 4),
        "unpaired_power": round(unpaired, 4),
        "aa_grouped": round(grouped, 4),
        "noise_refused": noise.verdict != "pass",
        "planted_promoted": planted.verdict == "pass",
        "gates": num_gates,
        "alpha": release.alpha,
        "detectable_n1000": round(statistics.median(_detectable(release, seed)), 4),
        "seconds_per_gate": round(seconds, 3),
    }


def _detectable(release: ReleaseConfig, seed: int) -> list[float]:
    """Return what gates of 1,000 items say is the smallest difference that they find."""
    rng = np.random.default_rng(seed + 4)
    gates = [decide(*draw(rng, NUM_ITEMS, 0.0), release, number) for number in range(3)]
    return [item.detectable_effect for gate in gates for item in gate.differences]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_GATES} gates of each kind instead of {NUM_GATES}")
    parser.add_argument("--alpha", type=float, default=None, help="default: that of a recipe that names none")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(json.dumps(measure(QUICK_GATES if arguments.quick else NUM_GATES, arguments.alpha, arguments.seed)))


if __name__ == "__main__":
    main()
