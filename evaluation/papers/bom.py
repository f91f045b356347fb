"""The bill of materials of a model: CycloneDX 1.6 JSON, with a component `machine-learning-model` and its model card.

bom = write_bom(facts, cite)
bom["components"][0]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]      [{"type": "exact_match", "value": "0.67"}]

Beside it: data sets, base and earlier stages, software. Fields of OWASP's AIBOM list that the format has no place for are
properties under the names of that list.
"""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from evaluation.papers.bom_card import model_card_object, property_list
from evaluation.papers.citations import Citations
from evaluation.papers.facts import DataFacts, PaperFacts
from evaluation.papers.software import library_components

SPEC_VERSION = "1.6"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tunewright:bom")
MODEL_REF = "model"


def write_bom(facts: PaperFacts, cite: Citations) -> dict[str, Any]:
    """Return the bill of materials, having cited its numbers."""
    libraries = library_components(facts)
    data = [_data_component(facts, item) for item in facts.data]
    model = {
        "type": "machine-learning-model",
        "bom-ref": MODEL_REF,
        "supplier": {"name": _supplier(facts)},
        "name": facts.recipe,
        "version": facts.model.hash,
        "description": facts.purpose or f"Fine-tuned by the recipe {facts.recipe}.",
        "hashes": _model_hashes(facts),
        "licenses": licenses(facts, facts.license),
        "purl": f"pkg:generic/{quote(facts.recipe)}@{facts.model.hash}",
        "pedigree": {"ancestors": _ancestors(facts)},
        "externalReferences": [_download(facts)],
        "components": [_file_component(item.path, item.sha256) for item in facts.model.files],
        "modelCard": model_card_object(facts, [item["bom-ref"] for item in data], cite),
    }
    needed = [*(item["bom-ref"] for item in data), *(item["bom-ref"] for item in libraries)]
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC_VERSION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, f'{facts.recipe} {facts.model.hash} {facts.comparison_folder}')}",
        "version": 1,
        "metadata": _metadata(facts),
        "components": [_filled(model), *data, *libraries],
        "externalReferences": [_download(facts)],
        "dependencies": [{"ref": MODEL_REF, "dependsOn": needed}, *({"ref": ref} for ref in needed)],
    }


def add_files(bom: Mapping[str, Any], sums: Mapping[str, str]) -> dict[str, Any]:
    """Return a bill of materials of the files that are handed on, in place of those of the trained model.

    Args:
        bom: what `write_bom` returned.
        sums: SHA-256 by path.
    """
    model, *others = bom["components"]
    files = [_file_component(path, digest) for path, digest in sorted(sums.items())]
    weights = [digest for path, digest in sums.items() if path == "model.safetensors"]
    hashes = {"hashes": [{"alg": "SHA-256", "content": weights[0]}]} if weights else {}
    kept = {name: value for name, value in model.items() if name != "hashes"}
    return {**bom, "components": [{**kept, **hashes, "components": files}, *others]}


def _metadata(facts: PaperFacts) -> dict[str, Any]:
    stated = facts.stated
    named = {
        "primaryPurpose": facts.purpose or "not stated (papers.intended_use)",
        "suppliedBy": _supplier(facts),
        "domain": stated.domain or "not stated (papers.domain)",
        "autonomyType": "none: it answers, and acts only through whoever asks it",
        "standardCompliance": f"CycloneDX {SPEC_VERSION}, Hugging Face model card",
        "typeOfModel": ", ".join(facts.model.config.get("architectures") or ()) or "causal language model",
    }
    return _filled(
        {
            "timestamp": facts.created_at,
            "tools": {"components": [{"type": "application", "name": "tunewright"}]},
            "supplier": {"name": _supplier(facts)},
            "properties": property_list(named),
        }
    )


def _supplier(facts: PaperFacts) -> str:
    return facts.contact or "not stated (owner, papers.contact)"


def _download(facts: PaperFacts) -> dict[str, Any]:
    comment = "" if facts.stated.download_url else "The model lies beside this file."
    return _filled({"type": "distribution", "url": facts.stated.download_url or "./", "comment": comment})


def _model_hashes(facts: PaperFacts) -> list[dict[str, str]]:
    found = [item.sha256 for item in facts.model.files if item.path == "model.safetensors"]
    return [{"alg": "SHA-256", "content": found[0]}] if found else []


def licenses(facts: PaperFacts, text: str) -> list[dict[str, Any]]:
    """Return a licence as CycloneDX has it: by SPDX id where there is one, else by name, saying so where nobody stated it."""
    known = facts.spdx.get(text)
    name = {"id": known} if known else {"name": " ".join(text.split())[:200] or "not stated (papers.license)"}
    return [{"license": name}]


def _ancestors(facts: PaperFacts) -> list[dict[str, Any]]:
    base = facts.base
    purl = f"pkg:huggingface/{quote(base.hub_id)}" + (f"@{quote(base.revision)}" if base.revision else "")
    first: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": "base",
        "name": base.hub_id or "base_model",
        "version": base.revision or base.hash,
        "description": "A small Llama built on the spot." if base.is_built else "What training started from.",
        "purl": purl if base.hub_id else "",
        "properties": property_list({"tunewright:folderHash": base.hash}),
    }
    stages = [
        {
            "type": "machine-learning-model",
            "bom-ref": f"stage/{stage.name}",
            "name": stage.name,
            "version": stage.folder,
            "description": f"After the stage {stage.method}.",
        }
        for stage in facts.stages[:-1]
    ]
    return [_filled(item) for item in (first, *stages)]


def _data_component(facts: PaperFacts, item: DataFacts) -> dict[str, Any]:
    names = sorted({source.license for source in facts.sources if source.license})
    stated = {
        "rows": str(item.num_rows),
        "use": item.role,
        "root": f"{item.root} (BLAKE2b-128, Merkle, of all rows)",
        "sha256Of": f"tables/{item.root}.json, the list of its files",
    }
    return _filled(
        {
            "type": "data",
            "bom-ref": f"data/{item.name}",
            "name": item.name,
            "version": item.root,
            "description": f"{item.num_rows:,} rows for {item.role}.",
            "hashes": [{"alg": "SHA-256", "content": item.manifest_sha256}] if item.manifest_sha256 else [],
            "licenses": [license for name in names for license in licenses(facts, name)],
            "data": [{"type": "dataset", "name": item.name, "governance": {"owners": _owners(facts)}}],
            "properties": property_list({f"tunewright:{name}": value for name, value in stated.items()}),
        }
    )


def _owners(facts: PaperFacts) -> list[dict[str, Any]]:
    return [{"organization": {"name": _supplier(facts)}}]


def _file_component(path: str, sha256: str) -> dict[str, Any]:
    return {"type": "file", "bom-ref": f"file/{path}", "name": path, "hashes": [{"alg": "SHA-256", "content": sha256}]}


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", [], {}, None)}


def refs_of(components: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the references of components and what is in them; they must differ within a bill."""
    return [ref for item in components for ref in (item["bom-ref"], *refs_of(item.get("components", ())))]
