"""The training mix: sources by weight, repeated by epochs, with an exact share of replay; what stays out is listed.

mixed = mix_rows(examples, MixConfig(weights={"support": 3, "faq": 1}, replay_share=0.05), replay_rows=general)
mixed.report.sentence()      "8,120 rows (7,940 different) with 1,204,311 tokens (estimated as ...), 5.00% of them replay; ..."

A repeated row has the key `KEY@2` and is otherwise the same.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from curation.errors import MixError
from curation.mix.config import MixConfig
from curation.mix.report import MixReport, by_source, by_task
from curation.mix.shares import Copy, fill, make_copies
from curation.mix.texts import estimate_tokens
from curation.records import Record, Rejection, reject, source_of

R = TypeVar("R", bound=Record)
REPLAY_TOLERANCE = 0.005
"""How far the replay share may be from what is asked before too few replay rows are an error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mixed(Generic[R]):
    """The rows of the mix and those left out; every row given is in one of the two."""

    rows: tuple[R, ...]
    """Sorted by key."""
    rejections: tuple[Rejection, ...]
    """Rows that are not in the mix even once, reason `left_out_of_mix`, sorted by key."""
    report: MixReport


def mix_rows(
    rows: Iterable[R],
    config: MixConfig,
    replay_rows: Iterable[R] = (),
    count_tokens: Callable[[R], int] | None = None,
    *,
    stage: str = "sft_dataset",
) -> Mixed[R]:
    """Put rows of several sources and replay rows together.

    With weights the shares of the sources differ from what they ask for by less than one row a source; the replay share differs
    by at most half of the smallest replay row left. The result does not depend on the order of the rows.

    Args:
        rows: records with unique keys; those of `replay_sources` are replay.
        config: weights, epochs, replay share, budget, seed.
        replay_rows: rows of a replay table; one whose key is in `rows` as well is left out.
        count_tokens: tokens of a row; characters / 4 without it, which the report says.
        stage: name of the asset in the rejections.

    Raises:
        MixError: if keys repeat, a source has a weight but no rows or rows but no weight, or replay rows are too few.
    """
    task, replay, refused = _separate(rows, replay_rows, config, stage)
    _check_weights(task, config)
    size_of = count_tokens or estimate_tokens
    sizes = {row.key: max(1, size_of(row)) for row in [*task, *replay]}
    copies = _task_copies(task, sizes, config)
    again = _replay_copies(replay, sizes, sum(sizes[copy.key] for copy in copies), config)
    mixed, origins = _repeat([*task, *replay], [*copies, *again])
    used = set(origins.values())
    left_out = [_left_out(row, False, config, stage) for row in task if row.key not in used]
    left_out += [_left_out(row, True, config, stage) for row in replay if row.key not in used]
    rejections = sorted([*refused, *left_out], key=lambda item: (item.key, item.record_hash))
    lengths = [sizes[origins[row.key]] for row in mixed]
    replayed = [sizes[copy.key] for copy in again]
    report = MixReport(
        num_rows=len(mixed),
        num_distinct=len(used),
        num_left_out=len(rejections),
        num_tokens=sum(lengths),
        tokens_are_estimated=count_tokens is None,
        num_replay_rows=len(replayed),
        num_replay_tokens=sum(replayed),
        replay_share=sum(replayed) / max(1, sum(lengths)),
        wanted_replay_share=config.replay_share,
        by_source=by_source(mixed, lengths, origins.__getitem__),
        by_task=by_task(mixed, lengths, origins.__getitem__),
    )
    return Mixed(rows=tuple(mixed), rejections=tuple(rejections), report=report)


def _separate(
    rows: Iterable[R], replay_rows: Iterable[R], config: MixConfig, stage: str
) -> tuple[list[R], list[R], list[Rejection]]:
    ordered = sorted(rows, key=lambda row: row.key)
    doubled = next((row.key for row, after in zip(ordered, ordered[1:], strict=False) if row.key == after.key), None)
    if doubled is not None:
        raise MixError(problem=f"two rows have the key '{doubled}'.")
    replay = [row for row in ordered if source_of(row.key) in config.replay_sources]
    task = [row for row in ordered if source_of(row.key) not in config.replay_sources]
    keys = {row.key for row in ordered}
    refused = []
    for row in sorted(replay_rows, key=lambda row: row.key):
        if row.key in keys:
            refused.append(reject(row, stage=stage, reason="duplicate_key", detail="A row of the mix has the same key."))
        else:
            keys.add(row.key)
            replay.append(row)
    return task, replay, refused


def _check_weights(task: Sequence[Record], config: MixConfig) -> None:
    if not config.weights:
        return
    present = {source_of(row.key) for row in task}
    empty = sorted(set(config.weights) - present)
    if empty:
        raise MixError(problem=f"source '{empty[0]}' has a weight but no rows; see its rejections, or take the weight away.")
    bare = sorted(present - set(config.weights))
    if bare:
        raise MixError(problem=f"source '{bare[0]}' has rows but no weight, while others have one; give it one in mix.weights.")


def _task_copies(task: Sequence[Record], sizes: dict[str, int], config: MixConfig) -> list[Copy]:
    budget = math.inf if config.max_tokens is None else config.max_tokens * (1 - config.replay_share)
    keys: dict[str, list[str]] = {}
    for row in task:
        keys.setdefault(source_of(row.key), []).append(row.key)
    copies = {
        name: make_copies(found, [sizes[key] for key in found], epochs=config.epochs.get(name, 1.0), seed=config.seed)
        for name, found in keys.items()
    }
    if config.weights and task:
        by_rows = config.share_by == "rows"
        return _weigh_rows(copies, config, budget) if by_rows else _weigh_tokens(copies, config, budget)
    every = [copy for found in copies.values() for copy in found]
    return fill(sorted(every, key=lambda copy: (copy.number, copy.chance, copy.key)), budget)


def _weigh_tokens(copies: dict[str, list[Copy]], config: MixConfig, budget: float) -> list[Copy]:
    shares = _shares(config)
    total = min(budget, *(sum(copy.size for copy in found) / shares[name] for name, found in copies.items()))
    can_exceed = math.isinf(budget)
    return [copy for name, found in copies.items() for copy in fill(found, shares[name] * total, may_exceed=can_exceed)]


def _weigh_rows(copies: dict[str, list[Copy]], config: MixConfig, budget: float) -> list[Copy]:
    """Take as many rows as the scarcest source and the budget of tokens allow, found by halving."""
    shares = _shares(config)

    def take(total: int) -> list[Copy]:
        return [copy for name, found in copies.items() for copy in found[: round(shares[name] * total)]]

    low, high = 0, math.floor(min(len(found) / shares[name] for name, found in copies.items()) + 1e-9)
    while low < high:
        middle = (low + high + 1) // 2
        fits = sum(copy.size for copy in take(middle)) <= budget
        low, high = (middle, high) if fits else (low, middle - 1)
    return take(low)


def _shares(config: MixConfig) -> dict[str, float]:
    total = math.fsum(config.weights.values())
    return {name: weight / total for name, weight in config.weights.items()}


def _replay_copies(replay: Sequence[Record], sizes: dict[str, int], num_tokens: int, config: MixConfig) -> list[Copy]:
    share = config.replay_share
    wanted = num_tokens * share / (1 - share)
    if wanted == 0:
        return []
    lengths = [sizes[row.key] for row in replay]
    copies = make_copies([row.key for row in replay], lengths, epochs=config.replay_epochs, seed=config.seed)
    there = sum(copy.size for copy in copies)
    if there < wanted and share - there / (there + num_tokens) > REPLAY_TOLERANCE:
        raise MixError(
            problem=f"a replay share of {share:.1%} needs {math.ceil(wanted):,} tokens of replay, but there are {there:,}. "
            "Add replay rows, raise replay_epochs, or lower replay_share."
        )
    return fill(copies, wanted, may_exceed=config.max_tokens is None)


def _repeat(rows: Sequence[R], copies: Sequence[Copy]) -> tuple[list[R], dict[str, str]]:
    """Return the rows of the mix, sorted by key, and the key of the row that each comes from."""
    by_key = {row.key: row for row in rows}
    keys = set(by_key)
    mixed: list[R] = []
    origins: dict[str, str] = {}
    for copy in sorted(copies, key=lambda copy: (copy.number, copy.key)):
        key, number = copy.key, copy.number
        while copy.number > 1 and (key == copy.key or key in keys):
            key, number = f"{copy.key}@{number}", number + 1
        keys.add(key)
        origins[key] = copy.key
        mixed.append(by_key[copy.key] if key == copy.key else dataclasses.replace(by_key[copy.key], key=key))  # type: ignore[type-var]
    return sorted(mixed, key=lambda row: row.key), origins


def _left_out(row: Record, is_replay: bool, config: MixConfig, stage: str) -> Rejection:
    source = source_of(row.key)
    if is_replay:
        why = f"Replay needs no more rows: replay_share is {config.replay_share:.1%} of the tokens."
    elif source in config.weights:
        why = f"Source '{source}' has more than its weight asks for, or max_tokens is reached."
    elif config.epochs.get(source, 1.0) < 1:
        why = f"Source '{source}' goes in {config.epochs[source]} times, which leaves this row out, or max_tokens is reached."
    else:
        why = f"The mix is full: max_tokens is {config.max_tokens:,}."
    return reject(row, stage=stage, reason="left_out_of_mix", detail=why)
