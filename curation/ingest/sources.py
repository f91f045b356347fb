"""Sources cut into shards: what there is, cheaply, and the records of one shard, one by one or all at once.

list_shards(source)                     (SourceShard(source="polars_api", key="polars_api-0of4", fingerprint="9f..."), ...)
iterate_shard(source, "faq-0of1")       Example(key="faq/faq.csv#1", ...), Rejection(key="faq/faq.csv#2", ...), ...
read_shard(source, "polars_api-0of4")   Ingested(documents=(...), examples=(), rejections=(...), num_records=391)
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from curation.config import check
from curation.errors import EmptySourceError
from curation.ids import merkle_root, stable_bucket
from curation.ingest.config import SourceConfig
from curation.ingest.file_records import Report, failed_report, iterate_file, reject_file
from curation.ingest.huggingface import dataset_fingerprint, iterate_dataset
from curation.ingest.ingested import Ingest, SourceReport
from curation.ingest.ingested import Ingested as Ingested
from curation.ingest.listing import SourceFile, SourceFiles, list_files
from curation.ingest.package_documents import package_fingerprint, read_package
from curation.ingest.readers.opening import unreadable
from curation.ingest.sql import iterate_query, query_fingerprints
from curation.records import Rejection


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceShard:
    """One partition of a source: `key` is the Dagster partition key, `fingerprint` changes when its content may have."""

    source: str
    key: str
    fingerprint: str


def list_shards(source: SourceConfig) -> tuple[SourceShard, ...]:
    """Return the shards of a source that hold something (or may, where only reading it would tell).

    Files and packages are seen by content. Of a query, the rows are hashed up to a bound, and beyond it counted (see
    `curation.ingest.sql`); of a Hugging Face data set, the commit or the files are seen (`curation.ingest.huggingface`).

    Raises:
        SourceNotFoundError, SourceUnreadableError: if there are no files, or they cannot be listed.
        UnknownPackageError: if there is no such package.
    """
    if source.kind == "python_package":
        return _same_shards(source, package_fingerprint(source))
    if source.kind == "huggingface":
        return _same_shards(source, dataset_fingerprint(source))
    if source.kind == "sql":
        found = query_fingerprints(source)
        return tuple(_shard(source, bucket, fingerprint) for bucket, fingerprint in enumerate(found) if fingerprint)
    files = list_files(source).files
    buckets = [
        [file.fingerprint for file in files if _bucket_of(source, file.name) == bucket] for bucket in range(source.shards)
    ]
    return tuple(_shard(source, bucket, merkle_root(prints)) for bucket, prints in enumerate(buckets) if prints)


def _same_shards(source: SourceConfig, fingerprint: str) -> tuple[SourceShard, ...]:
    return tuple(_shard(source, bucket, fingerprint) for bucket in range(source.shards))


def _shard(source: SourceConfig, bucket: int, fingerprint: str) -> SourceShard:
    return SourceShard(source=source.name, key=f"{source.name}-{bucket}of{source.shards}", fingerprint=fingerprint)


def _bucket_of(source: SourceConfig, name: str) -> int:
    return stable_bucket(name, source.shards)


def read_shard(source: SourceConfig, shard_key: str) -> Ingested:
    """Return the records of one shard, sorted by file and row, or by object name. Raises as `iterate_shard` does."""
    reports: list[SourceReport] = []
    return Ingested.of(iterate_shard(source, shard_key, reports.append), reports)


def iterate_shard(source: SourceConfig, shard_key: str, report: Report | None = None) -> Iterator[Ingest]:
    """Yield the records and rejections of one shard as they are read, sorted by file and row, or by object name.

    Args:
        source: what the recipe says.
        shard_key: the key of a shard as `list_shards` gives it.
        report: called with what was found out about each file, after its last row.

    Raises:
        ConfigError: if the source has no such shard.
        EmptySourceError: at the end, if no shard of the source has a usable record.
        SourceNotFoundError, SourceUnreadableError, UnknownPackageError: if the source is not there.
    """
    bucket = _parse_key(source, shard_key)
    usable = False
    for item in _iterate(source, lambda name: _bucket_of(source, name) == bucket, report or _ignore):
        usable = usable or not isinstance(item, Rejection)
        yield item
    if not usable and not _any_usable(source, lambda name: _bucket_of(source, name) != bucket):
        where = source.path or source.package or source.dataset or source.query
        raise EmptySourceError(source=source.name, path=where)


def _ignore(_: SourceReport) -> None:
    return None


def _parse_key(source: SourceConfig, shard_key: str) -> int:
    found = re.fullmatch(re.escape(source.name) + r"-(\d{1,4})of(\d{1,4})", shard_key)
    known = found is not None and int(found[2]) == source.shards and int(found[1]) < source.shards
    check(
        known, "shard", f"is not one of the {source.shards} shards of source '{source.name}'; list the sources again", shard_key
    )
    assert found is not None
    return int(found[1])


def _iterate(source: SourceConfig, belongs: Callable[[str], bool], report: Report) -> Iterator[Ingest]:
    """Yield what the part of a source holds whose file, object or row names belong to it."""
    if source.kind == "python_package":
        ingested = read_package(source, belongs)
        yield from ingested.documents
        yield from ingested.rejections
    elif source.kind == "sql":
        yield from iterate_query(source, belongs, report)
    elif source.kind == "huggingface":
        yield from iterate_dataset(source, belongs, report)
    else:
        listing = list_files(source)
        for file in listing.files:
            if belongs(file.name):
                yield from _iterate_listed(source, listing, file, report)


def _iterate_listed(source: SourceConfig, listing: SourceFiles, file: SourceFile, report: Report) -> Iterator[Ingest]:
    try:
        stream = listing.open(file)
    except Exception as error:  # drivers of file systems raise what they like
        report(failed_report(file.name, ""))
        yield reject_file(source, file.name, unreadable(error))
        return
    with stream:
        yield from iterate_file(source, file.name, stream, report)


def _any_usable(source: SourceConfig, belongs: Callable[[str], bool]) -> bool:
    """Tell whether another shard has a usable record; stops at the first."""
    if source.shards == 1:
        return False
    return any(not isinstance(item, Rejection) for item in _iterate(source, belongs, _ignore))
