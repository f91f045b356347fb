"""Slices of a training set, and seeded samples of them that do not depend on order.

slice_of(row, CollapseConfig(slice_by="source"))    "api"
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from curation.collapse.config import CollapseConfig
from curation.filters.text_view import RuleRow
from curation.ids import stable_fraction
from curation.records import PreferencePair, VerifiableTask


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows of one slice, sorted by key."""

    name: str
    real: tuple[RuleRow, ...]
    synthetic: tuple[RuleRow, ...]


def slice_of(row: RuleRow, config: CollapseConfig) -> str:
    """Return the name of a row's slice."""
    source = row.key.partition("/")[0]
    names = {"task": row.task, "source": source, "task_and_source": f"{row.task}@{source}", "all": "*"}
    return names[config.slice_by]


def cut_slices(rows: Iterable[RuleRow], config: CollapseConfig) -> list[Slice]:
    """Return the slices of rows, sorted by name."""
    grouped: dict[str, list[RuleRow]] = defaultdict(list)
    for row in rows:
        grouped[slice_of(row, config)].append(row)
    return [_slice(name, grouped[name]) for name in sorted(grouped)]


def sample_rows(rows: Sequence[RuleRow], limit: int, seed: str) -> list[RuleRow]:
    """Return at most `limit` rows in a seeded order that depends on nothing but their keys."""
    if len(rows) == 0:
        return []
    return sorted(rows, key=lambda row: (stable_fraction(row.key, seed), row.key))[:limit]


def text_of(row: RuleRow) -> str:
    """Return what a row teaches: its last question and its (chosen) answer."""
    asked = row.prompt
    question = next((message.content for message in reversed(asked) if message.role == "user"), "")
    if isinstance(row, VerifiableTask):
        return f"{question}\n{row.reference}"
    answer = row.chosen if isinstance(row, PreferencePair) else row.answer
    return f"{question}\n{answer}"


def weigh(rows: Iterable[RuleRow], weights: Mapping[str, float]) -> float:
    """Return the weight of rows, where each row counts as its source weighs (1 if nothing is said)."""
    return sum(weights.get(row.key.partition("/")[0], 1.0) for row in rows)


def _slice(name: str, rows: list[RuleRow]) -> Slice:
    ordered = sorted(rows, key=lambda row: row.key)
    real = tuple(row for row in ordered if row.provenance.origin == "human")
    return Slice(name, real, tuple(row for row in ordered if row.provenance.origin != "human"))
