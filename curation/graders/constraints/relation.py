"""How a count compares with what was asked for.

holds(3, "at least", 3)        True
"""

RELATIONS = ("at least", "less than")


def holds(count: int, relation: str, bound: int) -> bool:
    """Tell whether a count is at least, or less than, a bound."""
    return count >= bound if relation == "at least" else count < bound
