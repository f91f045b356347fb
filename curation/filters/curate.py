"""The stage `curated_examples`: clean rows without duplicates or contradictions, each on one side of the split.

curated = curate(examples, pairs, CurateConfig())
len(examples) + len(pairs) == len(curated.examples) + len(curated.pairs) + len(curated.rejections)
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from curation.filters.config import CurateConfig
from curation.filters.duplicates import STAGE, drop_duplicates, prompt_key
from curation.filters.rules import Problem, clean_example, clean_pair, find_pair_problem, find_problem
from curation.filters.split import split_of
from curation.records import Example, PreferencePair, Rejection, record_hash, reject

R = TypeVar("R", Example, PreferencePair)


@dataclass(frozen=True, kw_only=True, slots=True)
class Curated:
    """What curation keeps and what it drops, each sorted by key; rows in = rows out + rejected."""

    examples: tuple[Example, ...]
    pairs: tuple[PreferencePair, ...]
    rejections: tuple[Rejection, ...]


def curate(examples: Iterable[Example], pairs: Iterable[PreferencePair], config: CurateConfig) -> Curated:
    """Normalise, check, de-duplicate and split; a pair goes where its parent (the first one) goes.

    No two kept examples have the same prompt, and no kept example on one side of the split nearly equals one on the
    other. The result does not depend on the order of the input.
    """
    rejections: list[Rejection] = []
    kept, dropped = drop_duplicates(_check_examples(examples, config, rejections), config)
    split = [replace(example, split=split_of(example.group, config)) for example in kept]
    kept_pairs = _curate_pairs(pairs, {example.key: example for example in split}, config, rejections)
    return Curated(
        examples=tuple(sorted(split, key=lambda example: example.key)),
        pairs=tuple(kept_pairs),
        rejections=tuple(sorted([*rejections, *dropped], key=lambda item: (item.key, item.reason, item.record_hash))),
    )


def _check_examples(examples: Iterable[Example], config: CurateConfig, rejections: list[Rejection]) -> list[Example]:
    kept: dict[str, Example] = {}
    for example in _in_order(examples):
        cleaned = clean_example(example)
        problem = find_problem(cleaned, config)
        if problem is None and example.key in kept:
            problem = Problem("duplicate_key", "Another row has the same key.")
        if problem is None:
            kept[example.key] = cleaned
        else:
            rejections.append(reject(example, stage=STAGE, reason=problem.reason, detail=problem.detail))
    return list(kept.values())


def _curate_pairs(
    pairs: Iterable[PreferencePair], parents: dict[str, Example], config: CurateConfig, rejections: list[Rejection]
) -> list[PreferencePair]:
    kept: list[PreferencePair] = []
    seen: dict[tuple[object, str, str], str] = {}
    keys: set[str] = set()
    for pair in _in_order(pairs):
        cleaned = _follow_parent(clean_pair(pair), parents, config)
        problem = _pair_problem(cleaned, parents, config)
        content = (prompt_key(cleaned.prompt), cleaned.chosen, cleaned.rejected)
        if problem is None and pair.key in keys:
            problem = Problem("duplicate_key", "Another row has the same key.")
        if problem is None and content in seen:
            problem = Problem("exact_duplicate", f"Same prompt and answers as '{seen[content]}'.")
        if problem is not None:
            rejections.append(reject(pair, stage=STAGE, reason=problem.reason, detail=problem.detail))
            continue
        keys.add(pair.key)
        seen[content] = pair.key
        kept.append(cleaned)
    return kept


def _follow_parent(pair: PreferencePair, parents: dict[str, Example], config: CurateConfig) -> PreferencePair:
    """Return the pair with the group and the side of its parent; without a parent it keeps its own group."""
    parent = parents.get(pair.provenance.parents[0]) if pair.provenance.parents else None
    group = parent.group if parent is not None else pair.group
    return replace(pair, group=group, split=split_of(group, config))


def _pair_problem(pair: PreferencePair, parents: dict[str, Example], config: CurateConfig) -> Problem | None:
    lineage = pair.provenance.parents
    if lineage and lineage[0] not in parents:
        return Problem("parent_rejected", f"It was made from '{lineage[0]}', which was not kept.")
    return find_pair_problem(pair, config)


def _in_order(rows: Iterable[R]) -> list[R]:
    """Sort rows by key; hashes, which are dear, decide only between rows of one key."""
    ordered = sorted(rows, key=lambda row: row.key)
    if len({row.key for row in ordered}) == len(ordered):
        return ordered
    return sorted(ordered, key=lambda row: (row.key, record_hash(row)))
