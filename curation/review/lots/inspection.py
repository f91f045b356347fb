"""Which items form a lot, which of them are its sample, and what the verdicts say about the lot.

    members = lot_members(rows, config)                         {"9f...": "example/routing", ...}
    inspect(members, verdicts, config.lots)                     [LotReport(lot="example/routing", decision="undecided", ...)]

Pure functions over rows and verdicts: the queue, the gate and `apply_verdicts` all ask them, so they can never disagree.
A sample is the n items with the smallest hash: random, the same for everybody, and hardly moved when an item comes or goes.

A bad item is one that may not be learned from as it stands: `reject`, `edit`, and for pairs `prefer_b` (the pair points the
wrong way), `tie` (it points nowhere) and `both_bad`. Items that a quality suite sends to review belong to no lot.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from curation.ids import stable_fraction
from curation.records import ReviewItem, Verdict, source_of
from curation.review import items
from curation.review.config import ReviewConfig
from curation.review.items import item_key, kind_of
from curation.review.lots.config import LotConfig
from curation.review.lots.plan import AcceptancePlan, Interval, LotDecision, clopper_pearson, decide

Row = items.Row | ReviewItem

GOOD = frozenset({"approve", "prefer_a"})
_FITTING = {True: frozenset({"prefer_a", "prefer_b", "tie", "both_bad"}), False: frozenset({"approve", "edit", "reject"})}
_MAX_HALVINGS = 50


class _Ranked(NamedTuple):
    """An item, its rank in the order in which a lot is inspected, and its place among the parts of a lot that is too large."""

    rank: float
    key: str
    place: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LotFigures:
    """How far a lot is. Only items of the sample count: others were not drawn at random."""

    lot: str
    """`example/routing`, or `example/routing#01` for a part of a lot that was too large."""
    plan: AcceptancePlan
    quality_level: float
    size: int
    num_inspected: int
    num_bad: int
    decision: LotDecision
    decided_at: str = ""
    """When the verdict was given that decided the lot; empty while it is undecided."""
    decided_sequence: int = 0

    @property
    def num_sample(self) -> int:
        """Items of the sample: n, or all of a small lot."""
        return min(self.plan.n, self.size)

    @property
    def interval(self) -> Interval:
        """The share of bad items in the lot, with 95 % confidence."""
        return clopper_pearson(self.num_bad, self.num_inspected)


@dataclass(frozen=True, kw_only=True)
class LotReport:
    """A lot, its items by rank (the sample first), and those of them that have no verdict."""

    figures: LotFigures
    items: tuple[str, ...]
    open_items: frozenset[str]

    @property
    def sample(self) -> tuple[str, ...]:
        """The items of the sample, in the order in which they are served."""
        return self.items[: self.figures.num_sample]

    @property
    def needed(self) -> tuple[str, ...]:
        """The items that need a verdict: the sample while the lot is undecided, all once it has failed, else none."""
        match self.figures.decision:
            case "accept":
                return ()
            case "undecided":
                return self.sample
            case "reject":
                return self.items


@dataclass(frozen=True)
class Lots:
    """All lots of a recipe, asked item by item."""

    reports: tuple[LotReport, ...]

    @cached_property
    def passed(self) -> frozenset[str]:
        """Items of accepted lots: they need no verdict."""
        return frozenset(key for report in self.reports if report.figures.decision == "accept" for key in report.items)

    @cached_property
    def held(self) -> Mapping[str, LotFigures]:
        """Items outside the sample of an undecided lot: no verdict on them is needed yet, and they may not pass yet."""
        undecided = [report for report in self.reports if report.figures.decision == "undecided"]
        return {key: report.figures for report in undecided for key in report.items[report.figures.num_sample :]}

    @cached_property
    def sample_open(self) -> frozenset[str]:
        """Items that an undecided lot waits for."""
        undecided = (report for report in self.reports if report.figures.decision == "undecided")
        return frozenset(key for report in undecided for key in report.sample if key in report.open_items)


def lot_of(row: Row, config: LotConfig) -> str:
    """Return the name of the lot that a row belongs to, before lots that are too large are halved."""
    kind = row.kind if isinstance(row, ReviewItem) else kind_of(row)
    match config.by:
        case "task":
            return f"{kind}/{row.task}"
        case "source":
            return f"{kind}/{source_of(_record_key(row))}"
        case "recipe":
            return kind


def lot_members(
    rows: Iterable[Row], config: ReviewConfig, required: Collection[str] = (), keys: Iterable[str] | None = None
) -> dict[str, str]:
    """Return item key -> lot of all rows; of rows that show the same text, the one that stands for the item says which.

    Items with a row in `required` (record keys) belong to no lot, since they need a verdict in any case. `keys` are the item
    keys of the rows, where the caller has them.
    """
    if config.lots is None:
        return {}
    found: dict[str, tuple[str, str]] = {}
    chosen: set[str] = set()
    given = list(rows)
    known = keys or (row.key if isinstance(row, ReviewItem) else item_key(row, config) for row in given)
    for row, key in zip(given, known, strict=True):
        if isinstance(row, ReviewItem) and row.kind == "document":
            continue  # documents have a policy of their own
        record_key = _record_key(row)
        if record_key in required:
            chosen.add(key)
        if key not in found or record_key < found[key][0]:
            found[key] = (record_key, lot_of(row, config.lots))
    return {key: lot for key, (_, lot) in found.items() if key not in chosen}


def _record_key(row: Row) -> str:
    return row.record_key if isinstance(row, ReviewItem) else row.key


def inspect(members: Mapping[str, str], verdicts: Mapping[str, Verdict], config: LotConfig) -> list[LotReport]:
    """Return the report of every lot, sorted by name: `members` is item key -> lot, `verdicts` item key -> what counts."""
    families: dict[str, list[_Ranked]] = {}
    for key, lot in members.items():
        place = stable_fraction(key, "lot part") if config.max_lot_size is not None else 0.0
        families.setdefault(lot, []).append(_Ranked(stable_fraction(key, "lot"), key, place))
    parts = [part for name, ranked in families.items() for part in _halve(name, sorted(ranked), config.max_lot_size)]
    return [_report(name, tuple(entry.key for entry in ranked), verdicts, config) for name, ranked in sorted(parts)]


def inspect_rows(
    rows: Iterable[Row],
    verdicts: Mapping[str, Verdict],
    config: ReviewConfig,
    required: Collection[str] = (),
    keys: Iterable[str] | None = None,
) -> Lots:
    """Return the lots that rows form under a recipe's review section; none if it has no lots. See `lot_members`."""
    if config.lots is None:
        return Lots(())
    return Lots(tuple(inspect(lot_members(rows, config, required, keys), verdicts, config.lots)))


def needed_items(reports: Iterable[LotReport]) -> set[str]:
    """Return the items that need a verdict."""
    return {key for report in reports for key in report.needed}


def _halve(name: str, ranked: list[_Ranked], max_size: int | None, depth: int = 0) -> Iterator[tuple[str, list[_Ranked]]]:
    """Yield the parts of a lot: halves by one more bit of another hash each time, so that parts stay as items come and go."""
    if max_size is None or len(ranked) <= max_size or depth == _MAX_HALVINGS:
        yield name, ranked
        return
    for bit in (0, 1):
        half = [entry for entry in ranked if int(entry.place * 2 ** (depth + 1)) % 2 == bit]
        yield from _halve(f"{name}{'' if depth else '#'}{bit}", half, max_size, depth + 1)


def _report(lot: str, items: tuple[str, ...], verdicts: Mapping[str, Verdict], config: LotConfig) -> LotReport:
    fitting = _FITTING[lot.startswith("pair")]
    open_items = frozenset(key for key in items if key not in verdicts or verdicts[key].decision not in fitting)
    inspected = [verdicts[key] for key in items[: config.n] if key not in open_items]
    outcome = [(verdict.sequence, verdict.decision not in GOOD) for verdict in inspected]
    decision, sequence = first_decision(config.plan, len(items), outcome)
    figures = LotFigures(
        lot=lot,
        plan=config.plan,
        quality_level=config.quality_level,
        size=len(items),
        num_inspected=len(outcome),
        num_bad=sum(is_bad for _, is_bad in outcome),
        decision=decision,
        decided_at=next((verdict.created_at for verdict in inspected if verdict.sequence == sequence), ""),
        decided_sequence=sequence,
    )
    return LotReport(figures=figures, items=items, open_items=open_items)


def first_decision(plan: AcceptancePlan, size: int, outcome: Iterable[tuple[int, bool]]) -> tuple[LotDecision, int]:
    """Return the decision on a lot and the number of the verdict that brought it (0: none), given (sequence, is bad)."""
    num_bad = 0
    decision = decide(plan, 0, 0, size)
    for number, (sequence, is_bad) in enumerate(sorted(outcome), start=1):
        num_bad += is_bad
        decision = decide(plan, number, num_bad, size)
        if decision != "undecided":
            return decision, sequence
    return decision, 0
