"""What a section of the report is: a place, a title, a template and the values that it shows.

Section(anchor="slices", title="Slice by slice", template="slices.html.j2", values={"rows": rows})

Each module of `evaluation.report.sections` has a function that returns its section, or None where there is nothing to show.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Section(NamedTuple):
    """One section of the page."""

    anchor: str
    title: str
    template: str
    values: Mapping[str, Any]
    short: str = ""
    """What stands in the list of contents; empty: the title."""


class ItemLink(NamedTuple):
    """Which items a number was counted from; a click on the number shows them in the viewer."""

    task: str = ""
    against: str = ""
    outcome: str = ""
    """`better`, `worse`, `same`, `right` or `wrong`."""
    slice: str = ""

    def as_attributes(self) -> dict[str, str]:
        """Return the attributes of the anchor."""
        return {f"data-{name}": value for name, value in self._asdict().items() if value}
