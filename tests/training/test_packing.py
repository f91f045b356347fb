"""Packing loses nothing, cuts nothing, keeps the budget, and is the same again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import ConfigError
from training.packing import IGNORED, PackedRows, pack_rows, plan_packs, take_pack

LENGTHS = st.lists(st.integers(1, 64), min_size=1, max_size=40)


@settings(max_examples=30, deadline=None)
@given(lengths=LENGTHS, epochs=st.integers(1, 3), group=st.integers(1, 8), seed=st.integers(0, 9))
def test_every_row_comes_once_an_epoch_and_no_pack_is_over_budget(
    lengths: list[int], epochs: int, group: int, seed: int
) -> None:
    plan = plan_packs(lengths, budget=64, num_rows=epochs * len(lengths), group=group, seed=seed)
    seen = sorted(row for pack in plan.packs for row in pack)
    assert seen == sorted(list(range(len(lengths))) * epochs)
    assert all(0 < sum(lengths[row] for row in pack) <= 64 for pack in plan.packs)
    assert all(len(set(pack)) == len(pack) for pack in plan.packs)
    if len(lengths) >= group * 64:
        assert len(plan.packs) % group == 0


@settings(max_examples=40, deadline=None)
@given(lengths=LENGTHS)
def test_best_fit_opens_no_pack_that_another_had_room_for(lengths: list[int]) -> None:
    packs = plan_packs(lengths, budget=64, num_rows=len(lengths)).tokens
    assert len(packs) <= 11 / 9 * -(-sum(lengths) // 64) + 1 or min(lengths) > 16
    lowest = sorted(packs)[:2]
    assert len(packs) < 2 or sum(lowest) > 64


def test_the_number_of_packs_is_a_multiple_of_those_of_a_step() -> None:
    plan = plan_packs([10] * 100, budget=64, num_rows=100, group=8)
    assert len(plan.packs) == 24
    assert sum(plan.tokens) == 1000


def test_too_few_rows_for_a_step_are_kept_as_they_are() -> None:
    assert len(plan_packs([10, 10], budget=64, num_rows=2, group=8).packs) == 1


def test_part_of_an_epoch_is_a_random_part() -> None:
    plan = plan_packs([8] * 40, budget=64, num_rows=50, seed=3)
    again = sorted(row for pack in plan.packs for row in pack)
    assert len(again) == 50
    assert len(set(again)) == 40
    assert set(range(10)) != {row for row in again if again.count(row) == 2}


def test_the_order_is_that_of_the_seed() -> None:
    lengths = list(range(1, 60))
    one, two = (plan_packs(lengths, budget=64, num_rows=200, seed=5) for _ in range(2))
    assert one == two
    assert one != plan_packs(lengths, budget=64, num_rows=200, seed=6)


def test_a_row_over_the_budget_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"longest row \(65 tokens\).*64"):
        plan_packs([3, 65], budget=64, num_rows=2)


def test_tokens_are_counted_exactly() -> None:
    plan = plan_packs([5, 7, 64, 30], budget=64, num_rows=8, seed=1)
    assert plan.tokens_through(len(plan.packs)) == 2 * (5 + 7 + 64 + 30)
    assert plan.tokens_through(1) == plan.tokens[0]


def test_a_pack_learns_no_first_token_and_knows_what_follows() -> None:
    rows = [np.array([11, 12, 13]), np.array([21, 22])]
    pack = pack_rows(rows, [np.array([11, IGNORED, 13]), np.array([21, 22])])
    assert pack["input_ids"].tolist() == [[11, 12, 13, 21, 22]]
    assert pack["labels"].tolist() == [[IGNORED, IGNORED, 13, IGNORED, 22]]
    assert pack["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
    assert pack["cu_seq_lens_q"].tolist() == [0, 3, 5]
    assert pack["max_length_q"] == 3
    assert pack["learnt"].tolist() == [1, 3]
    assert pack["targets"].tolist() == [13, 22]


@settings(max_examples=30, deadline=None)
@given(data=st.data(), lengths=st.lists(st.integers(1, 9), min_size=1, max_size=12))
def test_learnt_tokens_are_those_of_the_rows(data: st.DataObject, lengths: list[int]) -> None:
    """Packed and apart, the same tokens are learnt: all labels but the first of each row."""
    rows = [data.draw(st.lists(st.integers(0, 99), min_size=length, max_size=length)) for length in lengths]
    labels = [[token if data.draw(st.booleans()) else IGNORED for token in row] for row in rows]
    plan = plan_packs(lengths, budget=16, num_rows=len(rows), seed=2)
    packs = PackedRows(rows, labels, plan.packs)
    given_targets = sorted(token for pack in packs for token in pack["targets"].tolist())
    assert given_targets == sorted(token for label in labels for token in label[1:] if token != IGNORED)
    ids = sorted(token for pack in packs for token in pack["input_ids"][0].tolist())
    assert ids == sorted(token for row in rows for token in row)


def test_a_loader_of_packs_takes_one_at_a_time() -> None:
    pack = PackedRows([[1, 2]], [[1, 2]], [(0,)])[0]
    assert take_pack([pack]) is pack
    with pytest.raises(ValueError, match="one at a time"):
        take_pack([pack, pack])
    with pytest.raises(IndexError):
        PackedRows([[1, 2]], [[1, 2]], [(0,)])[1]
