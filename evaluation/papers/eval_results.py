"""Results in the form of the Hugging Face Hub's `.eval_results/*.yaml`: one file a task.

result_files(facts, cite)      {".eval_results/eval_set.yaml": "- dataset: {id: sdk_assistant/eval_set, ...} ..."}
"""

import re
from typing import Any

import yaml

from evaluation.papers.citations import Citations
from evaluation.papers.facts import PaperFacts
from evaluation.papers.header import DECIMALS
from evaluation.papers.measured import Result, candidate_results

FOLDER = ".eval_results"
HELD_OUT = "eval_set"
"""How the recipe's own held-out rows are called where they are the only task."""


def result_files(facts: PaperFacts, cite: Citations) -> dict[str, str]:
    """Return the text of each file by its path."""
    return {
        f"{FOLDER}/{_file_name(task or HELD_OUT)}.yaml": yaml.safe_dump(
            [_entry(facts, task or HELD_OUT, item, cite) for item in found], sort_keys=False, allow_unicode=True, width=1000
        )
        for task, found in candidate_results(facts.comparison).items()
    }


def _entry(facts: PaperFacts, task: str, item: Result, cite: Citations) -> dict[str, Any]:
    held_out = next((data for data in facts.data if data.role == "evaluation"), None)
    name = " ".join(part for part in ("candidate", item.task, item.metric) if part)
    cite("", item.mean, name=name, folder=facts.comparison_folder, file="comparison.json", pointer=f"{item.place}/mean")
    confidence = float(facts.comparison["confidence"])
    entry: dict[str, Any] = {
        "dataset": {
            "id": f"{facts.recipe}/{task}",
            "task_id": item.metric,
            **({"revision": held_out.root} if held_out else {}),
        },
        "value": round(item.mean, DECIMALS),
        "notes": f"{confidence:.0%} interval {item.low:.4f} to {item.high:.4f}, {item.num_items} items, "
        f"comparison {facts.comparison_folder}",
    }
    return entry | ({"date": facts.created_at} if facts.created_at else {})


def _file_name(task: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", task).strip("_")[:80] or "task"
