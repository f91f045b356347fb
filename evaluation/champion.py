"""Which model is live, for serving and export: one small file which follows from the ledger.

    HOME/champions/sdk_assistant.json    {"recipe": "sdk_assistant", "model_hash": "9f...", "entry": "3b...", ...}

The ledger is the truth; the file is written after it, by temporary name and rename. A process killed between the two
leaves the file one entry behind, and the next `sync_champion` puts it right.
"""

import json
from pathlib import Path
from typing import Any

import filelock

from curation.errors import LedgerTamperedError, PromotionRefusedError
from curation.files import write_atomically
from curation.ids import canonical_json
from evaluation.registry import ReleaseLedger


def sync_champion(recipe: str, *, ledger: ReleaseLedger, home: Path) -> Path | None:
    """Bring HOME/champions/RECIPE.json up to the ledger, and return its path; None without a champion.

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
    return path


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
