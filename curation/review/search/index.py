"""The full-text index over review items: one row an item, numbered so that a recipe is a range and the newest come last.

    index_items(connection, "sdk_assistant", [(17, item)])          id 3 * ARRIVALS + 17 holds the words of the item

SQLite: a contentless FTS5 table (the texts are not stored again). PostgreSQL: a tsvector with a GIN index. Both hold
the words that `words.py` makes, so both find the same.
"""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from curation.database.statement import Statement
from curation.records import ReviewItem
from curation.review.search.query import Term
from curation.review.search.words import item_words

ARRIVALS = (1 << 31) - 1
"""Numbers that each recipe has for its items: as many as the column `arrival` can hold."""


_NUMBER = sa.text("SELECT number FROM review_search_recipes WHERE recipe = :recipe")
_ADD_RECIPE = sa.text("INSERT INTO review_search_recipes (recipe) VALUES (:recipe) ON CONFLICT (recipe) DO NOTHING")
_SQLITE_ADD = Statement("INSERT INTO review_search (rowid, words) VALUES (:id, :words)")
_SQLITE_TAKE = sa.text("INSERT INTO review_search (review_search, rowid, words) VALUES ('delete', :id, :words)")
_POSTGRES_ADD = Statement(
    "INSERT INTO review_search (id, words) VALUES (:id, to_tsvector('simple', :words))"
    " ON CONFLICT (id) DO UPDATE SET words = excluded.words"
)


def first_id(connection: sa.Connection, recipe: str) -> int:
    """Return what is added to an item's arrival to get its id in the index; 0 if nothing of the recipe was indexed."""
    return int(connection.execute(_NUMBER, {"recipe": recipe}).scalar_one_or_none() or 0) * ARRIVALS


def index_items(connection: sa.Connection, recipe: str, items: Sequence[tuple[int, ReviewItem]]) -> None:
    """Make new items (arrival, item) found by their words."""
    if not items:
        return
    base = _ensure(connection, recipe)
    rows = [{"id": base + arrival, "words": item_words(item)} for arrival, item in items]
    (_SQLITE_ADD if _is_sqlite(connection) else _POSTGRES_ADD).run(connection, rows)


def reindex_items(connection: sa.Connection, recipe: str, items: Sequence[tuple[int, ReviewItem, ReviewItem]]) -> None:
    """Put what items (arrival, as indexed, as it is now) say now in the place of what they said."""
    changed = [(arrival, item_words(old), item_words(new)) for arrival, old, new in items]
    changed = [(arrival, old, new) for arrival, old, new in changed if old != new]
    if not changed:
        return
    base = _ensure(connection, recipe)
    if _is_sqlite(connection):
        connection.execute(_SQLITE_TAKE, [{"id": base + arrival, "words": old} for arrival, old, _ in changed])
    rows = [{"id": base + arrival, "words": new} for arrival, _, new in changed]
    (_SQLITE_ADD if _is_sqlite(connection) else _POSTGRES_ADD).run(connection, rows)


def _is_sqlite(connection: sa.Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _ensure(connection: sa.Connection, recipe: str) -> int:
    connection.execute(_ADD_RECIPE, {"recipe": recipe})
    return first_id(connection, recipe)


def fts5_query(terms: Sequence[Term]) -> str:
    """Return terms in FTS5's syntax; words hold letters and digits only, and each phrase stands in quotes."""
    wanted = [_fts5_phrase(term) for term in terms if not term.is_negated]
    unwanted = [_fts5_phrase(term) for term in terms if term.is_negated]
    left = f"({' AND '.join(wanted)})" if wanted else ""
    return f"{left} NOT ({' OR '.join(unwanted)})" if wanted and unwanted else left or " OR ".join(unwanted)


def _fts5_phrase(term: Term) -> str:
    return f'"{" ".join(term.words)}"' + (" *" if term.is_prefix else "")


def tsquery(terms: Sequence[Term]) -> str:
    """Return terms in the syntax of PostgreSQL's to_tsquery, likewise."""
    wanted = [_ts_phrase(term) for term in terms if not term.is_negated]
    unwanted = [_ts_phrase(term) for term in terms if term.is_negated]
    return " & ".join([*wanted, *(f"!{phrase}" for phrase in unwanted)]) if wanted else " | ".join(unwanted)


def _ts_phrase(term: Term) -> str:
    words = [f"'{word}'" for word in term.words]
    return f"({' <-> '.join(words)}{':*' if term.is_prefix else ''})"


def select_ids(
    connection: sa.Connection,
    terms: Sequence[Term],
    low: int,
    high: int,
    *,
    newest_first: bool = True,
    limit: int | None = None,
) -> sa.ScalarResult[int]:
    """Return the ids between two others, neither included, whose items hold the terms (if all are negated: any of them)."""
    order = "DESC" if newest_first else "ASC"
    name, condition, match = _condition(connection, terms)
    text = f"SELECT {name} FROM review_search WHERE {condition} AND {name} > :low AND {name} < :high ORDER BY {name} {order}"  # noqa: S608 (own constants)
    values: dict[str, Any] = {"match": match, "low": low, "high": high}
    if limit is not None:
        text, values = f"{text} LIMIT :limit", values | {"limit": limit}
    return connection.execute(sa.text(text), values).scalars()


_PROBE = 200
"""So many of a word's newest hits are read to estimate how many it has."""


def estimate_cost(connection: sa.Connection, term: Term, base: int, newest: int) -> int:
    """Return about how many items of a recipe are read to count all that hold a term: as many as hold its rarest word.

    Args:
        connection: to the database.
        term: a word, a beginning of words, or a phrase, negated or not.
        base: what `first_id` returned.
        newest: the highest arrival of the recipe.
    """
    last = len(term.words) - 1
    words = [Term(words=(word,), is_prefix=term.is_prefix and at == last) for at, word in enumerate(term.words)]
    return min(_estimate_hits(connection, word, base, newest) for word in words)


def _estimate_hits(connection: sa.Connection, word: Term, base: int, newest: int) -> int:
    """Return the number of hits: exact for few, else as dense everywhere as among the newest."""
    found = list(select_ids(connection, [word], base, base + newest + 1, limit=_PROBE))
    if len(found) < _PROBE:
        return len(found)
    return round(_PROBE * newest / max(base + newest + 1 - found[-1], 1))


_ONE_BY_ONE = 200
"""So many ids are looked up each on its own; for more, all hits are read once."""


def hits_among(connection: sa.Connection, terms: Sequence[Term], ids: Sequence[int]) -> set[int]:
    """Return those of some ids whose items hold the terms (if all are negated: any of them)."""
    return set(_select_among(connection, terms, ids, "0").scalars())


def ranks_among(connection: sa.Connection, terms: Sequence[Term], ids: Sequence[int]) -> dict[int, float]:
    """Return how well those of some ids match whose items hold the terms; higher is better, and only the order means something.

    SQLite weighs by BM25, which counts rare words for more; PostgreSQL by `ts_rank`, which does not know what is rare.
    """
    weight = "-bm25(review_search)" if _is_sqlite(connection) else "ts_rank(words, to_tsquery('simple', :match))"
    rows: list[Any] = list(_select_among(connection, terms, ids, weight)) if ids else []
    return {number: float(rank) for number, rank in rows}


def _select_among(connection: sa.Connection, terms: Sequence[Term], ids: Sequence[int], weight: str) -> sa.CursorResult[Any]:
    name, condition, match = _condition(connection, terms)
    if _is_sqlite(connection):
        plus = "+" if len(ids) > _ONE_BY_ONE else ""
        text = (
            f"SELECT rowid, {weight} FROM review_search WHERE {condition}"  # noqa: S608 (own constants)
            f" AND {plus}rowid IN (SELECT value FROM json_each(:ids)) AND rowid >= :first AND rowid <= :last"
        )
        values: dict[str, Any] = {"match": match, "ids": json.dumps(list(ids)), "first": min(ids), "last": max(ids)}
    else:
        text = f"SELECT {name}, {weight} FROM review_search WHERE {condition} AND {name} = ANY(:ids)"  # noqa: S608
        values = {"match": match, "ids": list(ids)}
    return connection.execute(sa.text(text), values)


def _condition(connection: sa.Connection, terms: Sequence[Term]) -> tuple[str, str, str]:
    if _is_sqlite(connection):
        return "rowid", "review_search MATCH :match", fts5_query(terms)
    return "id", "words @@ to_tsquery('simple', :match)", tsquery(terms)
