"""The rows of a Hugging Face data set, by name or from a local folder, streamed; no code of the data set is run.

source = SourceConfig(name="math", kind="huggingface", role="demonstrations", dataset="openai/gsm8k", config="main")
next(iterate_dataset(source, lambda name: True, report))     Example(key="math/main/train#1", ...)

A local folder holds data files that `datasets` knows (JSON Lines, CSV, Parquet, ...), or what `save_to_disk` wrote.
"""

import itertools
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from curation.errors import SourceNotFoundError, SourceUnreadableError
from curation.ids import content_hash
from curation.ingest.config import SourceConfig
from curation.ingest.ingested import Ingest, SourceReport
from curation.ingest.readers.encoding import Encoding
from curation.ingest.readers.limits import Limits
from curation.ingest.readers.opening import RowStream, unreadable
from curation.ingest.row_stream import chars_of, iterate_rows
from curation.ingest.rows import BadRow, Row, bad_row

SAVED_MARKS = ("state.json", "dataset_dict.json")
"""Files that `save_to_disk` leaves in its folder."""
_COMMIT = re.compile(r"[0-9a-f]{40}")


def dataset_fingerprint(source: SourceConfig) -> str:
    """Return a hash that changes when the data set may have.

    Of a local folder: names, sizes and times of its files, so an edit that keeps size and time is not seen. Of a data set by
    name: the commit that its revision stands for, asked from the hub unless the revision is a commit already.

    Raises:
        SourceNotFoundError: if the hub knows no such data set.
        SourceUnreadableError: if the hub cannot be asked.
    """
    asked = [source.dataset, source.config, source.split]
    folder = Path(source.dataset)
    if folder.exists():
        files = sorted(path for path in ([folder] if folder.is_file() else folder.rglob("*")) if path.is_file())
        stats = [(path.relative_to(folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        return content_hash([*asked, [list(stat) for stat in stats]])
    if _COMMIT.fullmatch(source.revision):
        return content_hash([*asked, source.revision])
    return content_hash([*asked, _commit_of(source)])


def _commit_of(source: SourceConfig) -> str:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        return str(HfApi().dataset_info(source.dataset, revision=source.revision or None).sha)
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        raise SourceNotFoundError(source=source.name, path=source.dataset) from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise SourceUnreadableError(source=source.name, path=source.dataset, reason=unreadable(error).detail) from error
    except Exception as error:  # the HTTP library below has errors of its own
        raise SourceUnreadableError(source=source.name, path=source.dataset, reason=unreadable(error).detail) from error


def iterate_dataset(
    source: SourceConfig, belongs: Callable[[str], bool], report: Callable[[SourceReport], None]
) -> Iterator[Ingest]:
    """Yield what comes of the rows whose number `belongs` to the shard.

    Raises:
        SourceNotFoundError: if there is no such data set, configuration or split.
        SourceUnreadableError: if it cannot be reached.
    """
    name = "/".join(part for part in (source.config, source.split) if part)
    rows = _rows(_open(source), Limits())
    mine = (row for row in rows if belongs(str(row.number)))
    stream = RowStream("huggingface", Encoding("", 1.0, "binary"), "", mine)
    yield from iterate_rows(source, name, stream, report, may_be_empty=source.shards > 1)


def _open(source: SourceConfig) -> Any:
    """Open the data set as a stream of plain values: pictures and sounds stay bytes."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import datasets

    folder = Path(source.dataset)
    try:
        if any((folder / mark).is_file() for mark in SAVED_MARKS):
            found = datasets.load_from_disk(str(folder))
            chosen = found[source.split] if isinstance(found, datasets.DatasetDict) else found
            return _undecoded(chosen.to_iterable_dataset())
        path = str(folder.resolve()) if folder.exists() else source.dataset
        opened = datasets.load_dataset(
            path, name=source.config or None, split=source.split, revision=source.revision or None, streaming=True
        )
        return _undecoded(opened)
    except (FileNotFoundError, KeyError, ValueError) as error:
        where = "/".join(part for part in (source.dataset, source.config, source.split) if part)
        if isinstance(error, FileNotFoundError):
            raise SourceNotFoundError(source=source.name, path=where) from error
        raise SourceUnreadableError(source=source.name, path=where, reason=unreadable(error).detail) from error
    except Exception as error:  # drivers, hubs and builders raise what they like
        raise SourceUnreadableError(source=source.name, path=source.dataset, reason=unreadable(error).detail) from error


def _undecoded(dataset: Any) -> Any:
    return dataset.decode(False) if dataset.features else dataset


def _rows(dataset: Any, limits: Limits) -> Iterator[Row | BadRow]:
    """Yield the rows; an error on the way ends them with a `BadRow`."""
    iterator = iter(dataset)
    for number in itertools.count(1):
        try:
            values = next(iterator)
        except StopIteration:
            return
        except Exception as error:
            yield bad_row(0, "damaged_file", f"Reading stopped after row {number - 1}: {unreadable(error).detail}")
            return
        size = chars_of(values)
        if size > limits.row_bytes:
            yield bad_row(number, "row_too_large", f"Row {number} has about {size:,} characters.")
        else:
            yield Row(number, dict(values))
