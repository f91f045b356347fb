"""Rows against evaluation items: word runs first, then paraphrases by embedding.

    index = ContaminationIndex.build(items_of(eval_rows), config)          once for any number of calls
    report = find_contamination(rows, index, config, embedder)
    kept, rejections, report = drop_contaminated(rows, index, config, embedder)

Neither the order of the rows nor that of the items makes a difference.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from curation.contamination.config import ContaminationConfig
from curation.contamination.items import EvalItem, Row, collect_texts, items_of, texts_of
from curation.contamination.ngram_index import NgramIndex
from curation.contamination.ngram_rules import decide
from curation.contamination.ngram_scan import scan
from curation.contamination.paraphrases import SLACK, ParaphraseIndex, find_paraphrases
from curation.contamination.report import ContaminationReport, describe, split_cleared
from curation.contamination.word_hashes import words_of
from curation.embedding.embedder import Embedder
from curation.ids import content_hash
from curation.records import ContaminationPair, Example, Rejection, VerifiableTask, reject

R = TypeVar("R", bound=Row)
EXCERPT_WORDS = 40
STAGE = "curated_examples"


@dataclass(frozen=True, kw_only=True)
class ContaminationIndex:
    """Evaluation items, ready to be searched."""

    items: tuple[EvalItem, ...]
    ngrams: NgramIndex
    paraphrases: ParaphraseIndex | None
    """Made if an embedder was given."""

    @classmethod
    def build(
        cls,
        items: Iterable[EvalItem | Example | VerifiableTask],
        config: ContaminationConfig,
        embedder: Embedder | None = None,
    ) -> "ContaminationIndex":
        """Index items; examples among them are those of the eval_set."""
        listed = items_of(items)
        paraphrases = ParaphraseIndex.build(listed, embedder) if embedder is not None else None
        return cls(
            items=listed, ngrams=NgramIndex.build(listed, config.ngram, config.max_row_frequency), paraphrases=paraphrases
        )


Items = ContaminationIndex | Iterable[EvalItem | Example | VerifiableTask]


@dataclass(frozen=True, kw_only=True)
class Decontaminated(Generic[R]):
    """What `drop_contaminated` kept and what it did not."""

    kept: tuple[R, ...]
    rejections: tuple[Rejection, ...]
    report: ContaminationReport
    """About all rows, those dropped among them."""


def find_contamination(
    rows: Sequence[Row], items: Items, config: ContaminationConfig, embedder: Embedder | None = None
) -> ContaminationReport:
    """List every pair of a row and an evaluation item that it gives away.

    Without an embedder (or an index made with one) paraphrases are not looked for, and the report says so. A pair is listed
    once: as `ngram` if the word runs show it, else as `embedding`. Raises what the embedder raises.
    """
    index = items if isinstance(items, ContaminationIndex) else ContaminationIndex.build(items, config, embedder)
    pairs = _ngram_pairs(rows, index, config)
    if embedder is not None and index.paraphrases is not None:
        known = {(pair.record_key, pair.benchmark, pair.item_key) for pair in pairs}
        found = _paraphrase_pairs(rows, index, index.paraphrases, embedder, config)
        pairs += [pair for pair in found if (pair.record_key, pair.benchmark, pair.item_key) not in known]
    pairs.sort(key=_order)
    open_pairs, cleared = split_cleared(pairs, config.cleared)
    return ContaminationReport(
        pairs=open_pairs,
        cleared=cleared,
        num_rows=len(rows),
        num_items=len(index.items),
        method=_method(config, embedder),
        excerpt=_excerpt(rows, index.items, open_pairs),
    )


def drop_contaminated(
    rows: Sequence[R], items: Items, config: ContaminationConfig, embedder: Embedder | None = None, *, stage: str = STAGE
) -> Decontaminated[R]:
    """Separate the rows that give an evaluation item away; the item most alike is the reason."""
    report = find_contamination(rows, items, config, embedder)
    worst: dict[str, ContaminationPair] = {}
    for pair in report.pairs:
        if pair.record_key not in worst or pair.score > worst[pair.record_key].score:
            worst[pair.record_key] = pair
    rejections = [_rejection(row, worst[row.key], stage) for row in rows if row.key in worst]
    kept = tuple(row for row in rows if row.key not in worst)
    return Decontaminated(kept=kept, rejections=tuple(sorted(rejections, key=lambda item: item.key)), report=report)


def _rejection(row: Row, pair: ContaminationPair, stage: str) -> Rejection:
    detail = f"{describe(pair).capitalize()}."
    return reject(
        row, stage=stage, reason="contaminated", detail=detail, other_key=pair.item_key, similarity=min(1.0, pair.score)
    )


def _ngram_pairs(rows: Sequence[Row], index: ContaminationIndex, config: ContaminationConfig) -> list[ContaminationPair]:
    texts = collect_texts(rows)
    matches = decide(scan(texts, index.ngrams), texts.rows, index.ngrams, config)
    return [
        _make_pair(rows[match.row], index.items[match.item], texts.fields[match.text], "ngram", match.score)
        for match in matches
    ]


def _paraphrase_pairs(
    rows: Sequence[Row],
    index: ContaminationIndex,
    paraphrases: ParaphraseIndex,
    embedder: Embedder,
    config: ContaminationConfig,
) -> list[ContaminationPair]:
    return [
        _make_pair(rows[match.row], index.items[match.item], field, "embedding", match.score)
        for match, field in find_paraphrases(rows, paraphrases, embedder, config)
    ]


def _make_pair(row: Row, item: EvalItem, field: str, measure: str, score: float) -> ContaminationPair:
    """Return the record of a finding."""
    return ContaminationPair(
        key=content_hash([row.key, item.benchmark, item.key, measure]),
        record_key=row.key,
        item_key=item.key,
        benchmark=item.benchmark,
        field=field,
        measure=measure,
        score=round(float(score), 4),
    )


def _order(pair: ContaminationPair) -> tuple[str, ...]:
    return pair.record_key, pair.benchmark, pair.item_key, pair.measure


def _method(config: ContaminationConfig, embedder: Embedder | None) -> tuple[str, ...]:
    runs = (
        f"Runs of {config.ngram} words (4 in short items); runs in more than {config.max_row_frequency} different rows or "
        f"items do not count; at least {config.min_hits} runs and {config.min_coverage:.0%} of the prompt's "
        f"({config.min_answer_coverage:.0%} of the answer's)."
    )
    if embedder is None:
        return runs, "Paraphrases were not looked for: no embedding model."
    paraphrases = (
        f"Paraphrases by {embedder.name} (revision {embedder.revision[:12]}): cosine of at least {config.cosine} if "
        f"numbers, final answer or names agree ({config.cosine - SLACK:.2f} if two of them do), {config.cosine_alone} without."
    )
    return runs, paraphrases


def _excerpt(rows: Sequence[Row], items: Sequence[EvalItem], pairs: Sequence[ContaminationPair]) -> str:
    """Return the longest run of words that the first pair shares."""
    if not pairs:
        return ""
    first = pairs[0]
    row = min((row for row in rows if row.key == first.record_key), key=lambda row: row.key)
    item = next(item for item in items if (item.benchmark, item.key) == (first.benchmark, first.item_key))
    row_words = [words_of(text.text[:100_000]) for text in texts_of(row) if text.field == first.field]
    item_words = [words_of(text[:20_000]) for text in (item.prompt, item.answer)]
    runs = [longest_common_run(mine, theirs) for mine in row_words for theirs in item_words]
    best = max(runs, key=len, default=[])
    return " ".join(best[:EXCERPT_WORDS])


def longest_common_run(mine: list[str], theirs: list[str]) -> list[str]:
    """Return the longest run of words that two texts share (the first in `mine`)."""
    low, high, best = 0, min(len(mine), len(theirs)), 0
    while low < high:
        middle = (low + high + 1) // 2
        known = {tuple(theirs[start : start + middle]) for start in range(len(theirs) - middle + 1)}
        place = next((start for start in range(len(mine) - middle + 1) if tuple(mine[start : start + middle]) in known), -1)
        low, high, best = (middle, high, place) if place >= 0 else (low, middle - 1, best)
    return mine[best : best + low]
