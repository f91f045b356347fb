"""Keys name the unit that they belong to."""

import pytest

from curation.synthesis.unit_keys import find_unit


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a/b.md#raft", "a/b.md#raft"),
        ("a/b.md#raft/0", "a/b.md#raft"),
        ("a/b.md#raft/0~pair/1", "a/b.md#raft"),
        ("a/b.md#raft2", None),
        ("a/b.md#raft/10/3", "a/b.md#raft/10"),
        ("a/b.md#raft/1", "a/b.md#raft"),
        ("a/b.md", None),
        ("", None),
    ],
)
def test_the_longest_beginning_counts(key: str, expected: str | None) -> None:
    assert find_unit(key, {"a/b.md#raft", "a/b.md#raft/10", "x"}) == expected
