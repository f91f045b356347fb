"""Sources cut into shards: what there is, cheaply, and the records of one shard.

list_shards(source)                     (SourceShard(source="polars_api", key="polars_api-0of4", fingerprint="9f..."), ...)
read_shard(source, "polars_api-0of4")   Ingested(documents=(...), examples=(), rejections=(...), num_records=391)
"""

import re
from dataclasses import dataclass

from curation.config import check
from curation.errors import EmptySourceError
from curation.ids import merkle_root, stable_bucket
from curation.ingest.config import SourceConfig
from curation.ingest.file_records import read_file, reject_file
from curation.ingest.ingested import Ingested as Ingested
from curation.ingest.listing import SourceFile, SourceFiles, list_files
from curation.ingest.package_documents import package_fingerprint, read_package


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceShard:
    """One partition of a source: `key` is the Dagster partition key, `fingerprint` changes when its content may have."""

    source: str
    key: str
    fingerprint: str


def list_shards(source: SourceConfig) -> tuple[SourceShard, ...]:
    """Return the shards of a source that hold something, without reading a record.

    Raises:
        SourceNotFoundError, SourceUnreadableError: if there are no files, or they cannot be listed.
        UnknownPackageError: if there is no such package.
    """
    if source.kind == "python_package":
        fingerprint = package_fingerprint(source)
        return tuple(_shard(source, bucket, fingerprint) for bucket in range(source.shards))
    files = list_files(source).files
    buckets = [
        [file.fingerprint for file in files if _bucket_of(source, file.name) == bucket] for bucket in range(source.shards)
    ]
    return tuple(_shard(source, bucket, merkle_root(prints)) for bucket, prints in enumerate(buckets) if prints)


def _shard(source: SourceConfig, bucket: int, fingerprint: str) -> SourceShard:
    return SourceShard(source=source.name, key=f"{source.name}-{bucket}of{source.shards}", fingerprint=fingerprint)


def _bucket_of(source: SourceConfig, name: str) -> int:
    return stable_bucket(name, source.shards)


def read_shard(source: SourceConfig, shard_key: str) -> Ingested:
    """Return the records of one shard, sorted by file and row, or by object name.

    Raises:
        ConfigError: if the source has no such shard.
        EmptySourceError: if no shard of the source has a usable record.
        SourceNotFoundError, SourceUnreadableError, UnknownPackageError: if the source is not there.
    """
    bucket = _parse_key(source, shard_key)
    if source.kind == "python_package":
        return _read_package_shard(source, bucket)
    listing = list_files(source)
    ingested = _join([_read_listed(source, listing, file) for file in listing.files if _bucket_of(source, file.name) == bucket])
    if not _is_usable(ingested) and not _any_usable(source, listing, bucket):
        raise EmptySourceError(source=source.name, path=source.path)
    return ingested


def _parse_key(source: SourceConfig, shard_key: str) -> int:
    found = re.fullmatch(re.escape(source.name) + r"-(\d{1,4})of(\d{1,4})", shard_key)
    known = found is not None and int(found[2]) == source.shards and int(found[1]) < source.shards
    check(
        known, "shard", f"is not one of the {source.shards} shards of source '{source.name}'; list the sources again", shard_key
    )
    assert found is not None
    return int(found[1])


def _read_package_shard(source: SourceConfig, bucket: int) -> Ingested:
    ingested = read_package(source, lambda name: _bucket_of(source, name) == bucket)
    if not ingested.documents and not read_package(source, lambda name: True).documents:
        raise EmptySourceError(source=source.name, path=source.package)
    return ingested


def _read_listed(source: SourceConfig, listing: SourceFiles, file: SourceFile) -> Ingested:
    try:
        data = listing.read(file)
    except OSError as error:
        detail = f"It cannot be read: {error.strerror or error}."
        return Ingested.of(rejections=[reject_file(source, file.name, "unreadable_file", detail, b"")])
    return read_file(source, file.name, data)


def _any_usable(source: SourceConfig, listing: SourceFiles, bucket: int) -> bool:
    """Tell whether another shard has a usable record; stops at the first file that has."""
    others = (file for file in listing.files if _bucket_of(source, file.name) != bucket)
    return any(_is_usable(_read_listed(source, listing, file)) for file in others)


def _is_usable(ingested: Ingested) -> bool:
    return bool(ingested.documents or ingested.examples)


def _join(parts: list[Ingested]) -> Ingested:
    return Ingested.of(
        documents=[item for part in parts for item in part.documents],
        examples=[item for part in parts for item in part.examples],
        rejections=[item for part in parts for item in part.rejections],
    )
