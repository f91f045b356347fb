"""Packed micro-batches made smaller, step by step: every optimizer step keeps exactly its rows.

smaller = refit_packs(plan, group=8, parts=2)      # 16 micro-batches a step of about half the tokens; None if it cannot be
"""

import heapq
from collections.abc import Sequence

from training.packing import PackPlan


def refit_packs(plan: PackPlan, *, group: int, parts: int) -> PackPlan | None:
    """Divide the rows of each step over `parts` times as many micro-batches, the longest row to the emptiest first.

    Greedy assignment to the emptiest is within 4/3 of the best balance (Graham 1969).

    Args:
        plan: as the run was laid out.
        group: micro-batches of one step over all processes.
        parts: how many each becomes.

    Returns:
        The new plan; None if a step has too few rows, or no micro-batch gets smaller.
    """
    packs: list[tuple[int, ...]] = []
    for start in range(0, len(plan.packs), group):
        step = plan.packs[start : start + group]
        divided = _divide([row for pack in step for row in pack], plan.lengths, len(step) * parts)
        if divided is None:
            return None
        packs += divided
    smaller = PackPlan(tuple(packs), plan.lengths, plan.budget)
    return smaller if max(smaller.tokens, default=0) < max(plan.tokens, default=0) else None


def _divide(rows: Sequence[int], lengths: Sequence[int], num_packs: int) -> list[tuple[int, ...]] | None:
    if len(rows) < num_packs:
        return None
    packs: list[list[int]] = [[] for _ in range(num_packs)]
    free = [(0, number) for number in range(num_packs)]
    for row in sorted(rows, key=lambda row: -lengths[row]):
        tokens, number = heapq.heappop(free)
        packs[number].append(row)
        heapq.heappush(free, (tokens + lengths[row], number))
    return [tuple(pack) for pack in packs]
