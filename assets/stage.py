"""How every asset runs: find what these inputs gave before, or call one domain function, store its rows, and report.

    snapshot = run_stage(home, asset="sdk_assistant/curated_examples", inputs=inputs, code="3f...",
                         make=lambda fingerprint: Outputs(tables={"examples": (Example, rows)}))

The fingerprint of a build is the hash of the code version (which covers the settings) and the versions of the inputs.
A build whose fingerprint
was seen before is not made again (Dagster runs downstream assets whatever the version, so the asset has to skip itself).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from curation.home import Home
from curation.ids import content_hash
from curation.records import Record
from curation.store import Snapshot, Store, TableRef, version_of


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a domain function gave: rows a table, finished folders, stored tables, and small facts."""

    tables: dict[str, tuple[type, Sequence[Record]]] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)
    stored: dict[str, TableRef] = field(default_factory=dict)
    """Tables that a child process has written to the store already."""
    values: dict[str, Any] = field(default_factory=dict)
    is_complete: bool = True
    """False when part of it failed for the moment (an endpoint that was down): it is used, but made again next time."""


@dataclass(frozen=True, kw_only=True)
class StageRun:
    """A snapshot, and whether it was made just now or found."""

    snapshot: Snapshot
    is_reused: bool


def run_stage(
    home: Home,
    *,
    asset: str,
    inputs: Iterable[Snapshot],
    code: str,
    make: Callable[[str], Outputs],
    partition: str = "",
    is_lasting: bool = True,
) -> StageRun:
    """Return the newest snapshot of an asset for these inputs; `make` is called (with the fingerprint) only when they are new.

    Pass `is_lasting=False` for what depends on more than its inputs, such as the release ledger: it is made every time.

    Raises:
        TunewrightError: whatever the domain function raises; the previous snapshot then stays the newest.
    """
    store = home.store()
    versions = {_name(item): item.version for item in inputs}
    fingerprint = content_hash({"code": code, "inputs": versions, "partition": partition})
    found = store.find_build(asset, fingerprint) if is_lasting else None
    if found is not None:
        store.put_snapshot(found)
        return StageRun(snapshot=found, is_reused=True)
    outputs = make(fingerprint)
    snapshot = replace(
        _write(store, outputs),
        asset=asset,
        partition=partition,
        inputs=versions,
        code=code,
        fingerprint=fingerprint if outputs.is_complete else "",
    )
    store.put_snapshot(snapshot)
    return StageRun(snapshot=snapshot, is_reused=False)


def _write(store: Store, outputs: Outputs) -> Snapshot:
    tables = {name: store.write_table(cls, rows) for name, (cls, rows) in outputs.tables.items()} | outputs.stored
    folders = {name: store.put_folder(path) for name, path in outputs.folders.items()}
    version = version_of(tables, folders)
    return Snapshot(asset="", partition="", version=version, tables=tables, folders=folders, values=outputs.values)


def _name(snapshot: Snapshot) -> str:
    return f"{snapshot.asset}[{snapshot.partition}]" if snapshot.partition else snapshot.asset
