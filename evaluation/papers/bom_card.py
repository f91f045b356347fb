"""The model card inside the bill of materials: parameters, results, considerations, and OWASP's AIBOM fields as properties.

model_card_object(facts, ["data/sft_dataset"], cite)["modelParameters"]["approach"]      {"type": "supervised"}
"""

import json
from collections.abc import Mapping
from typing import Any

from evaluation.papers.citations import Citations, pointer
from evaluation.papers.energy import Energy, estimate_energy
from evaluation.papers.facts import PaperFacts
from evaluation.papers.measured import Result, read_differences, read_results

REINFORCED = frozenset({"rloo", "grpo", "ppo"})


def model_card_object(facts: PaperFacts, data_refs: list[str], cite: Citations) -> dict[str, Any]:
    """Return `modelCard`, having cited its numbers."""
    methods = {stage.method for stage in facts.stages}
    families = facts.model.config.get("model_type")
    return {
        "bom-ref": "model-card",
        "modelParameters": {
            "approach": {"type": "reinforcement-learning" if methods & REINFORCED else _learning(methods)},
            "task": "text-generation",
            "architectureFamily": str(families) if families else "transformer",
            "modelArchitecture": ", ".join(facts.model.config.get("architectures") or ()) or "causal language model",
            "datasets": [{"ref": ref} for ref in data_refs],
            "inputs": [{"format": "text/plain"}],
            "outputs": [{"format": "text/plain"}],
        },
        "quantitativeAnalysis": {"performanceMetrics": [_metric(facts, item, cite) for item in read_results(facts.comparison)]},
        "considerations": _considerations(facts),
        "properties": property_list(_listed(facts, cite)),
    }


def _learning(methods: set[str]) -> str:
    return "self-supervised" if methods == {"dapt"} else "supervised"


def property_list(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Return names and values as CycloneDX properties; what is empty is left out."""
    return [{"name": name, "value": value} for name, value in values.items() if value]


def _metric(facts: PaperFacts, item: Result, cite: Citations) -> dict[str, Any]:
    name = " ".join(part for part in (item.comparator, item.task, item.metric) if part)
    place = {"folder": facts.comparison_folder, "file": "comparison.json"}
    mean = cite(f"{item.mean:.6f}", item.mean, name=name, **place, pointer=f"{item.place}/mean")
    low = cite(f"{item.low:.6f}", item.low, name=f"{name} low", **place, pointer=f"{item.place}/low")
    high = cite(f"{item.high:.6f}", item.high, name=f"{name} high", **place, pointer=f"{item.place}/high")
    where = item.task or "held-out rows"
    return {
        "type": item.metric,
        "value": mean,
        "slice": f"{item.comparator}, {where}, {item.num_items} items",
        "confidenceInterval": {"lowerBound": low, "upperBound": high},
    }


def _considerations(facts: PaperFacts) -> dict[str, Any]:
    stated, energy = facts.stated, estimate_energy(facts)
    weak = [item.reason for item in read_differences(facts.comparison) if item.verdict != "pass"]
    found: dict[str, Any] = {
        "users": list(stated.users),
        "useCases": [facts.purpose] if facts.purpose else [],
        "technicalLimitations": _limits(facts),
        "performanceTradeoffs": weak,
        "ethicalConsiderations": [{"name": risk} for risk in stated.risks],
        "environmentalConsiderations": {"energyConsumptions": [_energy(facts, energy)]} if energy else {},
    }
    return {name: value for name, value in found.items() if value}


def _limits(facts: PaperFacts) -> list[str]:
    measured = f"Measured on the tasks of the recipe {facts.recipe} only."
    scope = [f"Out of scope: {facts.stated.out_of_scope}"] if facts.stated.out_of_scope else []
    return [measured, *scope, *facts.stated.limits]


def _energy(facts: PaperFacts, energy: Energy) -> dict[str, Any]:
    used = {"value": round(energy.kwh, 6), "unit": "kWh"}
    provider = {"organization": {"name": "not stated"}, "energySource": "unknown", "energyProvided": used}
    emitted = {} if energy.grams_co2 is None else {"co2CostEquivalent": {"value": energy.grams_co2 / 1e6, "unit": "tCO2eq"}}
    how = {"tunewright:estimatedFrom": f"{energy.hours:.4f} device hours at {facts.stated.watts_per_device:g} W"}
    measured = {"activityEnergyCost": used, **emitted, "properties": property_list(how)}
    return {"activity": "fine-tuning", "energyProviders": [provider], **measured}


def _listed(facts: PaperFacts, cite: Citations) -> dict[str, str]:
    """Return the fields of OWASP's AIBOM list that have no place of their own in the format."""
    energy = estimate_energy(facts)
    hours = _hours(facts, cite)
    settings = {stage.name: stage.manifest.get("config") or {} for stage in facts.stages}
    found = ", ".join(sorted(facts.private_findings))
    decisive = [item for item in read_differences(facts.comparison) if item.decisive]
    return {
        "energyConsumption": f"{energy.kwh:.4f} kWh, estimated" if energy else f"{hours}; power not stated",
        "energyQuantity": f"{energy.kwh:.4f}" if energy else "",
        "energyUnit": "kWh" if energy else "",
        "hyperparameter": json.dumps(settings, sort_keys=True, ensure_ascii=True),
        "limitation": " ".join(_limits(facts)),
        "safetyRiskAssessment": "; ".join(facts.stated.risks) or "not stated (papers.risks)",
        "modelExplainability": "Every training row can be traced to its source; the report compares answers item by item.",
        "informationAboutTraining": _training(facts),
        "informationAboutApplication": facts.purpose,
        "metric": ", ".join(dict.fromkeys(item.metric for item in read_results(facts.comparison))),
        "metricDecisionThreshold": "; ".join(
            f"{item.metric} against {item.opponent}: lower bound above {item.required:+g}" for item in decisive
        ),
        "modelDataPreprocessing": "; ".join(
            f"{item.stage}: {item.kept} rows kept, {item.rejected} rejected" for item in facts.rows
        ),
        "useSensitivePersonalInformation": f"found and treated before training: {found}" if found else "none found in the rows",
        "tunewright:evidence": str(facts.decision.get("ledger_entry", "")),
    }


def _hours(facts: PaperFacts, cite: Citations) -> str:
    told = []
    for stage in facts.stages:
        value = stage.values.get("device_hours")
        if value is not None:
            place = {"build": stage.build, "pointer": pointer("values", "device_hours")}
            told.append(cite(f"{stage.name} {value:.4f}", value, name=f"{stage.name} device_hours", **place))
    return f"device hours: {', '.join(told)}" if told else "device hours not recorded"


def _training(facts: PaperFacts) -> str:
    told = []
    for stage in facts.stages:
        rows, steps = stage.manifest.get("num_rows"), stage.manifest.get("num_steps")
        told.append(f"{stage.method} on {rows} rows of {', '.join(stage.data)} in {steps} steps")
    return "; ".join(told)
