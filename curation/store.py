"""The content-addressed store: tables, folders (models, reports) and snapshots of assets.

A table is a manifest under its root hash over immutable Parquet shards. Rows are cut into buckets by a stable hash of
their key, so that editing one row writes one shard anew and leaves the others as they are. Everything is written under
a temporary name, fsynced and renamed, so that a reader sees all of a file or none of it.

    store = Store("/data/tunewright")            # or s3://bucket/prefix, gs://..., memory://...
    table = store.write_table(Example, examples) # TableRef(record="Example", root="9f...", num_rows=1200)
    list(store.read_table(Example, table.root))

Layout: `shards/ab/ab....parquet`, `tables/ROOT.json`, `folders/HASH/...`, `snapshots/ASSET/PARTITION.json` (the newest),
`builds/ASSET/FINGERPRINT.json` (what given inputs gave, so that a revert costs nothing).
"""

import dataclasses
import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from curation.errors import CorruptTableError, MissingSnapshotError, MissingTableError, TableLayoutError
from curation.files import FileSystem
from curation.ids import content_hash, hash_file
from curation.records import Record
from curation.shard_files import decode_shard
from curation.table_layout import TableRef as TableRef
from curation.table_layout import shard_path
from curation.table_writer import TableWriter
from curation.tables import from_arrow, schema_of

R = TypeVar("R", bound=Record)

NOT_IN_VERSION = ("rejections", "findings", "row_checks", "calls", "preflight", "timings", "confidences")
"""Tables and folders for people and for saving work; no asset reads them to make its output."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What an asset (or one partition of it) produced: addresses, never data."""

    asset: str
    partition: str
    version: str
    """The Dagster DataVersion: one hash over everything that downstream assets read."""
    tables: dict[str, TableRef] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    """Name -> folder hash (models, reports)."""
    values: dict[str, Any] = field(default_factory=dict)
    """Small facts for people and summaries: counts, costs, scores."""
    inputs: dict[str, str] = field(default_factory=dict)
    """Asset (and partition) -> version that this was made from."""
    code: str = ""
    """Code version of the asset: its domain code and its settings in the recipe."""
    fingerprint: str = ""
    """Hash over code version and inputs: the key of the build; empty if part of it failed and has to be tried again."""


class Store:
    """A folder or object-store prefix that holds everything the graph produces. Safe for several processes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.files = FileSystem(url)

    # -- tables ---------------------------------------------------------------------------------------------------

    def write_table(self, cls: type[R], records: Iterable[R]) -> TableRef:
        """Store records as a table and return its address; shards that exist already are not written again.

        Raises:
            StoreFullError: if the file system refuses a write. Nothing half-written stays behind.
        """
        with self.table_writer(cls) as writer:
            for record in records:
                writer.add(record)
            return writer.finish()

    def table_writer(self, cls: type[R]) -> TableWriter[R]:
        """Return a writer that takes a table row by row in bounded memory."""
        return TableWriter(self.files, cls)

    def read_table(self, cls: type[R], root: str, *, asset: str = "the asset that makes it") -> Iterator[R]:
        """Yield the records of a table, shard by shard, so that no more than one is in memory.

        Raises:
            MissingTableError: if no table has this root.
            CorruptTableError: if a manifest or shard cannot be read or has the wrong rows.
            TableLayoutError: if another version of this project wrote it, with other columns.
        """
        for shard in self._shards(cls, root, asset):
            yield from from_arrow(cls, self.read_shard(cls, shard))

    def read_arrow(self, cls: type, root: str, *, asset: str = "the asset that makes it") -> pa.Table:
        """Return a whole table as Arrow. Raises as `read_table` does."""
        parts = [self.read_shard(cls, shard) for shard in self._shards(cls, root, asset)]
        return pa.concat_tables(parts) if parts else schema_of(cls).empty_table()

    def _shards(self, cls: type, root: str, asset: str) -> list[dict[str, Any]]:
        manifest = self.read_manifest(root, asset)
        if manifest["record"] != cls.__name__:
            raise CorruptTableError(path=f"tables/{root}.json", reason=f"it holds {manifest['record']}, not {cls.__name__}")
        shards: list[dict[str, Any]] = manifest["shards"]
        return shards

    def sample_rows(self, cls: type, root: str, num_rows: int) -> list[dict[str, Any]]:
        """Return the first few rows of a table as dicts; only one shard is read. Raises as `read_table` does."""
        shards = self.read_manifest(root, "the asset that makes it")["shards"]
        rows: list[dict[str, Any]] = self.read_shard(cls, shards[0]).slice(0, num_rows).to_pylist() if shards else []
        return rows

    def read_manifest(self, root: str, asset: str = "the asset that makes it") -> dict[str, Any]:
        """Return `record`, `num_rows` and `shards` of a table. Raises MissingTableError and CorruptTableError."""
        path = f"tables/{root}.json"
        if not self.files.exists(path):
            raise MissingTableError(root=root, store=self.url, asset=asset)
        return _parse(path, self.files.read_bytes(path))

    def read_shard(self, cls: type, shard: dict[str, Any]) -> pa.Table:
        """Return one shard of a manifest.

        Raises:
            CorruptTableError: if its bytes or its number of rows are wrong.
            TableLayoutError: if it has other columns than the records have now.
        """
        path = shard_path(shard["hash"])
        try:
            table = decode_shard(self.files.read_bytes(path))
        except (OSError, ValueError, pa.ArrowException) as error:
            raise CorruptTableError(path=path, reason=str(error)) from error
        if table.num_rows != shard["num_rows"]:
            raise CorruptTableError(path=path, reason=f"{table.num_rows} rows instead of {shard['num_rows']}")
        try:
            return table.cast(schema_of(cls))
        except (ValueError, pa.ArrowException) as error:
            now = set(schema_of(cls).names)
            other = sorted(now.symmetric_difference(table.schema.names))
            reason = f"{cls.__name__} differs in {', '.join(other)}" if other else f"{cls.__name__}: {error}"
            raise TableLayoutError(path=path, reason=reason) from error

    # -- folders --------------------------------------------------------------------------------------------------

    def put_folder(self, path: Path) -> str:
        """Copy a finished local folder into the store under the hash of its files, and return that hash."""
        folder_hash = hash_folder(path)
        if not self.files.exists(f"folders/{folder_hash}"):
            self.files.put_folder(path, f"folders/{folder_hash}")
        return folder_hash

    def get_folder(self, folder_hash: str) -> Path:
        """Return a local path with the files of a stored folder (downloaded once when the store is remote).

        Raises:
            MissingTableError: if no folder has this hash.
        """
        if not self.files.exists(f"folders/{folder_hash}"):
            raise MissingTableError(root=folder_hash, store=self.url, asset="the asset that makes it")
        return self.files.get_folder(f"folders/{folder_hash}", Path(tempfile.gettempdir()) / "tunewright-folders" / folder_hash)

    # -- snapshots ------------------------------------------------------------------------------------------------

    def put_snapshot(self, snapshot: Snapshot) -> None:
        """Make a snapshot the newest of its asset and remember it as the result of its fingerprint."""
        text = json.dumps(dataclasses.asdict(snapshot), sort_keys=True, ensure_ascii=False).encode()
        if snapshot.fingerprint:
            self.files.write_bytes(f"builds/{snapshot.asset}/{snapshot.fingerprint}.json", text)
        self.files.write_bytes(_snapshot_path(snapshot.asset, snapshot.partition), text)

    def snapshot(self, asset: str, partition: str = "") -> Snapshot:
        """Return the newest snapshot of an asset. Raises MissingSnapshotError if there is none."""
        found = self.find_snapshot(asset, partition)
        if found is None:
            raise MissingSnapshotError(asset=f"{asset}[{partition}]" if partition else asset)
        return found

    def find_snapshot(self, asset: str, partition: str = "") -> Snapshot | None:
        """Return the newest snapshot of an asset, or None if it was never materialized."""
        return self._read_snapshot(_snapshot_path(asset, partition))

    def find_build(self, asset: str, fingerprint: str) -> Snapshot | None:
        """Return what an asset gave for these inputs before, if everything it points to is still there."""
        found = self._read_snapshot(f"builds/{asset}/{fingerprint}.json")
        return found if found is not None and self.holds(found) else None

    def holds(self, snapshot: Snapshot) -> bool:
        """Tell whether all files that a snapshot points to are there: folders, tables and their shards."""
        folders = (f"folders/{folder}" for folder in snapshot.folders.values())
        return all(map(self.files.exists, folders)) and all(self._holds_table(table.root) for table in snapshot.tables.values())

    def _holds_table(self, root: str) -> bool:
        if not self.files.exists(f"tables/{root}.json"):
            return False
        return all(self.files.exists(shard_path(shard["hash"])) for shard in self.read_manifest(root, "")["shards"])

    def list_snapshots(self, prefix: str) -> list[Snapshot]:
        """Return the newest snapshots of every asset and partition whose key starts with PREFIX/."""
        paths = self.files.find(f"snapshots/{prefix}", ".json")
        return [snapshot for path in paths if (snapshot := self._read_snapshot(path)) is not None]

    def _read_snapshot(self, path: str) -> Snapshot | None:
        if not self.files.exists(path):
            return None
        data = _parse(path, self.files.read_bytes(path))
        data["tables"] = {name: TableRef(**table) for name, table in data["tables"].items()}
        return Snapshot(**data)


def hash_folder(path: Path) -> str:
    """Return the hash under which a folder is stored: over the relative paths and contents of its files."""
    files = (file for file in sorted(path.rglob("*")) if file.is_file())
    return content_hash({str(file.relative_to(path)): hash_file(file) for file in files})


def version_of(tables: dict[str, TableRef], folders: dict[str, str], *, ignore: tuple[str, ...] = NOT_IN_VERSION) -> str:
    """Return the data version of an asset's output; what is there for people only does not make anything run again."""
    roots = {name: table.root for name, table in tables.items() if name not in ignore}
    hashes = {name: folder for name, folder in folders.items() if name not in ignore}
    return content_hash({"tables": roots, "folders": hashes})


def _snapshot_path(asset: str, partition: str) -> str:
    return f"snapshots/{asset}/{content_hash(partition)[:12] if partition else 'latest'}.json"


def _parse(path: str, data: bytes) -> dict[str, Any]:
    try:
        parsed: dict[str, Any] = json.loads(data)
    except ValueError as error:
        raise CorruptTableError(path=path, reason=str(error)) from error
    return parsed
