"""What is served: the champion of a recipe, as the release ledger says, every file of it verified by hash.

entry = find_champion(ledger, "sdk_assistant")           # NoChampionError
served = open_champion(home, "sdk_assistant", entry)      # ChampionChangedError names the file
served.model, served.export                               /store/folders/9f..., /store/folders/3b... or None
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.checksums import find_changed
from curation.errors import ChampionChangedError, MissingTableError, NoChampionError
from curation.home import Home
from curation.store import hash_folder
from evaluation.gate.promotion import live_entries
from evaluation.release.registry import LedgerEntry, ReleaseLedger

REPORT = "handover.json"


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A champion whose files are those that were promoted."""

    recipe: str
    model_hash: str
    model: Path
    """The folder that was evaluated, whole: adapters are merged in."""
    export: Path | None
    """The folder that was handed over, if it is one of this very model: with adapter and Modelfile."""
    parent: Path | None
    """The model that its adapter belongs onto, where that is still in the store."""
    entry: LedgerEntry

    @property
    def folder(self) -> Path:
        """Return what an engine loads: the merged model as it was handed over, or else as it was evaluated."""
        return self.export if self.export is not None and (self.export / "config.json").exists() else self.model


def find_champion(ledger: ReleaseLedger, recipe: str) -> LedgerEntry:
    """Return the promotion that made the model live which is live now.

    Raises:
        LedgerTamperedError: if the ledger is not intact.
        NoChampionError: if nothing was promoted yet.
    """
    ledger.verify()
    live = live_entries(ledger.history(recipe))
    if not live:
        raise NoChampionError(recipe=recipe)
    return live[-1]


def open_champion(home: Home, recipe: str, entry: LedgerEntry) -> ServedModel:
    """Verify the files of a champion by hash and say where they lie.

    Raises:
        ChampionChangedError: if a file is missing or was changed since the promotion.
    """
    store = home.store()
    try:
        model = store.get_folder(entry.model_hash)
    except MissingTableError as error:
        raise ChampionChangedError(recipe=recipe, model=entry.model_hash, problem="its files are not in the store") from error
    found = hash_folder(model)
    if found != entry.model_hash:
        problem = f"its files were changed (they hash to {found})"
        raise ChampionChangedError(recipe=recipe, model=entry.model_hash, problem=problem)
    return ServedModel(
        recipe=recipe,
        model_hash=entry.model_hash,
        model=model,
        export=_find_export(home, recipe, entry.model_hash),
        parent=_find_parent(home, model),
        entry=entry,
    )


def _find_export(home: Home, recipe: str, model_hash: str) -> Path | None:
    """Return the newest export if it was handed over as this model. Raises ChampionChangedError if a file was changed."""
    snapshot = home.store().find_snapshot(f"{recipe}/exports")
    digest = snapshot.folders.get("export") if snapshot else None
    if digest is None:
        return None
    try:
        folder = home.store().get_folder(digest)
    except MissingTableError:
        return None
    if _read_json(folder / REPORT).get("model_hash") != model_hash:
        return None
    changed = find_changed(folder) or ("" if hash_folder(folder) == digest else "its list of hashes was changed")
    if changed:
        raise ChampionChangedError(recipe=recipe, model=model_hash, problem=f"in its export {changed}")
    return folder


def _find_parent(home: Home, model: Path) -> Path | None:
    digest = _read_json(model / "manifest.json").get("parent")
    try:
        return home.store().get_folder(digest) if isinstance(digest, str) and digest else None
    except MissingTableError:
        return None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        parsed = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
