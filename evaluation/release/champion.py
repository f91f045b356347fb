"""Which model is live, for serving and export: one small file which follows from the ledger, and a link to the model.

    HOME/champions/sdk_assistant.json    {"recipe": "sdk_assistant", "model_hash": "9f...", "entry": "3b...", ...}
    HOME/champions/sdk_assistant         link to the model's folder in a local store, which is never changed

The ledger is the truth; both are written after it, by temporary name and rename. A process killed in between leaves them
one entry behind, and the next `sync_champion` puts them right. A reader that resolves the link once and then opens files
sees one whole model, whatever is promoted meanwhile.
"""

import json
import uuid
from pathlib import Path
from typing import Any

import filelock

from curation.errors import LedgerTamperedError, PromotionRefusedError
from curation.files import sync_folder, write_atomically
from curation.ids import canonical_json
from curation.store import Store
from evaluation.release.registry import LedgerEntry, ReleaseLedger


def sync_champion(recipe: str, *, ledger: ReleaseLedger, home: Path, store: Store | None = None) -> Path | None:
    """Bring HOME/champions/RECIPE.json up to the ledger, and return its path; None without a champion.

    With a local store, the link beside it is switched as well; the folder of a remote one is fetched by whoever serves it.

    Raises:
        LedgerTamperedError: if the file names an entry that the ledger has lost.
        PromotionRefusedError: if the recipe's name cannot be a file name.
    """
    path = champion_path(recipe, home)
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_suffix(".lock")):
        pointed = read_champion(recipe, home)
        known = {entry.hash for entry in ledger.history(recipe)}
        if pointed is not None and pointed.get("entry") not in known:
            raise LedgerTamperedError(ledger="release", entry=pointed.get("sequence", "?"))
        entry = ledger.champion(recipe)
        if entry is None:
            return None
        content = {
            "recipe": recipe,
            "model_hash": entry.model_hash,
            "entry": entry.hash,
            "sequence": entry.sequence,
            "evidence_hash": entry.evidence_hash,
            "who": entry.who,
            "since": entry.created_at,
        }
        if pointed != content:
            write_atomically(path, canonical_json(content).encode())
        if store is not None and store.files.is_local:
            _link(path.with_suffix(""), _folder_of(entry, store))
    return path


def is_in_sync(entry: LedgerEntry, *, home: Path, store: Store) -> bool:
    """Return whether the file, and the link beside it with a local store, were written after this entry of the ledger."""
    if (read_champion(entry.recipe, home) or {}).get("entry") != entry.hash:
        return False
    return not store.files.is_local or _leads_to(champion_path(entry.recipe, home).with_suffix(""), _folder_of(entry, store))


def _folder_of(entry: LedgerEntry, store: Store) -> Path:
    return store.files.local_path(f"folders/{entry.model_hash}").absolute()


def _leads_to(link: Path, folder: Path) -> bool:
    return link.is_symlink() and link.readlink() == folder


def _link(path: Path, folder: Path) -> None:
    if _leads_to(path, folder):
        return
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        part.symlink_to(folder, target_is_directory=True)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def read_champion(recipe: str, home: Path) -> dict[str, Any] | None:
    """Return what the file says, or None if there is none (or it was damaged; the ledger then writes it anew)."""
    try:
        content = json.loads(champion_path(recipe, home).read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def champion_path(recipe: str, home: Path) -> Path:
    """Return where the file of a recipe lies. Raises PromotionRefusedError for a name that is no file name."""
    if not recipe or Path(recipe).name != recipe:
        raise PromotionRefusedError(reason=f"the recipe name {recipe!r} cannot be a file name.")
    return home / "champions" / f"{recipe}.json"
