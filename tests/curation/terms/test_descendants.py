"""Withdrawals reach everything that was made from what is withdrawn."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from curation.records import Example
from curation.tables import to_arrow
from curation.terms.descendants import find_descendants, find_in_table
from tests.curation.terms.conftest import make_row

ROWS = [
    make_row("api/a#0", documents=("api/a",)),
    make_row("api/a#1", documents=("api/a", "api/b"), teacher="gpt-5"),
    make_row("api/a#0/pair", parents=("api/a#0",)),
    make_row("api/a#0/pair/edit", parents=("api/a#0/pair",)),
    make_row("guides/x#0", documents=("guides/x",)),
    make_row("guides/x#1", parents=("api/gone",)),
]


def both(rows: list[Example], key: str) -> list[str]:
    found = find_descendants(rows, key)
    assert find_in_table(to_arrow(Example, rows), key) == found
    return found


def test_documents_rows_teachers_and_sources() -> None:
    assert both(ROWS, "api/a") == ["api/a#0", "api/a#0/pair", "api/a#0/pair/edit", "api/a#1"]
    assert both(ROWS, "api/b") == ["api/a#1"]
    assert both(ROWS, "api/a#0/pair") == ["api/a#0/pair", "api/a#0/pair/edit"]
    assert both(ROWS, "gpt-5") == ["api/a#1"]
    assert both(ROWS, "guides/") == ["guides/x#0", "guides/x#1"]
    assert both(ROWS, "api/gone") == ["guides/x#1"]
    assert both(ROWS, "nothing") == []
    assert both([], "api/a") == []


def test_a_sliced_and_chunked_table_is_read_as_it_is() -> None:
    table = to_arrow(Example, ROWS)
    assert find_in_table(table.slice(1), "api/a") == ["api/a#1"]
    import pyarrow as pa

    assert find_in_table(pa.concat_tables([table.slice(0, 2), table.slice(2)]), "api/a#0") == [
        "api/a#0",
        "api/a#0/pair",
        "api/a#0/pair/edit",
    ]


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_both_ways_agree_on_any_graph_even_with_cycles_and_equal_keys(seed: int) -> None:
    rng = random.Random(seed)
    keys = [f"s/{number}" for number in range(6)]
    rows = [
        make_row(rng.choice(keys), parents=tuple(rng.sample(keys, rng.randrange(3))), documents=tuple(rng.sample("ab", 1)))
        for _ in range(8)
    ]
    found = both(rows, "s/0")
    by_key = {row.key for row in rows if row.key == "s/0" or "s/0" in row.provenance.parents}
    assert by_key <= set(found)
