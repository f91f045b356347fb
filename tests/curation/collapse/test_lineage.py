"""Generation depth, however long or tangled a lineage is."""

import random

from hypothesis import given
from hypothesis import strategies as st

from curation.collapse.lineage import resolve_lineage
from tests.curation.collapse.collapse_rows import row


def test_a_long_chain_does_not_break_the_stack() -> None:
    rows = [row("s/0", "a|b", "synthetic", depth=1)]
    rows += [row(f"s/{number}", "a|b", "synthetic", depth=1, parents=(f"s/{number - 1}",)) for number in range(1, 20_000)]
    random.Random(1).shuffle(rows)
    lineage = resolve_lineage(rows)
    assert lineage.depths["s/19999"] == 20_000
    assert lineage.circular == ()


def test_people_add_no_generation_and_unknown_parents_count_as_declared() -> None:
    rows = [
        row("h/1", "a|b", "human"),
        row("s/1", "a|b", "synthetic", depth=1, parents=("h/1",)),
        row("e/1", "a|b", "human", depth=0, parents=("s/1",)),
        row("s/2", "a|b", "synthetic", depth=2, parents=("gone/1",)),
        row("s/3", "a|b", "synthetic", depth=1, parents=("h/1", "s/2")),
    ]
    assert resolve_lineage(rows).depths == {"h/1": 0, "s/1": 1, "e/1": 1, "s/2": 2, "s/3": 3}


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=14), st.randoms(use_true_random=False))
def test_any_graph_is_resolved_whatever_the_order(edges: list[tuple[int, int]], rng: random.Random) -> None:
    parents = {number: tuple(f"s/{parent}" for child, parent in edges if child == number) for number in range(8)}
    rows = [row(f"s/{number}", "a|b", "synthetic", depth=1, parents=parents[number]) for number in range(8)]
    lineage = resolve_lineage(rows)
    shuffled = list(rows)
    rng.shuffle(shuffled)
    assert resolve_lineage(shuffled) == lineage
    assert set(lineage.depths) == {one.key for one in rows}
    free = {number for number in range(8) if f"s/{number}" not in lineage.circular}
    for child, parent in edges:
        if child in free and parent in free:
            assert lineage.depths[f"s/{child}"] > lineage.depths[f"s/{parent}"]
    if not lineage.circular:
        assert _is_acyclic(edges)


def _is_acyclic(edges: list[tuple[int, int]]) -> bool:
    left = set(range(8))
    while left:
        leaves = {number for number in left if not any(child == number and parent in left for child, parent in edges)}
        if not leaves:
            return False
        left -= leaves
    return True
