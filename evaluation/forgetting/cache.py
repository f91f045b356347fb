"""What was measured before, so that no model is measured twice on one item: the base is, once for all recipes and runs.

    cache = MeasureCache(work_folder / "measured", settings)      # settings: model hash, lengths, format
    cache.get(item_hash)                                          # the value, or None
    cache.put({item_hash: {"log_likelihoods": [-1.2]}})           # durable when this returns

Layout: `measured/SETTINGS/BATCH.json`. A damaged file counts as absent.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curation.files import write_atomically
from curation.ids import canonical_json, content_hash


class MeasureCache:
    """Plain JSON values by hash, for one model under one set of settings."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self._folder = folder / content_hash(dict(settings))
        self._values: dict[str, Any] = {}
        for path in sorted(self._folder.glob("*.json")):
            self._values.update(_read(path))

    def get(self, key: str) -> Any:
        """Return what was measured, or None."""
        return self._values.get(key)

    def put(self, values: Mapping[str, Any]) -> None:
        """Keep a batch; a kill loses at most the batch in work."""
        kept = dict(values)
        text = canonical_json({"values": kept, "hash": content_hash(kept)})
        write_atomically(self._folder / f"{content_hash(sorted(kept))}.json", text.encode("utf-8", "surrogatepass"))
        self._values.update(kept)


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes().decode("utf-8", "surrogatepass"))
        values = data["values"]
        return dict(values) if data["hash"] == content_hash(values) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
