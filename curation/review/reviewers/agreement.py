"""How far reviewers agree: overall, for each kind, task and week, and for each two of them, all with 95 % intervals.

    found = measure(read_ratings(queue))
    found.groups[0].fleiss          0.864 [0.842, 0.886]
    found.pairs[0].kappa            Ada and Bob: 0.852 [0.826, 0.880]
    found.num_disputed              120

Votes as they were before adjudication are compared. Edits count as one decision here, whatever was written, though two
different edits of an item go to adjudication. Intervals are drawn over items (see `curation.judging.bootstrap`). Items of
different kinds have different decisions, so agreement beyond chance is told for each kind: pooled, it would flatter.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from curation.judging.interval import Estimate
from curation.records import Decision
from curation.review.queue.vote import ANSWER_DECISIONS, PAIR_DECISIONS
from curation.review.reviewers.ratings import RatedItem

Dimension = Literal["all", "kind", "task", "week"]

MAX_REVIEWERS = 20
"""Reviewers with the most votes that are compared two by two."""

MIXED = "items of several kinds have different decisions; look at each kind"


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupAgreement:
    """How far reviewers agree on some items."""

    dimension: Dimension
    name: str
    kind: str
    """Kind of the items; empty where there are several."""
    num_items: int
    """Items with a vote."""
    num_rated_twice: int
    num_reviewers: int
    num_disputed: int
    percent: Estimate
    fleiss: Estimate
    alpha: Estimate
    ac1: Estimate


@dataclass(frozen=True, kw_only=True, slots=True)
class PairAgreement:
    """How far two reviewers agree on the items of a kind that both voted on."""

    one: str
    two: str
    kind: str
    percent: Estimate
    kappa: Estimate
    ac1: Estimate


@dataclass(frozen=True, kw_only=True, slots=True)
class AgreementReport:
    """How far the reviewers of a queue agree."""

    groups: tuple[GroupAgreement, ...]
    """All items first, then each kind, task and week."""
    pairs: tuple[PairAgreement, ...]
    num_items: int
    num_disputed: int
    """Items whose reviewers did not all say the same: to adjudication, or through it."""
    num_settled: int
    """Those of them that an adjudicator has decided."""


def measure(rated: Sequence[RatedItem], *, seed: int = 0) -> AgreementReport:
    """Return how far reviewers agree; `seed` is that of the intervals."""
    disputed = [item for item in rated if item.is_disputed]
    return AgreementReport(
        groups=tuple(_groups(rated, seed)),
        pairs=tuple(_pairs(rated, seed)),
        num_items=len(rated),
        num_disputed=len(disputed),
        num_settled=sum(item.adjudication is not None for item in disputed),
    )


def _groups(rated: Sequence[RatedItem], seed: int) -> Iterable[GroupAgreement]:
    yield _group("all", "all items", rated, seed)
    kinds = sorted({item.kind for item in rated})
    parts: tuple[tuple[Dimension, Callable[[RatedItem], str]], ...] = (
        ("kind", lambda item: item.kind),
        ("task", lambda item: item.task),
        ("week", lambda item: item.week),
    )
    for dimension, name_of in parts:
        if dimension == "kind" and len(kinds) < 2:
            continue
        found: dict[tuple[str, str], list[RatedItem]] = {}
        for item in rated:
            found.setdefault((name_of(item), item.kind), []).append(item)
        for (name, _), items in sorted(found.items()):
            yield _group(dimension, name, items, seed)


def _group(dimension: Dimension, name: str, items: Sequence[RatedItem], seed: int) -> GroupAgreement:
    from curation.judging import agreement as figures  # loads numpy, which most pages do without

    ratings = [list(item.by_reviewer.values()) for item in items]
    kinds = {item.kind for item in items}
    chance = _beyond_chance(ratings, kinds, seed)
    return GroupAgreement(
        dimension=dimension,
        name=name,
        kind=next(iter(kinds)) if len(kinds) == 1 else "",
        num_items=len(items),
        num_rated_twice=sum(len(row) >= 2 for row in ratings),
        num_reviewers=len({reviewer for item in items for reviewer in item.by_reviewer}),
        num_disputed=sum(item.is_disputed for item in items),
        percent=figures.percent_agreement(ratings, seed=seed),
        fleiss=chance[0],
        alpha=chance[1],
        ac1=chance[2],
    )


def _beyond_chance(ratings: list[list[Decision]], kinds: set[str], seed: int) -> tuple[Estimate, Estimate, Estimate]:
    if len(kinds) > 1:
        mixed = Estimate(value=None, reason=MIXED)
        return mixed, mixed, mixed
    from curation.judging import agreement as figures  # loads numpy, which most pages do without

    num = num_decisions("".join(kinds))
    return (
        figures.fleiss_kappa(ratings, seed=seed),
        figures.krippendorff_alpha(ratings, seed=seed),
        figures.gwet_ac1(ratings, num_categories=num, seed=seed),
    )


def num_decisions(kind: str) -> int:
    """Return how many decisions reviewers choose from for items of a kind."""
    return len(PAIR_DECISIONS if kind == "pair" else ANSWER_DECISIONS)


def _pairs(rated: Sequence[RatedItem], seed: int) -> Iterable[PairAgreement]:
    from curation.judging import agreement as figures  # loads numpy, which most pages do without

    counts: dict[str, int] = {}
    for item in rated:
        for reviewer in item.by_reviewer:
            counts[reviewer] = counts.get(reviewer, 0) + 1
    reviewers = sorted(sorted(counts), key=lambda name: -counts[name])[:MAX_REVIEWERS]
    both: dict[tuple[str, str, str], list[tuple[Decision, Decision]]] = {}
    for item in rated:
        present = sorted(name for name in reviewers if name in item.by_reviewer)
        for one, two in itertools.combinations(present, 2):
            both.setdefault((item.kind, one, two), []).append((item.by_reviewer[one], item.by_reviewer[two]))
    for (kind, one, two), ratings in sorted(both.items()):
        yield PairAgreement(
            one=one,
            two=two,
            kind=kind,
            percent=figures.percent_agreement(ratings, seed=seed),
            kappa=figures.cohen_kappa([left for left, _ in ratings], [right for _, right in ratings], seed=seed),
            ac1=figures.gwet_ac1(ratings, num_categories=num_decisions(kind), seed=seed),
        )
