"""What a shape is, and how the columns of one file are read by it.

choose_columns(ALPACA, head, ShapeConfig(), {})    {"user": "instruction", "input": "input", "assistant": "output"}
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from curation.ingest.config import SourceConfig
from curation.ingest.row_records import Unusable, list_columns
from curation.ingest.rows import Row
from curation.ingest.shapes.cells import cell_text, is_missing
from curation.ingest.shapes.config import ShapeConfig
from curation.ingest.shapes.kinds import KINDS, Kind
from curation.ingest.shapes.synonyms import COLUMNS, fold
from curation.ingest.text import normalise_text
from curation.records import Message


class Demonstration(NamedTuple):
    """A conversation that ends with the assistant."""

    messages: tuple[Message, ...]
    tools: str = ""


class Comparison(NamedTuple):
    """Two answers to a prompt, the first preferred."""

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    tools: str = ""


class Thumb(NamedTuple):
    """One answer to a prompt that is wanted or not."""

    prompt: tuple[Message, ...]
    answer: str
    is_desirable: bool


ADDED_TEXT = frozenset({"input", "context", "history", "rationale"})
"""Optional roles that add to the user's text or to the answer: with declared columns they must be declared as well."""
Draft = Demonstration | Comparison | Thumb
"""What a shape makes of a row: all of a record but its key, group and provenance."""


class Part(NamedTuple):
    """One thing that a shape reads: what it is to the record, the column names it goes by, and its type."""

    role: str
    names: str
    """Row of the synonyms table."""
    kind: Kind
    is_required: bool = True
    phrase: str = "{column} -> {role}"
    """How people are told."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The columns of one file as one shape reads them."""

    source: SourceConfig
    config: ShapeConfig
    columns: Mapping[str, str]
    """Role to column."""
    spare: Mapping[str, tuple[str, ...]]
    """Role to the names under which an optional column may turn up in later rows."""

    def cell(self, role: str, values: Mapping[str, Any]) -> Any:
        """Return the cell of a role, or nothing."""
        if role in self.columns:
            value = values.get(self.columns[role])
            return None if is_missing(value) else value
        return next((values[name] for name in self.spare.get(role, ()) if not is_missing(values.get(name))), None)

    def text(self, role: str, values: Mapping[str, Any]) -> str | Unusable:
        """Return the normalised text of a role, empty if there is none."""
        value = self.cell(role, values)
        if value is None:
            return ""
        text = cell_text(value)
        if text is None:
            return Unusable("not_text", f"Column '{self.columns.get(role, role)}' holds a {type(value).__name__}, not text.")
        return normalise_text(text)

    def required_text(self, role: str, values: Mapping[str, Any]) -> str | Unusable:
        """Return the normalised text of a role that must have one."""
        if self.cell(role, values) is None:
            return Unusable("missing_column", f"The row needs '{self.columns.get(role, role)}'; it has {list_columns(values)}.")
        text = self.text(role, values)
        blank = not isinstance(text, Unusable) and not text.strip()
        return Unusable("empty_text", f"Column '{self.columns.get(role, role)}' is empty.") if blank else text


Convert = Callable[[Reading, Mapping[str, Any]], Draft | Unusable]


class Shape(NamedTuple):
    """A way to read rows."""

    name: str
    parts: tuple[Part, ...]
    convert: Convert


def choose_columns(shape: Shape, head: Sequence[Row], config: ShapeConfig, declared: Mapping[str, str]) -> dict[str, str]:
    """Return role to column for what the head rows have of a shape's parts, by declaration, then name and type."""
    cells = _columns_of(head)
    folded: dict[str, str] = {}
    for name in cells:
        folded.setdefault(fold(name), name)
    chosen: dict[str, str] = {}
    only_declared = ADDED_TEXT if declared and config.name == "auto" else frozenset()
    parts = [part for part in shape.parts if part.role in declared or part.role not in only_declared]
    for part in sorted(parts, key=lambda part: part.role not in declared):
        column = _choose(part, cells, folded, config, declared, taken=set(chosen.values()))
        if column is not None:
            chosen[part.role] = column
    return {part.role: chosen[part.role] for part in shape.parts if part.role in chosen}


def _columns_of(head: Sequence[Row]) -> dict[str, list[Any]]:
    """Return the cells of each column that say something, columns in the order of their first row."""
    cells: dict[str, list[Any]] = {}
    for row in head:
        for name, value in row.values.items():
            found = cells.setdefault(str(name), [])
            if not is_missing(value):
                found.append(value)
    return cells


def _choose(
    part: Part,
    cells: Mapping[str, list[Any]],
    folded: Mapping[str, str],
    config: ShapeConfig,
    declared: Mapping[str, str],
    taken: set[str],
) -> str | None:
    if part.role in declared:
        return declared[part.role] if declared[part.role] in cells else None
    for synonym in COLUMNS[part.names]:
        column = synonym if synonym in cells else folded.get(synonym)
        if column is None or column in taken:
            continue
        fits = sum(KINDS[part.kind](value, config) for value in cells[column])
        if fits and 2 * fits >= len(cells[column]):
            return column
    return None


def spare_names(shape: Shape, columns: Mapping[str, str], declared: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return, for the optional parts that the head rows lack, the names under which later rows may have them."""
    used = set(columns.values())
    return {
        part.role: tuple(name for name in COLUMNS[part.names] if name not in used)
        for part in shape.parts
        if not part.is_required and part.role not in {*columns, *declared} and not (declared and part.role in ADDED_TEXT)
    }
