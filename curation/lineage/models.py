"""Which tables a model was trained on, its parents included, as the manifests in the model folders say.

training_roots(store, "9f...")       ["3c...", "71..."]: of sft, then dapt, then base; reward models and teachers too
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from curation.errors import CorruptTableError, MissingTableError
from curation.store import Store

MAX_PARENTS = 100


def read_manifest(store: Store, model: str) -> dict[str, Any]:
    """Return the manifest of a stored model. Raises MissingTableError or CorruptTableError."""
    path = f"folders/{model}/manifest.json"
    if not store.files.exists(path):
        raise MissingTableError(root=model, store=store.url, asset="the asset that makes it")
    try:
        manifest: dict[str, Any] = json.loads(store.files.read_bytes(path))
    except ValueError as error:
        raise CorruptTableError(path=path, reason=str(error)) from error
    return manifest


def training_roots(store: Store, model: str) -> list[str]:
    """Return the roots of all tables that a model, and those it started from, learnt from. Raises as `read_manifest` does."""
    roots: list[str] = []
    seen, pending = set[str](), [model]
    while pending and len(seen) < MAX_PARENTS:
        current = pending.pop(0)
        manifest = read_manifest(store, current)
        seen.add(current)
        roots += [root for root in manifest.get("data", {}).values() if root not in roots]
        parents = [manifest.get("parent", ""), *manifest.get("models", {}).values()]
        stored = [parent for parent in parents if re.fullmatch("[0-9a-f]{32}", parent)]  # others are of the world outside
        pending += [parent for parent in stored if parent not in seen and parent not in pending]
    return roots


def list_models(store: Store) -> Iterator[tuple[str, str]]:
    """Yield (asset, model hash) of every model that was ever built and is still stored, the newest and the older ones."""
    seen = set()
    for path in [*store.files.find("snapshots", ".json"), *store.files.find("builds", ".json")]:
        asset = path.partition("/")[2].rpartition("/")[0]
        if not asset.endswith("_model"):
            continue
        try:
            model = json.loads(store.files.read_bytes(path)).get("folders", {}).get("model", "")
        except ValueError as error:
            raise CorruptTableError(path=path, reason=str(error)) from error
        if model and (asset, model) not in seen and store.files.exists(f"folders/{model}/manifest.json"):
            seen.add((asset, model))
            yield asset, model
