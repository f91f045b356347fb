"""Finding items: pages of hits that cost the same in a queue of a million as in one of a thousand.

    find_items(connection, "sdk_assistant", parse_query("trim state:open"), sort="newest")
    Page(hits=[Hit(item_key="9f...", arrival=88, state="open", ...)], next="41", is_cut=False)

Candidates come as numbers in the order asked for (from the full-text index, an index over state or decision, or the few
items that a filter leaves), and are looked up in parts until the page is full. A page looks at `BUDGET` candidates at
most: `is_cut` then says that it stopped before it had enough, and `next` goes on from there.
"""

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from curation.review import schema
from curation.review.items import GOLD_PREFIX
from curation.review.search.conditions import VOTED, arrival_range, few_arrivals, residual
from curation.review.search.index import ARRIVALS, estimate_cost, first_id, hits_among, ranks_among, select_ids
from curation.review.search.query import STATES, Query, Term
from curation.review.search.words import split_words

Sort = Literal["newest", "oldest", "priority", "relevance"]
SORTS: tuple[Sort, ...] = ("newest", "oldest", "priority", "relevance")
"""`priority`: what the judges disagree about most comes first. `relevance`: what matches the words best; without words, the
newest."""

PAGE_SIZE = 50
BUDGET = 10_000
"""Candidates that are looked up for one page."""
_FIRST_PART, _PART, _LARGE_PART = 100, 500, 5_000
_RANKED_TERMS = 8
_COUNTED_HITS = 50_000
"""SQLite's BM25 counts each term in the whole index before it weighs one item (100,000 items in about 10 ms), so only terms are
weighed whose words have no more hits together. What is commoner in a million items says little about which of them is meant."""

_SHOWN = (
    "item_key", "arrival", "kind", "task", "record_key", "state", "human_decision", "automatic_decision", "num_votes",
    "priority", "opened_at", "is_listed", "lot", "payload",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """An item in a list."""

    item_key: str
    arrival: int
    kind: str
    task: str
    record_key: str
    state: str
    human_decision: str
    automatic_decision: str
    num_votes: int
    priority: float
    opened_at: str
    is_listed: bool
    lot: str
    payload: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page of hits."""

    hits: list[Hit]
    next: str = ""
    """Where the next page goes on; empty at the end."""
    is_cut: bool = False
    """There may be more hits, but none was found among the candidates that one page looks at."""


def find_items(
    connection: sa.Connection,
    recipe: str,
    query: Query,
    *,
    sort: Sort = "newest",
    after: str = "",
    limit: int = PAGE_SIZE,
    budget: int = BUDGET,
) -> Page:
    """Return the hits behind `after` (the `next` of the page before; what makes no sense starts over).

    A query with problems finds nothing. With words and the sort `priority` or `relevance`, the newest `budget` hits are sorted.
    """
    if query.problems:
        return Page(hits=[])
    search = _Search(connection, recipe, query, sort, after, budget)
    hits: list[Hit] = []
    last: int | None = None
    for part in _parts(search):
        found = search.look_up(part)
        for number in part:
            if number in found and len(hits) == limit:
                return Page(hits=hits, next=search.cursor(hits[-1].arrival, hits[-1].priority))
            hits += [found[number]] if number in found else []
            last = number
    if search.num_left or last is None:
        return Page(hits=hits)
    return Page(hits=hits, next=search.cursor_at(last), is_cut=True)


def find_all(connection: sa.Connection, recipe: str, query: Query, *, limit: int) -> list[str]:
    """Return the keys of the newest hits, `limit` at most, however many candidates that takes."""
    keys: list[str] = []
    search = _Search(connection, recipe, query, "newest", "", ARRIVALS)
    for part in [] if query.problems else _parts(search):
        found = search.look_up(part)
        keys += [found[number].item_key for number in part if number in found]
        if len(keys) >= limit:
            break
    return keys[:limit]


def _parts(search: "_Search") -> Iterator[list[int]]:
    """Yield candidates in parts; where the full text is asked about each part, a few large ones cost less."""
    iterator, size = search.candidates(), _FIRST_PART
    while part := list(itertools.islice(iterator, size)):
        yield part
        size = _LARGE_PART if search.unwanted else _PART


class _Search:
    """One search: where its candidates come from, and which of them are hits."""

    def __init__(self, connection: sa.Connection, recipe: str, query: Query, sort: Sort, after: str, budget: int) -> None:
        self.connection, self.recipe, self.query, self.budget = connection, recipe, query, budget
        self.base = first_id(connection, recipe)
        self.telling = self._telling_terms() if sort == "relevance" else []
        self.sort: Sort = "newest" if sort == "relevance" and not self.telling else sort
        self.is_ranked = self.sort in ("priority", "relevance")
        self.ranks: dict[int, float] = {}
        self.wanted = [*query.wanted, *_task_terms(query)]
        self.terms = [*self.wanted, *(term for term in query.terms if term.is_negated)] if self.wanted else []
        self.unwanted = [] if self.wanted else list(query.terms)
        self.conditions = residual(connection, recipe, query)
        self.low, self.high = arrival_range(connection, recipe, query)
        self.rank: float | None = None
        self.number: int | None = None
        self._read_cursor(after)
        self.num_left = budget

    def _read_cursor(self, after: str) -> None:
        rank, _, number = after.rpartition(":")
        if not (number.isascii() and number.isdecimal() and len(number) < 13):
            return
        self.number = int(number)
        if self.sort == "newest":
            self.high = min(self.high, self.number)
        elif self.sort == "oldest":
            self.low = max(self.low, self.number)
        else:
            self.rank = _read_float(rank)

    def cursor(self, arrival: int, priority: float) -> str:
        return f"{self.ranks.get(arrival, priority)!r}:{arrival}" if self.is_ranked else str(arrival)

    def cursor_at(self, arrival: int) -> str:
        table = schema.items.c
        query = sa.select(table.priority).where(table.recipe == self.recipe, table.arrival == arrival)
        return self.cursor(arrival, float(self.connection.execute(query).scalar() or 0.0))

    def candidates(self) -> Iterator[int]:
        """Yield arrivals in order, `budget` at most; `num_left` tells whether there were fewer."""
        for number in self._stream():
            self.num_left -= 1
            yield number
            if not self.num_left:
                return

    def look_up(self, numbers: Sequence[int]) -> dict[int, Hit]:
        """Return those of the candidates that are hits."""
        columns = [schema.items.c[name] for name in _SHOWN]
        item = schema.items.c
        is_gold = item.record_key.startswith(GOLD_PREFIX, autoescape=True)  # found by nobody: it would stand beside its origin
        chosen = (item.recipe == self.recipe, item.arrival.in_(numbers), ~is_gold, *self.conditions)
        query = sa.select(*columns).where(*chosen)
        rows = self.connection.execute(query).mappings().all()
        hits = {row["arrival"]: Hit(**row) for row in rows}
        if self.unwanted and hits:
            gone = hits_among(self.connection, self.unwanted, [self.base + number for number in hits])
            hits = {number: hit for number, hit in hits.items() if self.base + number not in gone}
        return hits

    def _stream(self) -> Iterator[int]:
        few = few_arrivals(
            self.connection, self.recipe, self.query, is_slow=bool(self.terms) or self.sort == "priority", most=BUDGET
        )
        if few is not None:
            return self._ordered(self._matching(few))
        if not self.terms:
            return self._index_stream()
        low, high = self.base + self.low, self.base + self.high
        newest_first = self.sort != "oldest"
        ids = select_ids(self.connection, self.terms, low, high, newest_first=newest_first, limit=min(self.budget, ARRIVALS))
        numbers = (number - self.base for number in ids)
        return self._ordered(list(numbers)) if self.is_ranked else numbers

    def _matching(self, numbers: list[int]) -> list[int]:
        numbers = [number for number in numbers if self.low < number < self.high]
        if not self.terms or not numbers:
            return numbers
        found = hits_among(self.connection, self.terms, [self.base + number for number in numbers])
        return [number - self.base for number in found]

    def _ordered(self, numbers: list[int]) -> Iterator[int]:
        if not self.is_ranked:
            return iter(sorted(numbers, reverse=self.sort == "newest"))
        self.ranks = self._relevance(numbers) if self.sort == "relevance" else self._priorities(numbers)
        here = (self.rank, self.number) if self.rank is not None and self.number is not None else None
        ranked = sorted(((rank, number) for number, rank in self.ranks.items()), reverse=True)
        return (number for rank, number in ranked if here is None or (rank, number) < here)

    def _relevance(self, numbers: list[int]) -> dict[int, float]:
        found = ranks_among(self.connection, self.telling, [self.base + number for number in numbers])
        return {number - self.base: rank for number, rank in found.items()}

    def _telling_terms(self) -> list[Term]:
        """Return the terms that hits are weighed by: all of them hold all terms, so the commonest can be left out."""
        terms = list(self.query.wanted)
        if self.connection.dialect.name != "sqlite":
            return terms[:_RANKED_TERMS]
        column = schema.items.c
        newest = (
            self.connection.execute(sa.select(sa.func.max(column.arrival)).where(column.recipe == self.recipe)).scalar() or 0
        )
        costs = [estimate_cost(self.connection, term, self.base, newest) for term in terms]
        kept, left = [], _COUNTED_HITS
        for cost, _, term in sorted(zip(costs, range(len(terms)), terms, strict=True))[:_RANKED_TERMS]:
            left -= cost
            if left >= 0:
                kept.append(term)
        return kept

    def _priorities(self, numbers: list[int]) -> dict[int, float]:
        found: dict[int, float] = {}
        table = schema.items.c
        for part in _batched(numbers):
            query = sa.select(table.priority, table.arrival).where(table.recipe == self.recipe, table.arrival.in_(part))
            found |= {row.arrival: row.priority for row in self.connection.execute(query)}
        return found

    def _index_stream(self) -> Iterator[int]:
        """Read the index that fits best: priority, lot, decision, state or plain arrival."""
        table = schema.items.c
        decisions = ["" if value == "none" else value for value in self.query.values("decision")]
        states = [value for value in self.query.values("state") if value != "withdrawn"]
        states = states or [*(VOTED if self.query.values("reason") else ())]
        has_withdrawn = "withdrawn" in self.query.values("state")
        lots = self.query.values("lot")
        listed = table.is_listed == sa.true()
        if self.sort == "priority":
            every = states if states and not has_withdrawn else STATES[:-1]
            both = [table.is_listed == sa.false(), listed] if has_withdrawn else [listed]
            streams = [self._read_index(each, table.state == state) for each in both for state in every]
        elif lots:
            streams = [self._read_index(schema.IN_LOT, table.lot == lot) for lot in lots]
        elif has_withdrawn:
            streams = [self._read_index()]
        elif decisions:
            streams = [self._read_index(listed, table.human_decision == value) for value in decisions]
        elif states:
            streams = [self._read_index(listed, table.state == value) for value in states]
        else:
            streams = [self._read_index()]
        merged = heapq.merge(*streams, reverse=self.sort != "oldest")
        return (number for _, number in merged)

    def _read_index(self, *chosen: sa.ColumnElement[bool]) -> Iterator[tuple[float, int]]:
        table = schema.items.c
        within = (table.recipe == self.recipe, *chosen, table.arrival > self.low, table.arrival < self.high)
        query = sa.select(table.priority if self.sort == "priority" else sa.literal(0.0), table.arrival).where(*within)
        if self.sort != "priority":
            query = query.order_by(table.arrival.asc() if self.sort == "oldest" else table.arrival.desc())
        else:
            query = query.order_by(table.priority.desc(), table.arrival.desc())
            if self.rank is not None and self.number is not None:
                here = sa.tuple_(sa.literal(self.rank), sa.literal(self.number))
                query = query.where(sa.tuple_(table.priority, table.arrival) < here)
        return ((rank, number) for rank, number in self.connection.execute(query.limit(self.budget)))


def _batched(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    return (numbers[start : start + _PART] for start in range(0, len(numbers), _PART))


def _read_float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value == value else None  # noqa: PLR0124 (not a number sorts nowhere)


def _task_terms(query: Query) -> list[Term]:
    """A task's name stands among the words of its items, so the index can narrow to it."""
    tasks = query.values("task")
    words = tuple(split_words(tasks[0])) if len(tasks) == 1 else ()
    return [Term(words=words)] if words else []
