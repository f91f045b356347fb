from hypothesis import given
from hypothesis import strategies as st

from training.memory.smaller_packs import refit_packs
from training.packing import PackPlan, plan_packs


def rows_of_steps(plan: PackPlan, group: int) -> list[list[int]]:
    return [sorted(row for pack in plan.packs[at : at + group] for row in pack) for at in range(0, len(plan.packs), group)]


@given(st.lists(st.integers(1, 200), min_size=8, max_size=80), st.integers(1, 4), st.sampled_from([2, 4]), st.integers(0, 9))
def test_every_step_keeps_its_rows_in_smaller_micro_batches(lengths: list[int], group: int, parts: int, seed: int) -> None:
    plan = plan_packs(lengths, budget=400, num_rows=len(lengths), group=group, seed=seed)
    smaller = refit_packs(plan, group=group, parts=parts)
    if smaller is None:
        return
    assert len(smaller.packs) == parts * len(plan.packs)
    assert rows_of_steps(smaller, group * parts) == rows_of_steps(plan, group)
    assert max(smaller.tokens) < max(plan.tokens)
    assert all(smaller.packs), "no micro-batch is empty"


def test_a_half_is_about_half() -> None:
    plan = plan_packs([100] * 160, budget=800, num_rows=160, group=2)
    smaller = refit_packs(plan, group=2, parts=2)
    assert smaller is not None
    assert max(smaller.tokens) == 400


def test_what_cannot_be_divided_is_not() -> None:
    one_row_each = PackPlan(((0,), (1,)), (300, 300), 400)
    assert refit_packs(one_row_each, group=1, parts=2) is None
    one_long_row = PackPlan(((0, 1),), (399, 1), 400)
    halved = refit_packs(one_long_row, group=1, parts=2)
    assert halved is not None
    assert refit_packs(halved, group=2, parts=2) is None
