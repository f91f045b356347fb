import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from evaluation.papers.bom import add_files, refs_of, write_bom
from evaluation.papers.citations import Citations
from evaluation.papers.config import PapersConfig
from evaluation.papers.facts import PaperFacts
from tests.evaluation.papers.conftest import HOSTILE

CARD_FIELDS = (
    "energyConsumption", "hyperparameter", "limitation", "safetyRiskAssessment", "modelExplainability", "energyQuantity",
    "energyUnit", "informationAboutTraining", "informationAboutApplication", "metric", "metricDecisionThreshold",
    "modelDataPreprocessing", "useSensitivePersonalInformation",
)  # fmt: skip
METADATA_FIELDS = ("primaryPurpose", "suppliedBy", "standardCompliance", "domain", "autonomyType", "typeOfModel")


def problems_of(bom: dict[str, Any]) -> str:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bom, allow_nan=False))
    return str(found or "")


def named(properties: list[dict[str, str]]) -> dict[str, str]:
    return {item["name"]: item["value"] for item in properties}


def test_it_is_valid_by_the_official_schema(make_facts: Callable[..., PaperFacts], bare_facts: PaperFacts) -> None:
    hostile = PapersConfig(intended_use=HOSTILE, license="some licence of ours", limits=(HOSTILE,))
    for facts in (make_facts(), make_facts(text=HOSTILE, stated=hostile), bare_facts):
        assert problems_of(write_bom(facts, Citations())) == ""
    broken = write_bom(bare_facts, Citations()) | {"specVersion": 1.6}
    assert problems_of(broken)


def test_all_critical_and_all_other_fields_of_the_aibom_list_are_filled(make_facts: Callable[..., PaperFacts]) -> None:
    bom = write_bom(make_facts(), Citations())
    model = bom["components"][0]
    assert all(bom[name] for name in ("bomFormat", "specVersion", "serialNumber", "version"))
    assert [item["type"] for item in bom["externalReferences"]] == ["distribution"]
    assert model["type"] == "machine-learning-model"
    assert all(model[name] for name in ("name", "purl", "description", "licenses", "hashes", "supplier"))
    assert set(METADATA_FIELDS) <= named(bom["metadata"]["properties"]).keys()
    listed = named(model["modelCard"]["properties"])
    assert all(listed[name] for name in CARD_FIELDS)
    assert model["modelCard"]["considerations"]["technicalLimitations"]


def test_critical_fields_stand_also_where_nobody_stated_anything(bare_facts: PaperFacts) -> None:
    bom = write_bom(bare_facts, Citations())
    stated = named(bom["metadata"]["properties"])
    assert "papers.intended_use" in stated["primaryPurpose"]
    assert "papers.contact" in stated["suppliedBy"]
    assert bom["externalReferences"][0] == {"type": "distribution", "url": "./", "comment": "The model lies beside this file."}
    assert "papers.license" in bom["components"][0]["licenses"][0]["license"]["name"]


def test_results_data_base_and_software_are_in_it(make_facts: Callable[..., PaperFacts]) -> None:
    facts = make_facts()
    bom = write_bom(facts, Citations())
    model, *others = bom["components"]
    metrics = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    candidate = next(item for item in metrics if item["slice"].startswith("candidate"))
    assert (candidate["type"], float(candidate["value"])) == ("exact_match", 0.75)
    assert {name: float(value) for name, value in candidate["confidenceInterval"].items()} == {
        "lowerBound": 0.65,
        "upperBound": 0.85,
    }
    assert model["pedigree"]["ancestors"][0]["purl"] == "pkg:huggingface/org/base-1b@c0ffee"
    data = [item for item in others if item["type"] == "data"]
    assert [item["version"] for item in data] == [item.root for item in facts.data]
    assert [ref["ref"] for ref in model["modelCard"]["modelParameters"]["datasets"]] == [item["bom-ref"] for item in data]
    software = {item["name"]: item for item in others if item["type"] in ("library", "platform")}
    assert (software["torch"]["version"], software["dagster"]["purl"]) == ("2.13.0", "pkg:pypi/dagster@1.13.27")
    assert "peft" not in software


def test_references_differ_and_lead_somewhere(make_facts: Callable[..., PaperFacts]) -> None:
    bom = write_bom(make_facts(), Citations())
    refs = refs_of(bom["components"])
    assert len(refs) == len(set(refs))
    told = {item["ref"] for item in bom["dependencies"]} | {
        ref for item in bom["dependencies"] for ref in item.get("dependsOn", ())
    }
    assert told <= set(refs)


def test_energy_is_an_estimate_from_stated_power(make_facts: Callable[..., PaperFacts]) -> None:
    card = write_bom(make_facts(), Citations())["components"][0]["modelCard"]
    energy = card["considerations"]["environmentalConsiderations"]["energyConsumptions"][0]
    assert energy["activityEnergyCost"] == {"value": 2.6, "unit": "kWh"}
    assert energy["co2CostEquivalent"]["value"] == pytest.approx(2.6 * 380 / 1e6)


def test_the_files_that_are_handed_on_replace_those_that_were_trained(make_facts: Callable[..., PaperFacts]) -> None:
    bom = write_bom(make_facts(), Citations())
    sums = {"model.safetensors": "b" * 64, "adapter/adapter_model.safetensors": "c" * 64}
    handed = add_files(bom, sums)
    assert problems_of(handed) == ""
    model = handed["components"][0]
    assert model["hashes"] == [{"alg": "SHA-256", "content": "b" * 64}]
    assert {item["name"]: item["hashes"][0]["content"] for item in model["components"]} == sums
    adapter_only = add_files(bom, {"adapter/adapter_model.safetensors": "c" * 64})
    assert "hashes" not in adapter_only["components"][0]


def test_what_is_not_finite_does_not_break_it(make_facts: Callable[..., PaperFacts]) -> None:
    facts = make_facts()
    facts.comparison["summaries"][0]["estimates"][0]["mean"] = math.nan
    bom = write_bom(facts, Citations())
    assert problems_of(bom) == ""
