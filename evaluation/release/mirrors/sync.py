"""Telling the mirrors of the champion, after the ledger: what fails is reported and tried again, and undoes nothing.

    for report in sync_mirrors("sdk_assistant", make_mirrors(release.mirrors), ledger=ledger, store=store, home=home.path):
        report.mirror, report.place, report.error        ("mlflow", "models:/sdk_assistant/3", "")

What each mirror was told last stands in HOME/champions/RECIPE.mirrors.json, so one that failed is told at the next
materialization of `champion`, or by `tunewright release mirror RECIPE`.
"""

import json
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import filelock

from curation.errors import MirrorError
from curation.files import write_atomically
from curation.ids import canonical_json
from curation.store import Store
from evaluation.release.champion import champion_path
from evaluation.release.mirror_config import MirrorsConfig
from evaluation.release.mirrors.hub import Hub
from evaluation.release.mirrors.mirror import Announcement, Mirror
from evaluation.release.mirrors.mlflow_registry import MlflowRegistry
from evaluation.release.registry import ReleaseLedger

WAITS_S = (1.0, 4.0)
"""Between the attempts of one call."""
SECRET_NAMES = re.compile(r"TOKEN|PASSWORD|SECRET|_KEY$")
SHORTEST_SECRET = 6
LONGEST_ERROR = 500


@dataclass(frozen=True, kw_only=True)
class MirrorReport:
    """What came of telling one mirror."""

    mirror: str
    target: str
    entry: str
    """Hash of the ledger entry that it was told of."""
    place: str = ""
    """Under which name the model stands there; empty if it failed."""
    attempts: int = 0
    """0: it knew already."""
    error: str = ""


def make_mirrors(config: MirrorsConfig) -> list[Mirror]:
    """Return the mirrors that a recipe names; none by default."""
    mirrors: list[Mirror] = []
    if config.mlflow is not None:
        mirrors.append(MlflowRegistry(config.mlflow))
    if config.hub is not None:
        mirrors.append(Hub(config.hub, is_private=config.hub_private))
    return mirrors


def mirrors_path(recipe: str, home: Path) -> Path:
    """Return where stands what each mirror was told last; no file: no mirror was ever told anything."""
    return champion_path(recipe, home).with_suffix(".mirrors.json")


def sync_mirrors(
    recipe: str,
    mirrors: Sequence[Mirror],
    *,
    ledger: ReleaseLedger,
    store: Store,
    home: Path,
    wait: Callable[[float], None] = time.sleep,
) -> list[MirrorReport]:
    """Tell every mirror which model is live now, and return a report each. Raises nothing that a mirror raises.

    Raises:
        LedgerTamperedError: if the ledger is not intact; then nobody is told anything.
        MissingTableError: if the champion is not in the store.
    """
    ledger.verify()
    entry = ledger.champion(recipe)
    if entry is None or not mirrors:
        return []
    address = f"folders/{entry.model_hash}"
    place = str(store.files.local_path(address).absolute()) if store.files.is_local else f"{store.url.rstrip('/')}/{address}"
    news = Announcement(entry=entry, folder=store.get_folder(entry.model_hash), address=place)
    path = mirrors_path(recipe, home)
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_suffix(".lock")):
        told = _read(path)
        reports = [_tell(mirror, news, told.get(mirror.name), wait) for mirror in mirrors]
        write_atomically(path, canonical_json({**told, **{item.mirror: asdict(item) for item in reports}}).encode())
    return reports


def _tell(mirror: Mirror, news: Announcement, before: Any, wait: Callable[[float], None]) -> MirrorReport:
    entry = news.entry.hash
    if (
        isinstance(before, dict)
        and (before.get("target"), before.get("entry")) == (mirror.target, entry)
        and before.get("place")
    ):
        return MirrorReport(mirror=mirror.name, target=mirror.target, entry=entry, place=str(before["place"]))
    error = ""
    for number, pause in enumerate((*WAITS_S, 0.0), start=1):
        try:
            place = mirror.publish(news)
            return MirrorReport(mirror=mirror.name, target=mirror.target, entry=entry, place=place, attempts=number)
        except MirrorError as problem:  # waiting does not help
            return MirrorReport(mirror=mirror.name, target=mirror.target, entry=entry, attempts=number, error=str(problem))
        except Exception as problem:
            error = hide_secrets(f"{type(problem).__name__}: {' '.join(str(problem).split())}")[:LONGEST_ERROR]
        if number <= len(WAITS_S):
            wait(pause)
    return MirrorReport(mirror=mirror.name, target=mirror.target, entry=entry, attempts=number, error=error)


def hide_secrets(text: str) -> str:
    """Return a text without the values of tokens, keys and passwords of this environment."""
    for name, value in os.environ.items():
        if SECRET_NAMES.search(name) and len(value) >= SHORTEST_SECRET:
            text = text.replace(value, f"<{name}>")
    return text


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
