"""Exactly as many accepted rows as the recipe asks for, slice by slice, and hardly a call too many.

    filled = fill_quotas(raft, inputs, session, quotas={"en": 500, "de": 200}, max_candidates=2000, accept=check_row)
    filled.num_accepted         {"en": 500, "de": 200}
    filled.shortfalls           {} or {"de": Shortfall(missing=13, reason="hopeless", detail="...")}

Units are asked in waves. The first is small and shows how many rows of a unit are accepted; each of the others is as large as
it can be without asking for noticeably more than is needed, should acceptance be as high as its upper confidence bound. What
is accepted beyond the quota becomes a rejection. Given the same ledger the waves are the same, so a rerun pays nothing.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from curation.records import Example, PreferencePair, Rejection, VerifiableTask, reject
from curation.synthesis.asking import Session
from curation.synthesis.methods.method import STAGE, Inputs, Made, Method, Unit
from curation.synthesis.unit_keys import find_unit

Row = Example | PreferencePair | VerifiableTask
SURPLUS_SHARE = 0.1
"""Calls beyond those that were needed, at most, as a share of these."""
FIRST_WAVE_SHARE = 0.1
FIRST_WAVE_UNITS = 64
UNITS_BEFORE_TRUST = 10
ROWS_BEFORE_TRUST = 5
"""Until so many units were asked about, each may give so many rows, whatever was seen."""
LARGEST_GROWTH = 3
"""A wave is at most so many times as large as all before it, so that a hopeless slice is found out in time."""
UNITS_BEFORE_GIVING_UP = 20
SURE_Z = 3.0
"""Standard errors of the Wilson bound: one in a thousand is beyond."""
WAVE_Z = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Shortfall:
    """Why a slice has fewer rows than it should."""

    missing: int
    reason: str
    """`no_units`: there is nothing more to ask about. `candidate_cap`: `max_candidates` were proposed. `hopeless`: so few are
    accepted that what is left cannot fill it."""
    detail: str


@dataclass(frozen=True, kw_only=True)
class Filled:
    """Rows by the quotas; what was proposed beyond them is among the rejections."""

    made: Made
    """Accepted rows, and everything that was not accepted with its reason."""
    num_accepted: dict[str, int]
    num_candidates: dict[str, int]
    """Rows that were proposed, by slice; a unit that gave none counts as one."""
    shortfalls: dict[str, Shortfall]
    num_units: int
    """Units that were asked about."""
    num_surplus_units: int
    """Those of them that were not needed, in the end."""
    num_waves: int


def fill_quotas(
    method: Method,
    inputs: Inputs,
    session: Session,
    *,
    quotas: Mapping[str, int] | int,
    max_candidates: int,
    accept: Callable[[Row], Rejection | None],
) -> Filled:
    """Ask until each slice has its accepted rows, or cannot get them.

    Args:
        method: what makes the rows.
        inputs: what it makes them of.
        session: whom it asks.
        quotas: accepted rows by slice, or for each slice that the plan has. Slices that are not named are not asked about.
        max_candidates: rows of a slice that may be proposed.
        accept: None for a row that counts, else why it does not. It is asked once a row, in a stable order.

    Raises:
        BudgetExhaustedError and what else `Method.make` raises; what was paid for until then is in the ledger.
    """
    assert max_candidates >= 1
    slices = _plan_slices(method.plan(inputs), quotas, max_candidates)
    made, waves = Made(), list[tuple[int, dict[str, float]]]()
    while True:
        wave = [unit for part in slices.values() for unit in part.next_wave()]
        if not wave:
            break
        came = _sort_out(method.make(wave, session), wave, slices, accept)
        waves.append((len(wave), came.figures))
        made += came
    return Filled(
        made=dataclasses.replace(made, figures=mean_figures(waves)),
        num_accepted={name: part.num_accepted for name, part in slices.items()},
        num_candidates={name: part.num_candidates for name, part in slices.items()},
        shortfalls={name: part.shortfall for name, part in slices.items() if part.shortfall is not None},
        num_units=sum(part.num_asked for part in slices.values()),
        num_surplus_units=sum(part.num_surplus for part in slices.values()),
        num_waves=len(waves),
    )


def mean_figures(waves: Sequence[tuple[int, Mapping[str, float]]]) -> dict[str, float]:
    """Return the figures of waves (units, figures) as those of all: their mean by units, over the waves that have one."""
    found: dict[str, float] = {}
    for name in dict.fromkeys(name for _, figures in waves for name in figures):
        parts = [(number, figures[name]) for number, figures in waves if name in figures]
        found[name] = sum(number * value for number, value in parts) / sum(number for number, _ in parts)
    return found


def _plan_slices(units: Sequence[Unit], quotas: Mapping[str, int] | int, max_candidates: int) -> dict[str, "_Slice"]:
    names = dict.fromkeys(unit.slice for unit in units)
    wanted = dict.fromkeys(names, quotas) if isinstance(quotas, int) else dict(quotas)
    slices = {name: _Slice(wanted=number, max_candidates=max_candidates) for name, number in wanted.items()}
    for unit in units:
        if unit.slice in slices:
            slices[unit.slice].units.append(unit)
    return slices


def _sort_out(
    made: Made, wave: Sequence[Unit], slices: Mapping[str, "_Slice"], accept: Callable[[Row], Rejection | None]
) -> Made:
    """Count what came of a wave, unit by unit, and return it without what is not accepted or not needed."""
    by_key = {unit.key: unit for unit in wave}
    rows: dict[str, list[Row]] = {key: [] for key in by_key}
    others: list[Row] = []
    for row in _rows_of(made):
        rows.get(find_unit(row.key, by_key) or "", others).append(row)
    assert not others, f"{others[0].key} belongs to no unit of its wave"
    num_rejected = dict.fromkeys(by_key, 0)
    for rejection in made.rejections:
        owner = find_unit(rejection.key, by_key)
        if owner is not None:
            num_rejected[owner] += 1
    rejections = list(made.rejections)
    kept: set[int] = set()
    for unit in wave:
        refused = [accept(row) for row in rows[unit.key]]
        accepted = [row for row, rejection in zip(rows[unit.key], refused, strict=True) if rejection is None]
        room = slices[unit.slice].count(len(accepted), len(refused) + num_rejected[unit.key])
        kept.update(id(row) for row in accepted[:room])
        rejections += [rejection for rejection in refused if rejection is not None]
        rejections += [_over_quota(row, unit.slice, slices[unit.slice].wanted) for row in accepted[room:]]
    return Made(
        examples=tuple(row for row in made.examples if id(row) in kept),
        pairs=tuple(row for row in made.pairs if id(row) in kept),
        tasks=tuple(row for row in made.tasks if id(row) in kept),
        rejections=tuple(rejections),
        figures=made.figures,
    )


def _rows_of(made: Made) -> Iterable[Row]:
    yield from made.examples
    yield from made.pairs
    yield from made.tasks


def _over_quota(row: Row, name: str, wanted: int) -> Rejection:
    of_slice = f" of slice '{name[:100]}'" if name else ""
    return reject(row, stage=STAGE, reason="over_quota", detail=f"The {wanted} rows{of_slice} were complete without it.")


@dataclass(kw_only=True)
class _Slice:
    """How far a slice is."""

    wanted: int
    max_candidates: int
    units: list[Unit] = field(default_factory=list)
    num_asked: int = 0
    num_accepted: int = 0
    num_candidates: int = 0
    num_surplus: int = 0
    shortfall: Shortfall | None = None
    _num_acceptable: int = 0
    """Accepted rows, those beyond the quota included."""
    _most_rows: int = 1
    """Rows that a unit gave, at most."""

    def next_wave(self) -> list[Unit]:
        """Return the units to ask about next; none if the slice is complete, or cannot be completed."""
        missing = self.wanted - self.num_accepted
        if missing <= 0 or self.shortfall is not None:
            return []
        left = min(len(self.units) - self.num_asked, (self.max_candidates - self.num_candidates) // self._most_rows)
        self.shortfall = self._find_obstacle(missing, left)
        if self.shortfall is not None:
            return []
        size = min(left, self._wave_size(missing))
        wave = self.units[self.num_asked : self.num_asked + size]
        self.num_asked += size
        return wave

    def count(self, num_acceptable: int, num_proposed: int) -> int:
        """Take note of what came of one unit; return how many of its accepted rows are needed."""
        missing = self.wanted - self.num_accepted
        self.num_surplus += missing <= 0
        room = min(num_acceptable, max(missing, 0))
        self.num_accepted += room
        self._num_acceptable += num_acceptable
        self.num_candidates += max(num_proposed, 1)
        self._most_rows = max(self._most_rows, num_proposed)
        return room

    def _wave_size(self, missing: int) -> int:
        if self.num_asked == 0:
            return max(1, min(FIRST_WAVE_UNITS, int(missing * FIRST_WAVE_SHARE)))
        harmless = 1 + int(SURPLUS_SHARE * (self.num_asked + 1))
        most = self._most_rows if self.num_asked >= UNITS_BEFORE_TRUST else max(self._most_rows, ROWS_BEFORE_TRUST)
        all_needed = missing // most
        rate = self._highest_rate()
        mean, spread = rate * most, WAVE_Z * most * math.sqrt(rate * (1 - rate))
        root = (math.sqrt(spread**2 + 4 * mean * missing) - spread) / (2 * mean)
        return min(max(harmless, all_needed, int(root**2)), LARGEST_GROWTH * self.num_asked)

    def _highest_rate(self) -> float:
        """Return the share of possible rows that are accepted, at most."""
        return wilson_upper(self._num_acceptable / (self.num_asked * self._most_rows), self.num_asked, SURE_Z)

    def _find_obstacle(self, missing: int, left: int) -> Shortfall | None:
        if self.num_asked >= len(self.units):
            return self._stop(missing, "no_units", f"All {len(self.units)} units were asked about.")
        if left <= 0:
            return self._stop(missing, "candidate_cap", f"{self.num_candidates} of {self.max_candidates} rows were proposed.")
        if self.num_asked >= UNITS_BEFORE_GIVING_UP and left * self._most_rows * self._highest_rate() < missing:
            detail = f"{self.num_asked} units gave {self.num_accepted} accepted rows; {left} more cannot make up for it."
            return self._stop(missing, "hopeless", detail)
        return None

    def _stop(self, missing: int, reason: str, detail: str) -> Shortfall:
        return Shortfall(missing=missing, reason=reason, detail=detail)


def wilson_upper(share: float, number: int, z: float) -> float:
    """Return the upper Wilson bound of a share that was seen in so many trials (Wilson, 1927)."""
    square = z * z / number
    middle = share + square / 2
    half = z * math.sqrt(share * (1 - share) / number + square / (4 * number))
    return min(1.0, (middle + half) / (1 + square))
