"""The YAML at the head of a model card, as the Hugging Face Hub reads it (`huggingface_hub.ModelCardData`).

front_matter(facts)["license"] == "apache-2.0"
front_matter(facts)["model-index"][0]["results"][0]["metrics"][0] == {"type": "exact_match", "value": 0.672, ...}
"""

import re
from typing import Any

from evaluation.papers.citations import Citations
from evaluation.papers.energy import estimate_energy
from evaluation.papers.facts import PaperFacts
from evaluation.papers.measured import Result, candidate_results, read_results

_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]{1,40}")
DECIMALS = 6


def front_matter(facts: PaperFacts, cite: Citations) -> dict[str, Any]:
    """Return the fields that are known, in the order in which they are written; none is empty."""
    fields: dict[str, Any] = {
        **license_fields(facts.license),
        "language": list(facts.stated.languages),
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "base_model": facts.base.hub_id,
        "base_model_relation": "finetune" if facts.base.hub_id else "",
        "datasets": list(dict.fromkeys([*(source.hub_id for source in facts.sources if source.hub_id), facts.recipe])),
        "metrics": list(dict.fromkeys(result.metric for result in read_results(facts.comparison))),
        "tags": list(dict.fromkeys(["tunewright", *(stage.method for stage in facts.stages)])),
        "co2_eq_emissions": _emissions(facts),
        "model-index": [_model_index(facts, cite)],
    }
    return {name: value for name, value in fields.items() if value}


def license_fields(license: str) -> dict[str, str]:
    """Return `license`, and `license_name` where the Hub has no name for it."""
    name = license.strip().lower()
    if not name:
        return {"license": "other", "license_name": "not-stated"}
    return {"license": name} if _LICENSE.fullmatch(name) else {"license": "other", "license_name": license.strip()[:200]}


def _emissions(facts: PaperFacts) -> dict[str, Any]:
    energy = estimate_energy(facts)
    if energy is None or energy.grams_co2 is None:
        return {}
    return {
        "emissions": round(energy.grams_co2, 3),
        "source": "estimate: device hours x stated power x stated grid",
        "training_type": "fine-tuning",
        "hardware_used": energy.hardware,
    }


def _model_index(facts: PaperFacts, cite: Citations) -> dict[str, Any]:
    by_task = candidate_results(facts.comparison)
    return {"name": facts.recipe, "results": [_task_results(facts, task, found, cite) for task, found in by_task.items()]}


def _task_results(facts: PaperFacts, task: str, found: list[Result], cite: Citations) -> dict[str, Any]:
    held_out = next((item for item in facts.data if item.role == "evaluation"), None)
    dataset = {
        "type": f"{facts.recipe}/{task or 'eval_set'}",
        "name": f"{facts.recipe}: {task or 'held-out groups'}",
        "split": "eval",
        **({"revision": held_out.root} if held_out else {}),
    }
    return {
        "task": {"type": "text-generation"},
        "dataset": dataset,
        "metrics": [_metric(facts, item, cite) for item in found],
    }


def _metric(facts: PaperFacts, item: Result, cite: Citations) -> dict[str, Any]:
    name = " ".join(part for part in ("candidate", item.task, item.metric) if part)
    cite("", item.mean, name=name, folder=facts.comparison_folder, file="comparison.json", pointer=f"{item.place}/mean")
    confidence = float(facts.comparison["confidence"])
    interval = f"{confidence:.0%} interval {item.low:.4f} to {item.high:.4f}, {item.num_items} items"
    return {
        "type": item.metric,
        "name": f"{item.metric} ({interval})",
        "value": round(item.mean, DECIMALS),
        "verified": False,
    }
