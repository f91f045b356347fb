"""Contradictions and duplicates among rows: exact, near and semantic ones, also across the split.

done = drop_duplicates([first, second], DuplicateConfig())
    done.kept [first]   done.rejections [Rejection(key=second.key, reason="near_duplicate", other_key=first.key, ...)]
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from curation.duplicates.answers import AnswerLabels, label_answers
from curation.duplicates.clusters import ClusterAlarm
from curation.duplicates.comparison import Comparison, Row, compare_by
from curation.duplicates.config import DuplicateConfig
from curation.duplicates.folding import Array
from curation.duplicates.near_duplicates import Candidate, NearDuplicate, resolve
from curation.duplicates.near_pairs import NearPairs, find_near_classes
from curation.duplicates.order import in_order_of_preference
from curation.duplicates.semantic import find_semantic_pairs
from curation.garbage import collector_paused
from curation.records import Rejection, reject, source_of

STAGE = "curated_examples"
R = TypeVar("R", bound=Row)


class SourcePair(NamedTuple):
    """Rows of one source that were dropped because of rows of another one (or the same)."""

    source: str
    other_source: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Deduplicated(Generic[R]):
    """What stays, what does not, and what somebody should look at; rows in = kept + rejected."""

    kept: tuple[R, ...]
    """In the order of keys."""
    rejections: tuple[Rejection, ...]
    alarms: tuple[ClusterAlarm, ...]
    counts_by_source_pair: dict[SourcePair, int]


@collector_paused()
def drop_duplicates(
    rows: Sequence[R],
    config: DuplicateConfig,
    vectors: Array | None = None,
    *,
    side_of: Callable[[str], str] | None = None,
    stage: str = STAGE,
) -> Deduplicated[R]:
    """Drop contradictions, exact copies, and near copies of prompts with the same answer.

    Near copies with other answers are dropped only where they stand on different sides of the split and reach
    `split_threshold`: `side_of` tells the side of a group, without it the side is that of the row. `vectors` are the
    embeddings of `comparison_text` of the rows (float32, length 1), needed if `semantic_threshold` is set. Keys must be
    unique. The result does not depend on order.
    """
    if config.semantic_threshold is not None and (vectors is None or len(vectors) != len(rows)):
        raise ValueError("semantic_threshold needs one vector a row")
    order = in_order_of_preference(rows, config.keep)
    stand = _Standing([rows[at] for at in order], stage)
    _drop_conflicts(stand, config)
    _drop_exact(stand, config)
    alarms = _drop_near(stand, config, vectors[order] if vectors is not None else None, side_of)
    kept = [row for at, row in enumerate(stand.rows) if at not in stand.dropped]
    return Deduplicated(
        kept=tuple(sorted(kept, key=lambda row: row.key)),
        rejections=tuple(stand.dropped[at] for at in sorted(stand.dropped, key=lambda at: stand.rows[at].key)),
        alarms=tuple(alarms),
        counts_by_source_pair=_count(stand.dropped.values()),
    )


class _Standing(Generic[R]):
    """Rows in order of preference, and which of them are dropped so far."""

    def __init__(self, rows: list[R], stage: str) -> None:
        self.rows = rows
        self.compared: list[Comparison] = [compare_by(row) for row in rows]
        self.dropped: dict[int, Rejection] = {}
        self._stage = stage

    def remaining(self) -> list[int]:
        return [at for at in range(len(self.rows)) if at not in self.dropped]

    def drop(self, at: int, other: int, reason: str, detail: str, similarity: float = 1.0) -> None:
        key = self.rows[other].key
        self.dropped[at] = reject(
            self.rows[at], stage=self._stage, reason=reason, detail=detail, other_key=key, similarity=similarity
        )


def _drop_conflicts(stand: _Standing[R], config: DuplicateConfig) -> None:
    """Drop every row whose question has different answers: nobody knows which one is right."""
    if config.conflicts == "keep":
        return
    verdicts: dict[Hashable, dict[Hashable, int]] = defaultdict(dict)
    for at, compared in enumerate(stand.compared):
        verdicts[compared.question].setdefault(compared.verdict, at)
    for at, compared in enumerate(stand.compared):
        rivals = verdicts[compared.question]
        if len(rivals) > 1:
            other = next(rival for verdict, rival in rivals.items() if verdict != compared.verdict)
            stand.drop(at, other, "conflicting_answers", f"{compared.contradiction} '{stand.rows[other].key}'.")


def _drop_exact(stand: _Standing[R], config: DuplicateConfig) -> None:
    if not config.exact:
        return
    first: dict[tuple[Hashable, ...], dict[str, int]] = defaultdict(dict)
    for at in stand.remaining():
        compared, source = stand.compared[at], source_of(stand.rows[at].key)
        firsts = first[compared.question, compared.verdict]
        inside = [at for name, at in firsts.items() if config.scope == "all" or (name == source) == (config.scope == "within")]
        if inside:
            winner = min(inside)
            stand.drop(at, winner, "exact_duplicate", f"Same prompt and answer as '{stand.rows[winner].key}'.")
        else:
            firsts.setdefault(source, at)


def _drop_near(
    stand: _Standing[R], config: DuplicateConfig, vectors: Array | None, side_of: Callable[[str], str] | None
) -> list[ClusterAlarm]:
    """Drop near copies: those with the same answer, and across the split also those with another one."""
    remaining = stand.remaining()
    answers = label_answers([stand.compared[at].answer for at in remaining], config)
    candidates = [
        _candidate(stand.rows[at], stand.compared[at].text, answer, side_of)
        for at, answer in zip(remaining, answers, strict=True)
    ]
    classes = find_near_classes((candidate.text for candidate in candidates), config.near_threshold)
    if config.near_threshold >= 1:
        classes = classes._replace(class_of=np.arange(len(candidates)), firsts=np.arange(len(candidates)))
    semantic: NearPairs | None = None
    if config.semantic_threshold is not None and vectors is not None:
        semantic = find_semantic_pairs(vectors[remaining], config.semantic_threshold)
    resolved = resolve(
        candidates,
        classes,
        semantic,
        guard=config.sibling_guard,
        scope=config.scope,
        close_threshold=config.split_threshold,
    )
    alarms: list[ClusterAlarm] = []
    spared: set[int] = set()
    for cluster in resolved.clusters:
        if len(cluster) > config.giant_cluster_rows:
            alarms.append(_alarm([stand.rows[remaining[at]] for at in cluster], cluster, resolved.found, config))
            spared.update(cluster if config.giant_cluster == "keep_and_alarm" else ())
    for at, match in resolved.found.items():
        if at not in spared:
            _drop_copy(stand, remaining[at], remaining[match.of], match, _compare(answers[at], answers[match.of]))
    return alarms


def _candidate(row: Row, text: str, answer: AnswerLabels, side_of: Callable[[str], str] | None) -> Candidate:
    """Describe what a row is compared by: its prompt with rows of the same answer, and with the other side of the split."""
    side, kind = side_of(row.group) if side_of is not None else row.split, type(row).__name__
    filed: tuple[Hashable, ...] = ((kind, answer.own),)
    looks = tuple((kind, label) for label in (answer.own, *answer.similar))
    if not side:
        return Candidate(text, filed, looks, source_of(row.key))
    across = ("side", kind, "train" if side == "eval" else "eval")
    return Candidate(text, (*filed, ("side", kind, side)), looks, source_of(row.key), looks_closely_under=(across,))


def _compare(one: AnswerLabels, two: AnswerLabels) -> str:
    """Return how two answers compare, for people; empty if they differ."""
    if one.own == two.own:
        return "and the same answer"
    return "and nearly the same answer" if two.own in one.similar else ""


def _drop_copy(stand: _Standing[R], at: int, other: int, match: NearDuplicate, answers: str) -> None:
    reason = f"{match.measure}_duplicate" if answers else f"{match.measure}_duplicate_across_split"
    alike = "Nearly the same prompt as" if match.measure == "near" else "A prompt of the same meaning as"
    rest = answers or "on the other side of the split"
    detail = f"{alike} '{stand.rows[other].key}' (similarity {match.similarity:.3f}) {rest}."
    stand.drop(at, other, reason, detail, match.similarity)


def _alarm(rows: list[R], cluster: list[int], found: dict[int, NearDuplicate], config: DuplicateConfig) -> ClusterAlarm:
    num_duplicates = sum(at in found for at in cluster)
    were_dropped = config.giant_cluster == "reject"
    what = f"{num_duplicates:,} of them were dropped" if were_dropped else "none of them was dropped: look at them first"
    return ClusterAlarm(
        key=rows[0].key,
        keys=tuple(row.key for row in rows),
        sources=tuple(sorted({source_of(row.key) for row in rows})),
        num_duplicates=num_duplicates,
        were_dropped=were_dropped,
        detail=f"{len(rows):,} rows around '{rows[0].key}' hang together as near copies, perhaps by a template; {what}.",
    )


def _count(rejections: Iterable[Rejection]) -> dict[SourcePair, int]:
    counts = Counter(SourcePair(source_of(item.key), source_of(item.other_key), item.reason) for item in rejections)
    return dict(sorted(counts.items()))
