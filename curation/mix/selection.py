"""Keep the best and most different rows: 1,000 good rows can beat 50,000 noisy ones (LIMA, arXiv:2305.11206).

selected = select_best(examples, SelectionConfig(keep=1000))
len(selected.kept), len(selected.rejections)        1000, 49000
selected.scores.to_pylist()[0]                      {"key": "faq/a.csv#7", "quality": 0.91, "complexity": 0.4, "score": ...}
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.errors import MixError
from curation.ids import stable_fraction
from curation.mix.config import SelectionConfig
from curation.mix.diversity import Placed, walk_deita, walk_k_center, walk_mmr, walk_scores
from curation.mix.scores import RowScorer, RowScores, score_rows
from curation.mix.texts import answer_text, prompt_text
from curation.mix.vectors import text_vectors, unit_rows
from curation.records import Record, Rejection, reject, source_of

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, kw_only=True, slots=True)
class Selected(Generic[R]):
    """What selection keeps and what it leaves out; rows in = kept + rejections."""

    kept: tuple[R, ...]
    """Sorted by key."""
    rejections: tuple[Rejection, ...]
    """Reason `not_selected`, sorted by key, with score and place; a row passed over for being near another names it."""
    scores: pa.Table
    """One row each, sorted by key: key, quality, complexity, score, place (1 is the best score), nearest, similarity, kept.
    `nearest` and `similarity` are null where the walk never came to the row."""


def select_best(
    rows: Sequence[R],
    config: SelectionConfig,
    scores: pa.Table | Mapping[str, RowScorer] | None = None,
    vectors: NDArray[Any] | Mapping[str, Sequence[float]] | None = None,
    *,
    stage: str = "sft_dataset",
) -> Selected[R]:
    """Keep the best rows by quality and complexity that are different from each other.

    The result depends on the rows, the config and the scores, never on the order of the rows. Without quotas, what is kept
    for N is part of what is kept for any M > N: all walks take rows in an order that does not depend on N.

    Args:
        rows: records with unique keys.
        config: how many, which quotas, which kind of diversity.
        scores: scorers or a table (see `score_rows`); built-in signals without it.
        vectors: one vector a row, in the order of `rows` or by key; hashed TF-IDF of prompt and answer without it.
        stage: name of the asset in the rejections.

    Raises:
        MissingScoresError: if the table of scores lacks rows.
        MixError: if keys repeat, scores or vectors do not fit, or quotas ask for more rows than `keep`.
    """
    order = sorted(range(len(rows)), key=lambda position: rows[position].key)
    ordered = [rows[position] for position in order]
    _check_keys(ordered)
    found = score_rows(ordered, config, scores)
    ranking = _ranking(ordered, found, config.seed)
    taken, placed = set(range(len(ordered))), dict[int, Placed]()
    if config.keep is not None:
        taken, placed = _take(ordered, ranking, config, _walk(ordered, found, ranking, config, vectors, order))
    return _selected(ordered, found, ranking, taken, placed, stage)


def _check_keys(rows: Sequence[Record]) -> None:
    doubled = next((row.key for row, after in zip(rows, rows[1:], strict=False) if row.key == after.key), None)
    if doubled is not None:
        raise MixError(problem=f"two rows have the key '{doubled}'.")


def _ranking(rows: Sequence[Record], scores: RowScores, seed: int) -> NDArray[np.int64]:
    """Return positions of rows (sorted by key), best score first; equal scores in the order of a hash."""
    chance = np.array([stable_fraction(row.key, f"select {seed}") for row in rows], dtype=np.float64)
    return np.lexsort((chance, -scores.total))


def _walk(
    rows: Sequence[Any],
    scores: RowScores,
    ranking: NDArray[np.int64],
    config: SelectionConfig,
    vectors: NDArray[Any] | Mapping[str, Sequence[float]] | None,
    order: list[int],
) -> Iterator[Placed]:
    if config.diversity == "none" or not rows:
        return walk_scores(len(rows))
    found = _vectors(rows, vectors, order, config.seed)[ranking]
    if config.diversity == "deita":
        return walk_deita(found, min_distance=config.min_distance)
    if config.diversity == "mmr":
        return walk_mmr(found, scores.total[ranking], relevance=config.relevance)
    return walk_k_center(found, scores.total[ranking])


def _vectors(
    rows: Sequence[Any], vectors: NDArray[Any] | Mapping[str, Sequence[float]] | None, order: list[int], seed: int
) -> NDArray[np.float32]:
    if vectors is None:
        return text_vectors([f"{prompt_text(row)}\n{answer_text(row)}" for row in rows], seed=seed)
    if isinstance(vectors, Mapping):
        missing = [row.key for row in rows if row.key not in vectors]
        if missing:
            raise MixError(problem=f"{len(missing):,} of {len(rows):,} rows have no vector, first '{missing[0]}'.")
        return _finite(np.array([vectors[row.key] for row in rows], dtype=np.float32))
    if vectors.ndim != 2 or len(vectors) != len(rows):
        raise MixError(problem=f"vectors of shape {vectors.shape} do not fit {len(rows):,} rows.")
    return _finite(vectors[order])


def _finite(vectors: NDArray[Any]) -> NDArray[np.float32]:
    if not np.isfinite(vectors).all():
        raise MixError(problem="a vector holds a number that is not finite.")
    return unit_rows(vectors)


def _take(
    rows: Sequence[Any], ranking: NDArray[np.int64], config: SelectionConfig, walk: Iterator[Placed]
) -> tuple[set[int], dict[int, Placed]]:
    """Walk until all places are filled: new rows first, then those passed over, in their order."""
    slices = [source_of(row.key) if config.slice_by == "source" else row.task for row in rows]
    places = _places(slices, config)
    taken: set[int] = set()
    placed: dict[int, Placed] = {}
    passed_over: list[int] = []
    for step in walk:
        if not sum(places.values()):
            break
        row = int(ranking[step.position])
        nearest = int(ranking[step.nearest]) if step.nearest >= 0 else -1
        placed[row] = step._replace(position=row, nearest=nearest)
        if not step.is_new:
            passed_over.append(row)
        elif _sit(slices[row], places):
            taken.add(row)
    taken.update(row for row in passed_over if _sit(slices[row], places))
    return taken, placed


def _places(slices: list[str], config: SelectionConfig) -> dict[str, int]:
    """Return the number of places by slice; "" stands for all slices without a quota."""
    assert config.keep is not None
    sizes = Counter(slices)
    keep = config.keep if isinstance(config.keep, int) else round(config.keep * len(slices))
    keep = min(keep, len(slices))
    asked = {name: amount if isinstance(amount, int) else round(amount * keep) for name, amount in config.quotas.items()}
    places = {f"={name}": min(amount, sizes[name]) for name, amount in asked.items()}
    if sum(places.values()) > keep:
        raise MixError(problem=f"the quotas ask for {sum(places.values()):,} rows, but only {keep:,} are kept.")
    return {**places, "": keep - sum(places.values())}


def _sit(name: str, places: dict[str, int]) -> bool:
    place = f"={name}" if f"={name}" in places else ""
    if places[place] == 0:
        return False
    places[place] -= 1
    return True


def _selected(
    rows: Sequence[R],
    scores: RowScores,
    ranking: NDArray[np.int64],
    taken: set[int],
    placed: dict[int, Placed],
    stage: str,
) -> Selected[R]:
    place = np.empty(len(rows), dtype=np.int64)
    place[ranking] = np.arange(1, len(rows) + 1)
    rejections = []
    for number, row in enumerate(rows):
        if number not in taken:
            facts = f"Score {scores.total[number]:.3f} (quality {scores.quality[number]:.2f}, complexity "
            facts += (
                f"{scores.complexity[number]:.2f}), place {place[number]:,} of {len(rows):,}; {len(taken):,} rows are kept."
            )
            rejections.append(_rejection(row, facts, rows, placed.get(number), stage))
    return Selected(
        kept=tuple(row for number, row in enumerate(rows) if number in taken),
        rejections=tuple(rejections),
        scores=_score_table(rows, scores, place, taken, placed),
    )


def _rejection(row: Record, facts: str, rows: Sequence[Record], step: Placed | None, stage: str) -> Rejection:
    if step is None or step.is_new:
        return reject(row, stage=stage, reason="not_selected", detail=facts)
    near, similarity = rows[step.nearest].key, round(step.similarity, 4)
    detail = f"Too near to '{near}', which ranks higher (similarity {similarity:.2f}). {facts}"
    return reject(row, stage=stage, reason="not_selected", detail=detail, other_key=near, similarity=similarity)


def _score_table(
    rows: Sequence[Record], scores: RowScores, place: NDArray[np.int64], taken: set[int], placed: dict[int, Placed]
) -> pa.Table:
    steps = [placed.get(number) for number in range(len(rows))]
    near = [rows[step.nearest].key if step is not None and step.nearest >= 0 else None for step in steps]
    alike = [round(step.similarity, 4) if step is not None and step.nearest >= 0 else None for step in steps]
    columns = {
        "key": pa.array([row.key for row in rows], pa.string()),
        "quality": pa.array(scores.quality),
        "complexity": pa.array(scores.complexity),
        "score": pa.array(scores.total),
        "place": pa.array(place),
        "nearest": pa.array(near, pa.string()),
        "similarity": pa.array(alike, pa.float64()),
        "kept": pa.array([number in taken for number in range(len(rows))], pa.bool_()),
    }
    return pa.table(columns)
