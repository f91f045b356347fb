"""Length is balanced by dropping few pairs of the prevailing kind, whatever other pairs there are."""

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.errors import ConfigError
from curation.records import Message, PreferencePair, Provenance
from curation.synthesis.preferences.lengths import balance_lengths


def pair(key: str, difference: int) -> PreferencePair:
    return PreferencePair(
        key=key,
        task="t",
        prompt=(Message(role="user", content="?"),),
        chosen="x" * (100 + max(difference, 0)),
        rejected="y" * (100 + max(-difference, 0)),
        rejected_kind="judged_worse",
        group=key,
        provenance=Provenance(origin="synthetic", method="best_of_n"),
    )


def pairs_of(differences: list[int]) -> list[PreferencePair]:
    return [pair(f"p/{at}", difference) for at, difference in enumerate(differences)]


def test_a_balanced_set_stays_whole() -> None:
    pairs = pairs_of([10, -10] * 50)
    balanced = balance_lengths(pairs)
    assert (balanced.pairs, balanced.rejections) == (tuple(pairs), ())
    assert balance_lengths([]).pairs == ()


def test_only_as_many_longer_ones_go_as_needed() -> None:
    balanced = balance_lengths(pairs_of([20] * 70 + [-20] * 30))
    assert balanced.before == pytest.approx(0.4)
    assert 0.09 < balanced.after <= 0.1
    assert len(balanced.rejections) == 34  # 36 against 30
    assert all(len(item.excerpt) == 120 for item in balanced.rejections)
    assert {item.reason for item in balanced.rejections} == {"unbalanced_length"}


def test_where_length_tells_everything_nothing_is_left() -> None:
    assert balance_lengths(pairs_of([5, 9, 30, 2])).pairs == ()


def test_another_pair_moves_few_others() -> None:
    pairs = pairs_of([20] * 70 + [-20] * 30)
    before = {item.key for item in balance_lengths(pairs).pairs}
    after = {item.key for item in balance_lengths([pair("new", 20), *pairs]).pairs}
    assert len(before ^ after) <= 2


def test_a_share_is_needed() -> None:
    with pytest.raises(ConfigError):
        balance_lengths([], max_correlation=1.5)


@hypothesis.given(st.lists(st.integers(-60, 60), max_size=30), st.floats(0, 1))
def test_nothing_vanishes_and_the_prevailing_pull_goes(differences: list[int], most: float) -> None:
    pairs = pairs_of(differences)
    balanced = balance_lengths(pairs, max_correlation=most)
    assert sorted([*(item.key for item in balanced.pairs), *(item.key for item in balanced.rejections)]) == sorted(
        item.key for item in pairs
    )
    sign = 1 if balanced.before > 0 else -1
    assert sign * balanced.after <= most + 1e-9
    dropped = {item.key for item in balanced.rejections}
    assert all(sign * (len(item.chosen) - len(item.rejected)) > 0 for item in pairs if item.key in dropped)
