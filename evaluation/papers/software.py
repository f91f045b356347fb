"""The software that made a model, as components of the bill of materials, with licences from the packages themselves.

library_components(facts)[0]      {"type": "library", "name": "torch", "version": "2.13.0", "purl": "pkg:pypi/torch@2.13.0"}
"""

import importlib.metadata
from typing import Any
from urllib.parse import quote

from evaluation.papers.facts import PaperFacts


def library_components(facts: PaperFacts) -> list[dict[str, Any]]:
    """Return the packages that training recorded, then those of the pipeline, each version once."""
    found: dict[tuple[str, str], list[str]] = {}
    for used_for, versions in (
        *((stage.name, stage.manifest.get("versions") or {}) for stage in facts.stages),
        ("pipeline", facts.versions),
    ):
        for name, version in versions.items():
            if version:
                found.setdefault((str(name), str(version)), []).append(used_for)
    return [_component(name, version, used) for (name, version), used in sorted(found.items())]


def _component(name: str, version: str, used_for: list[str]) -> dict[str, Any]:
    is_package = name != "python"
    license = _license(name, version) if is_package else "Python Software Foundation License"
    component: dict[str, Any] = {
        "type": "library" if is_package else "platform",
        "bom-ref": f"software/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{quote(name.lower().replace('_', '-'))}@{quote(version)}"
        if is_package
        else f"pkg:generic/python@{quote(version)}",
        "properties": [{"name": "tunewright:usedFor", "value": ", ".join(used_for)}],
    }
    return component | ({"licenses": [{"license": {"name": license}}]} if license else {})


def _license(name: str, version: str) -> str:
    """Return the licence of an installed package of just this version; empty if it is not installed or does not say."""
    try:
        about = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
    if about["Version"] != version:
        return ""
    stated = (about[name] for name in ("License-Expression", "License") if name in about)
    return " ".join(next(stated, "").split())[:100]
