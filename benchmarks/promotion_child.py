"""The processes of `benchmarks.promotion_kills`: one that promotes, one that rolls back, one that reads as a server does."""

import json
from pathlib import Path
from typing import Any

from benchmarks.release_rows import CONFIG, RECIPE, RELEASE, ReleaseRows, make_home
from curation.store import hash_folder
from evaluation.gate.evidence import Evidence
from evaluation.gate.promotion import decide_promotion, promote
from evaluation.release.champion import read_champion
from evaluation.release.registry import open_release_ledger
from evaluation.release.rollback import rollback


def release(folder: Path, name: str, evidence: Evidence, begun: Any = None) -> None:
    """What is killed: put the model into the store, decide, promote. Running it again ends what was begun."""
    home = make_home(folder)
    ReleaseRows(home).store_model(name)
    store, ledger = home.store(), open_release_ledger(home)
    decision = decide_promotion(evidence, store, CONFIG, RELEASE)
    if begun is not None:
        begun.set()
    outcome = promote(decision, evidence, ledger=ledger, store=store, home=folder, who="benchmark")
    ledger.close()
    assert outcome.promoted, outcome.entry.reason


def roll_back(folder: Path, target: str, begun: Any = None) -> None:
    """What is killed every fourth time; nothing is done when a run that was killed had done it all."""
    home = make_home(folder)
    ledger, pointed = open_release_ledger(home), read_champion(RECIPE, folder) or {}
    if begun is not None:
        begun.set()
    if pointed.get("model_hash") != target or live_model(folder) != target:
        rollback(RECIPE, ledger=ledger, store=home.store(), home=folder, who="benchmark", reason="killed on purpose")
    ledger.close()


def read_for_ever(folder: Path, stop: Any, seen: Any) -> None:
    """Read as a server does; `seen` ends with the number of reads and of those that found no whole model."""
    while not stop.is_set():
        with seen.get_lock():
            seen[0] += 1
            seen[1] += live_model(folder) is None


def live_model(folder: Path) -> str | None:
    """Return which model a reader gets by the link, every byte of it verified; None if it is not whole."""
    try:
        opened = (folder / "champions" / RECIPE).resolve(strict=True)
        pointed = json.loads((folder / "champions" / f"{RECIPE}.json").read_bytes())
        found = hash_folder(opened)
    except (OSError, ValueError):
        return None
    return found if found == opened.name and pointed["model_hash"] else None
