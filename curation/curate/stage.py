"""The stage `curated_examples`: clean rows without duplicates, leaks or contradictions, each on one side of the split.

    curated = curate(examples, pairs, unpaired, settings, version="5c...", known=stored_checks)
    rows in == len(curated.examples) + len(curated.pairs) + len(curated.unpaired) + len(curated.tasks)
                + len(curated.rejections)

In this order: every row by itself (cleaned, screened, rules), rows that contradict or repeat others, the split, what gives
evaluation items away, terms, and what the quality suite rejects. A pair goes where its parent (the first one) goes.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from curation.contamination.find import ContaminationIndex, drop_contaminated
from curation.contamination.items import EvalItem, items_of
from curation.curate.quality_gate import route_by_quality
from curation.curate.row_checks import STAGE, CheckedRows, Row, RowCheck, check_rows, known_checks
from curation.curate.settings import CurateSettings
from curation.curate.split import split_of
from curation.duplicates.comparison import comparison_text
from curation.duplicates.duplicates import drop_duplicates
from curation.embedding.embedder import Embedder, Vectors
from curation.records import (
    Example,
    PreferencePair,
    PrivacyFinding,
    Rejection,
    UnpairedPreference,
    VerifiableTask,
    record_hash,
    reject,
)
from curation.terms.judge import judge_terms


@dataclass(frozen=True, kw_only=True)
class Curated:
    """What curation keeps and what it drops, each sorted by key, and what it found out on the way."""

    examples: tuple[Example, ...]
    pairs: tuple[PreferencePair, ...]
    unpaired: tuple[UnpairedPreference, ...]
    tasks: tuple[VerifiableTask, ...]
    rejections: tuple[Rejection, ...]
    findings: tuple[PrivacyFinding, ...]
    row_checks: tuple[RowCheck, ...]
    """Outcomes by row, for the next run."""
    languages: Mapping[str, int]
    """Kept rows by language."""
    review_keys: Mapping[str, str]
    """Keys of rows that people have to look at whatever the policy says, with the expectation that they break."""
    alarms: tuple[str, ...]
    """What a person should know before anything is trained, in sentences."""
    num_checked: int = field(compare=False)
    """Rows that were worked on; all others had been seen before."""
    duplicates_by_source: Mapping[str, int]
    """`source / source` -> rows dropped as copies."""
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)
    """Wall time by step."""


class _Clock:
    """Adds up wall time by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step] = self.seconds.get(step, 0.0) + now - self._last
        self._last = now


def curate(
    examples: Iterable[Example],
    pairs: Iterable[PreferencePair],
    unpaired: Iterable[UnpairedPreference],
    settings: CurateSettings,
    *,
    tasks: Iterable[VerifiableTask] = (),
    version: str,
    known: Iterable[RowCheck] = (),
    benchmark_items: Sequence[EvalItem] = (),
    embedder: Embedder | None = None,
) -> Curated:
    """Curate rows; the result does not depend on their order.

    Args:
        examples: all examples, whatever their source.
        pairs: all preference pairs.
        unpaired: all answers with a thumb up or down.
        settings: what the recipe asks for.
        tasks: all prompts whose answers a grader checks.
        version: hash of code and configuration, under which the outcomes of single rows are stored.
        known: stored outcomes; those of another version are passed over.
        benchmark_items: items of benchmark files that training rows must not give away.
        embedder: makes vectors, for paraphrases and semantic duplicates; None where the recipe wants none.
    """
    clock = _Clock()
    rows: list[Row] = [*_in_order(examples), *_in_order(pairs), *_in_order(unpaired), *_in_order(tasks)]
    checked = check_rows(
        rows, rules=settings.curate.rules, privacy=settings.privacy, version=version, known=known_checks(known, version)
    )
    clock.lap("rows")
    unique, rejections = _drop_repeated_keys(checked)
    rejections += checked.rejections
    found = _without_duplicates(_placed(unique, settings), settings, embedder)
    rejections += found.rejections
    clock.lap("duplicates")
    kept = _without_leaks(found.kept, settings, benchmark_items, embedder, rejections)
    clock.lap("contamination")
    judged = judge_terms(kept, settings.terms, settings.licenses, ancestors=rows, stage=STAGE)
    rejections += judged.rejected
    clock.lap("terms")
    routed = route_by_quality(judged.rows, settings.suite, checked.languages)
    rejections += routed.rejections
    clock.lap("quality")
    done = sorted(_without_orphans(routed.kept, routed.kept, rejections), key=lambda row: row.key)
    return Curated(
        examples=tuple(row for row in done if isinstance(row, Example)),
        pairs=tuple(row for row in done if isinstance(row, PreferencePair)),
        unpaired=tuple(row for row in done if isinstance(row, UnpairedPreference)),
        tasks=tuple(row for row in done if isinstance(row, VerifiableTask)),
        rejections=tuple(sorted(rejections, key=lambda item: (item.key, item.reason, item.record_hash))),
        findings=tuple(checked.findings),
        row_checks=tuple(checked.checks),
        languages=dict(sorted(Counter(checked.languages[row.key] for row in done).items())),
        review_keys=routed.review_keys,
        alarms=tuple(sorted(found.alarms)),
        num_checked=len(rows) - checked.num_reused,
        duplicates_by_source=dict(sorted(found.by_source.items())),
        seconds=clock.seconds,
    )


def _in_order(rows: Iterable[Any]) -> list[Any]:
    """Sort rows by key; hashes, which are dear, decide only between rows of one key."""
    ordered = sorted(rows, key=lambda row: row.key)
    if len({row.key for row in ordered}) == len(ordered):
        return ordered
    return sorted(ordered, key=lambda row: (row.key, record_hash(row)))


def _drop_repeated_keys(checked: CheckedRows) -> tuple[list[Row], list[Rejection]]:
    kept: dict[tuple[type, str], Row] = {}
    rejections = []
    for row in checked.kept:
        if kept.setdefault((type(row), row.key), row) is not row:
            rejections.append(reject(row, stage=STAGE, reason="duplicate_key", detail="Another row has the same key."))
    return list(kept.values()), rejections


class _Unique(NamedTuple):
    """Rows of all kinds without copies, and what was dropped."""

    kept: list[Row]
    rejections: list[Rejection]
    alarms: list[str]
    by_source: Counter[str]


def _without_duplicates(rows: Sequence[Row], settings: CurateSettings, embedder: Embedder | None) -> _Unique:
    """Drop copies kind by kind, examples first: a pair whose example was not kept is dropped with it."""
    out = _Unique([], [], [], Counter())
    for cls in (Example, PreferencePair, UnpairedPreference, VerifiableTask):
        mine = [row for row in rows if isinstance(row, cls)]
        mine = _without_orphans(mine, out.kept, out.rejections) if cls is PreferencePair else mine
        found = drop_duplicates(mine, settings.curate.duplicates, vectors=_vectors(mine, settings, embedder))
        out.kept.extend(found.kept)
        out.rejections.extend(found.rejections)
        out.alarms.extend(alarm.detail for alarm in found.alarms)
        out.by_source.update({" / ".join(pair[:2]): number for pair, number in found.counts_by_source_pair.items()})
    return out


def _vectors(rows: Sequence[Row], settings: CurateSettings, embedder: Embedder | None) -> Vectors | None:
    if settings.curate.duplicates.semantic_threshold is None or embedder is None:
        return None
    return embedder.embed([comparison_text(row) for row in rows])


def _placed(rows: Sequence[Row], settings: CurateSettings) -> list[Row]:
    """Put every row on its side of the split; a pair goes with its parent, without a parent by its own group."""
    groups = {row.key: row.group for row in rows if isinstance(row, Example)}
    placed: list[Row] = []
    for row in rows:
        lineage = row.provenance.parents if isinstance(row, PreferencePair) else ()
        group = groups.get(lineage[0], row.group) if lineage else row.group
        placed.append(replace(row, group=group, split=split_of(group, settings.curate)))
    return placed


def _without_leaks(
    rows: list[Row],
    settings: CurateSettings,
    benchmark_items: Sequence[EvalItem],
    embedder: Embedder | None,
    rejections: list[Rejection],
) -> list[Row]:
    """Drop training rows that give away a held-out example or an item of a benchmark, if the recipe says so."""
    if settings.contamination.action != "drop":
        return rows
    held_out = [row for row in rows if row.split == "eval"]
    items = [*items_of(row for row in held_out if isinstance(row, Example)), *benchmark_items]
    training = [row for row in rows if row.split != "eval"]
    if not items or not training:
        return rows
    index = ContaminationIndex.build(items, settings.contamination, embedder)
    while True:  # with every row that goes, a run of words may become rare that was common before
        cleaned = drop_contaminated(training, index, settings.contamination, embedder, stage=STAGE)
        rejections += cleaned.rejections
        training = list(cleaned.kept)
        if not cleaned.rejections or not training:
            return sorted([*training, *held_out], key=lambda row: row.key)


def _without_orphans(rows: Sequence[Row], examples: Iterable[Row], rejections: list[Rejection]) -> list[Row]:
    """Drop pairs whose example was not kept: what is wrong with it is wrong with them."""
    keys = {row.key for row in examples if isinstance(row, Example)}
    kept = []
    for row in rows:
        lineage = row.provenance.parents if isinstance(row, PreferencePair) else ()
        if lineage and lineage[0] not in keys:
            detail = f"It was made from '{lineage[0]}', which was not kept."
            rejections.append(reject(row, stage=STAGE, reason="parent_rejected", detail=detail))
        else:
            kept.append(row)
    return kept
