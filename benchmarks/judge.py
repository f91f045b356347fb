"""Whether our order-swap and agreement code reproduces the published figures from the recorded verdicts of judges and people.

    REALDATA_DIR=... python -m benchmarks.judge [--quick]        the last line is JSON

LLMBar (Zeng et al. 2024): GPT-4's verdicts in both orders against gold labels, natural and hand-made adversarial cases. PandaLM
(Wang et al. 2024): three people on 999 pairs. `all_equal` is 1 if every figure equals the published one. `--quick` is the same:
nothing is asked, everything is recorded.
"""

import argparse
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from curation.judging.agreement import cohen_kappa, fleiss_kappa, gwet_ac1, krippendorff_alpha
from curation.judging.judgements import Position, Winner, combine_orders, winner_at
from curation.judging.length_control import fit_length_control
from curation.judging.people import agree_with_people
from curation.records import Decision, Verdict

PLACES: dict[str, Position] = {"Output (a)": "first", "Output (b)": "second"}
GOLD: dict[int, Winner] = {1: "a", 2: "b"}
LLMBAR = {
    "natural": ("Natural", (95, 96, 93)),
    "manual": ("Adversarial/Manual", (35, 39, 33)),
}
KAPPAS = {"kappa_12": (0, 1, 0.852), "kappa_13": (0, 2, 0.879), "kappa_23": (1, 2, 0.862)}
JUDGES = {
    "gpt35": ("gpt-3.5-turbo-testset-v1.json", "gpt_result"),
    "pandalm7b": ("pandalm-7b-testset-v1.json", "pandalm_result"),
}
WINNERS: dict[str, Winner] = {"1": "a", "2": "b", "0": "tie", "Tie": "tie"}
WORTH: dict[Winner, float] = {"a": 1.0, "b": 0.0, "tie": 0.5}
DECISIONS: dict[int, Decision] = {1: "prefer_a", 2: "prefer_b", 0: "tie"}
VOTES = {"unanimous": (1, 879), "two_to_one": (2, 120), "three_way": (3, 0)}


def read_llmbar(folder: Path) -> tuple[list[Winner], list[Winner], list[Winner]]:
    """Return gold labels, and GPT-4's winners with the answers as they stand and with their places changed."""
    rows = json.loads((folder / "evaluators/GPT-4/Vanilla/result.json").read_text("utf-8"))
    said = [row["results"][0] for row in rows]
    straight = [winner_at(PLACES[item["swap = False"]["completion"][0]], "ab") for item in said]
    swapped = [winner_at(PLACES[item["swap = True"]["completion"][0]], "ba") for item in said]
    return [GOLD[row["label"]] for row in rows], straight, swapped


def measure_llmbar(root: Path) -> tuple[dict[str, float], bool]:
    """Return how often each order, and both together, name the gold answer."""
    figures: dict[str, float] = {}
    is_equal = True
    for name, (folder, published) in LLMBAR.items():
        gold, straight, swapped = read_llmbar(root / "llmbar" / folder)
        both = [combine_orders(one, other) for one, other in zip(straight, swapped, strict=True)]
        right = tuple(count_equal(found, gold) for found in (straight, swapped, both))
        figures |= dict(zip((f"{name}_first", f"{name}_swapped", f"{name}_both"), right, strict=True))
        recorded = json.loads((root / "llmbar" / folder / "evaluators/GPT-4/Vanilla/statistics.json").read_text("utf-8"))
        kappa = cohen_kappa(straight, swapped)
        is_equal &= right == published and abs((kappa.value or 0.0) - recorded["kappa_agreement"]) < 1e-9
        flips = 1 - count_equal(straight, swapped) / len(gold)
        said = f"orders agree by kappa {kappa}, {flips:.0%} flip"
        print(f"llmbar {name:<8} right {right} of {len(gold)}, published {published}; {said}")
    return {f"llmbar_{name}": value for name, value in figures.items()}, is_equal


def count_equal(found: list[Winner], gold: list[Winner]) -> int:
    """Return how many winners are the gold ones."""
    return sum(one == two for one, two in zip(found, gold, strict=True))


def read_pandalm(root: Path) -> list[list[int]]:
    """Return the verdicts of the three people on each pair."""
    rows: list[dict[str, Any]] = json.loads((root / "pandalm_testset/testset-v1.json").read_text("utf-8"))
    return [[row[f"annotator{number}"] for number in (1, 2, 3)] for row in rows]


def read_pandalm_lengths(root: Path) -> list[float]:
    """Return how many characters longer the first answer is than the second, for each pair."""
    rows: list[dict[str, Any]] = json.loads((root / "pandalm_testset/testset-v1.json").read_text("utf-8"))
    return [float(len(str(row["response1"])) - len(str(row["response2"]))) for row in rows]


def measure_pandalm(root: Path) -> tuple[dict[str, float], bool]:
    """Return the kappa of each two people, and how their votes split."""
    ratings = read_pandalm(root)
    figures: dict[str, float] = {}
    is_equal = True
    for name, (one, two, published) in KAPPAS.items():
        kappa = cohen_kappa([row[one] for row in ratings], [row[two] for row in ratings])
        print(f"pandalm {name}: {kappa}, published {published}")
        figures[name] = round(kappa.value or 0.0, 3)
        is_equal &= figures[name] == published
    splits = Counter(len(set(row)) for row in ratings)
    for name, (num, published_num) in VOTES.items():
        figures[name] = splits[num]
        is_equal &= splits[num] == published_num
    for label, found in (
        ("Gwet's AC1", gwet_ac1(ratings)),
        ("Fleiss' kappa", fleiss_kappa(ratings)),
        ("Krippendorff's alpha", krippendorff_alpha(ratings)),
    ):
        print(f"pandalm three people, {label}: {found}")
    return figures, is_equal


def measure_judges(root: Path) -> dict[str, float]:
    """Return how far the recorded judges of PandaLM agree with its people, and how far length tells their winner."""
    rows: list[dict[str, Any]] = json.loads((root / "pandalm_testset/testset-v1.json").read_text("utf-8"))
    verdicts = [
        Verdict(
            key=str(row["idx"]),
            sequence=number,
            decision=DECISIONS[row[f"annotator{number}"]],
            reviewer=f"annotator{number}",
            reviewer_kind="human",
            reason="",
            edited_answer="",
            created_at="",
        )
        for row in rows
        for number in (1, 2, 3)
    ]
    differences = {str(row["idx"]): len(str(row["response1"])) - len(str(row["response2"])) for row in rows}
    figures: dict[str, float] = {}
    for name, (file, column) in JUDGES.items():
        said = json.loads((root / "pandalm_testset" / file).read_text("utf-8"))
        labels = {str(row["idx"]): WINNERS.get(str(row[column])) for row in said}
        agreement = agree_with_people(labels, verdicts)
        known = {key: winner for key, winner in labels.items() if winner is not None}
        fit = fit_length_control([differences[key] for key in known], [WORTH[winner] for winner in known.values()])
        figures |= {
            f"{name}_kappa": round(agreement.kappa.value or 0.0, 3),
            f"{name}_ac1": round(agreement.ac1.value or 0.0, 3),
        }
        figures[f"{name}_length_correlation"] = round(fit.correlation, 3)
        print(
            f"pandalm judge {name}: with people kappa {agreement.kappa}, AC1 {agreement.ac1}, {agreement.num_items} items;"
            f" length slope {fit.slope:.2f} +- {fit.slope_error:.2f}, correlation {fit.correlation:.2f}"
        )
    return figures


def main() -> None:
    """Compare, print a table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the same: nothing is asked")
    parser.parse_args()
    if "REALDATA_DIR" not in os.environ:
        parser.error("set REALDATA_DIR to the folder with the unpacked real data")
    root = Path(os.environ["REALDATA_DIR"])
    llmbar, is_llmbar_equal = measure_llmbar(root)
    pandalm, is_pandalm_equal = measure_pandalm(root)
    judges = measure_judges(root)
    print(json.dumps({**llmbar, **pandalm, **judges, "all_equal": int(is_llmbar_equal and is_pandalm_equal)}))


if __name__ == "__main__":
    main()
