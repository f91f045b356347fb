"""From a source shard into the store, in bounded memory: read, screened, held against the rules for documents.

    taken = take_in(store, source, "handbook-0of4", settings, benchmark_items=items)
    taken.tables["documents"], taken.tables["rejections"], taken.tables["findings"]      addresses in the store
    taken.rows_in == taken.rows_out + taken.tables["rejections"].num_rows

Personal data and secrets are replaced here, before a teacher, a reviewer or the store sees them. Documents that give away an
item of a benchmark are dropped here as well, before anything is generated from them.
"""

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from curation.contamination.find import ContaminationIndex, drop_contaminated
from curation.contamination.items import EvalItem
from curation.curate.row_checks import UNDETERMINED, language_of
from curation.curate.settings import CurateSettings
from curation.filters.document_rules import find_document_problem
from curation.filters.language import detect_language
from curation.ingest.config import SourceConfig
from curation.ingest.ingested import Ingest, SourceReport
from curation.ingest.sources import iterate_shard
from curation.lineage.withdrawals import Withdrawal, drop_withdrawn
from curation.privacy.screen import Screener
from curation.records import Document, Example, Message, PreferencePair, PrivacyFinding, Rejection, UnpairedPreference, reject
from curation.store import Store, TableRef
from curation.table_writer import TableWriter

BATCH_ROWS = 2_048
TABLES: Mapping[type, str] = {
    Document: "documents",
    Example: "examples",
    PreferencePair: "pairs",
    UnpairedPreference: "unpaired",
    Rejection: "rejections",
    PrivacyFinding: "findings",
}
TABLES_OF_ROLE = {
    "documents": (Document, Rejection, PrivacyFinding),
    "demonstrations": (Example, PreferencePair, UnpairedPreference, Rejection, PrivacyFinding),
}


@dataclass(frozen=True, kw_only=True)
class TakenIn:
    """The tables of one shard, and what was found out while reading it."""

    tables: Mapping[str, TableRef]
    """By name; every table of the role is there, empty or not."""
    reports: tuple[SourceReport, ...]
    languages: Mapping[str, int]
    lengths: tuple[int, ...]
    """Characters of the kept records, at most MAX_LENGTHS of them."""
    rows_in: int

    @property
    def rows_out(self) -> int:
        """Records that were kept."""
        return sum(table.num_rows for name, table in self.tables.items() if name not in ("rejections", "findings"))


MAX_LENGTHS = 100_000


def take_in(
    store: Store,
    source: SourceConfig,
    shard: str,
    settings: CurateSettings,
    benchmark_items: Sequence[EvalItem] = (),
    withdrawn: Sequence[Withdrawal] = (),
) -> TakenIn:
    """Read one shard into tables; records that a standing withdrawal names are rejected, whatever they hold.

    Raises:
        EmptySourceError, SourceNotFoundError, SourceUnreadableError, UnknownPackageError: see `iterate_shard`.
        StoreFullError: if the store or the disk with temporary files is full.
    """
    reports: list[SourceReport] = []
    found = drop_withdrawn(iterate_shard(source, shard, reports.append), withdrawn, stage=source.role)
    return write_screened(store, found, source.role, settings, benchmark_items, reports)


def write_screened(
    store: Store,
    items: Iterable[Ingest],
    role: str,
    settings: CurateSettings,
    benchmark_items: Sequence[EvalItem] = (),
    reports: Sequence[SourceReport] = (),
) -> TakenIn:
    """Screen what was read and write it, batch by batch. `reports` is looked at last, so that it may fill meanwhile."""
    screen = _Screening(settings, role, benchmark_items)
    with contextlib.ExitStack() as stack:
        writers: dict[type, TableWriter[Any]] = {
            cls: stack.enter_context(store.table_writer(cls)) for cls in TABLES_OF_ROLE[role]
        }
        for batch in _batches(items):
            for record in screen.pass_through(batch):
                writers[type(record)].add(record)
        tables = {TABLES[cls]: writer.finish() for cls, writer in writers.items()}
    return TakenIn(
        tables=tables,
        reports=tuple(reports),
        languages=dict(sorted(screen.languages.items(), key=lambda item: (-item[1], item[0]))),
        lengths=tuple(screen.lengths),
        rows_in=screen.rows_in,
    )


def _batches(items: Iterable[Ingest]) -> Iterator[list[Ingest]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH_ROWS)):
        yield batch


class _Screening:
    """What every record passes through; counts as they go by."""

    def __init__(self, settings: CurateSettings, role: str, benchmark_items: Sequence[EvalItem]) -> None:
        self.settings = settings
        self.role = role
        self.screener = Screener(settings.privacy)
        self.index = ContaminationIndex.build(benchmark_items, settings.contamination) if benchmark_items else None
        self.languages: Counter[str] = Counter()
        self.lengths: list[int] = []
        self.rows_in = 0

    def pass_through(self, batch: list[Ingest]) -> Iterator[Ingest | PrivacyFinding]:
        """Yield what becomes of a batch: records, rejections and findings."""
        kept: list[Any] = []
        for item in batch:
            self.rows_in += 1
            if isinstance(item, Rejection):
                yield replace(item, excerpt=self.screener.mask(item.excerpt))
                continue
            record: Any = item
            outcome = self.screener.screen(record)
            yield from outcome.findings
            if isinstance(outcome.result, Rejection):
                yield replace(outcome.result, stage=self.role)
            else:
                kept.append(outcome.result)
        for kept_record in self._kept_documents(kept) if self.role == "documents" else kept:
            if not isinstance(kept_record, Rejection):
                self._count(kept_record)
            yield kept_record

    def _kept_documents(self, documents: list[Document]) -> Iterator[Document | Rejection]:
        sound: list[Document] = []
        for document in documents:
            problem = find_document_problem(document, self.settings.curate.rules)
            if problem is None:
                sound.append(document)
            else:
                yield reject(document, stage=self.role, reason=problem.reason, detail=problem.detail)
        if self.index is None or self.settings.contamination.action != "drop":
            yield from sound
            return
        cleaned = drop_contaminated(sound, self.index, self.settings.contamination, stage=self.role)
        yield from cleaned.rejections
        yield from cleaned.kept

    def _count(self, record: Any) -> None:
        is_document = isinstance(record, Document)
        text = record.text if is_document else ""
        language = detect_language(text).code if is_document else language_of(record)
        self.languages[language or UNDETERMINED] += 1
        if len(self.lengths) < MAX_LENGTHS:
            self.lengths.append(len(text) if is_document else sum(len(message.text) for message in _conversation(record)))


def _conversation(record: Example | PreferencePair | UnpairedPreference) -> tuple[Message, ...]:
    return record.messages if isinstance(record, Example) else record.prompt
