"""How figures are put into words: shares in percent, losses in nats, differences with sign and unit.

shown("accuracy", 0.712)            "71.2 %"
ahead("accuracy", 0.04)             "+4.0"
counted(1, "item")                  "1 item"
"""

from evaluation.gate.verdict import NAMES
from evaluation.tasks.metrics import is_share, shown, title_of, unit_of

__all__ = ["ahead", "counted", "is_share", "name_of", "shown", "title_of", "unit_of"]


def ahead(metric: str, difference: float) -> str:
    """Return a difference with its sign, in points or in the unit of the metric."""
    return f"{difference * 100:+.1f}" if is_share(metric) else f"{difference:+.3f}"


def name_of(comparator: str) -> str:
    """Return what people read for a comparator."""
    return NAMES.get(comparator, comparator)


def counted(number: int, what: str) -> str:
    """Return a number of things."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
