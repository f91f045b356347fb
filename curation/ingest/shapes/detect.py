"""Which shape the head rows of a file have: one, none, or several.

detect(source, head)     Candidate(shape=QUESTION_ANSWER, reading=..., fits=12), or a ShapeProblem

A shape is a candidate if the head rows have its columns with its types; every candidate converts the head rows. One
candidate beats another if it explains more: a strict superset of its columns on nearly as many rows; or if the other
fits hardly a row. The one that nothing beats wins; if there are several, the file is refused and they are listed.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from curation.ingest.config import SourceConfig
from curation.ingest.row_records import MAX_SHOWN_COLUMNS, Unusable
from curation.ingest.rows import Row
from curation.ingest.shapes.calls import TOOL_CALLING
from curation.ingest.shapes.cells import cell_text
from curation.ingest.shapes.chats import DIALOGUE, MIXED, OPENAI, SHAREGPT
from curation.ingest.shapes.choices import MULTIPLE_CHOICE
from curation.ingest.shapes.config import ShapeConfig
from curation.ingest.shapes.instructions import ALPACA, CLASSIFICATION, PROMPT_COMPLETION, QUESTION_ANSWER, SEED_TASK
from curation.ingest.shapes.preferences import PREFERENCE, RATED_CHAT, UNPAIRED
from curation.ingest.shapes.reading import Part, Reading, Shape, choose_columns, spare_names
from curation.ingest.shapes.synonyms import COLUMNS

DETECTED: tuple[Shape, ...] = (
    QUESTION_ANSWER, PROMPT_COMPLETION, ALPACA, SEED_TASK, OPENAI, SHAREGPT, DIALOGUE, MIXED, PREFERENCE, UNPAIRED,
    RATED_CHAT, CLASSIFICATION, MULTIPLE_CHOICE, TOOL_CALLING,
)  # fmt: skip
NEARLY = 0.9
"""A candidate that reads more columns must convert at least this share of the rows that a plainer one converts."""
RIVAL_SHARE = 0.1
"""A candidate that converts less than this share of another's rows is no rival to it."""
LEGACY_COLUMNS = {
    "messages": ("messages_column", "messages"),
    "user": ("question_column", "question"),
    "assistant": ("answer_column", "answer"),
}
"""Role to the field of `SourceConfig` that can declare it, and that field's default, which declares nothing."""
ABOUT_THE_ROW = ("group", "key", "date")
MAX_SHOWN_SYNONYMS = 4


class ShapeProblem(NamedTuple):
    """Why the rows of a file cannot be read: `unknown_shape` or `ambiguous_shape`, and a detail with the candidates."""

    reason: str
    detail: str


class Candidate(NamedTuple):
    """A shape that the head rows may have."""

    shape: Shape
    reading: Reading
    fits: int
    """Head rows that convert."""
    num_rows: int

    def describe(self) -> str:
        """Return one line for people."""
        parts = [part for part in self.shape.parts if part.role in self.reading.columns]
        told = [part.phrase.format(column=self.reading.columns[part.role], role=part.role) for part in parts]
        return f"{self.shape.name}: {', '.join(told)} ({self.fits} of {self.num_rows} head rows fit)"


def declared_columns(source: SourceConfig, config: ShapeConfig) -> dict[str, str]:
    """Return role to column as the source declares it, in its shape or in its older column fields."""
    found = {role: getattr(source, field) for role, (field, usual) in LEGACY_COLUMNS.items() if getattr(source, field) != usual}
    return {**found, **{role: getattr(config.columns, role) for role in content_roles(config)}}


def detect(source: SourceConfig, config: ShapeConfig, head: Sequence[Row]) -> Candidate | ShapeProblem:
    """Return the one reading of the head rows."""
    declared = declared_columns(source, config)
    shapes = [shape for shape in DETECTED if shape.name == config.name] or list(DETECTED)
    strange = _strange_roles(config, shapes)
    if strange:
        return ShapeProblem("unknown_shape", f"Shape '{config.name}' reads no {', '.join(strange)}; take it out of `columns`.")
    candidates = _distinct(_candidates(source, config, head, declared, shapes))
    if not candidates:
        return ShapeProblem("unknown_shape", _say_unknown(config, head, declared, shapes))
    unbeaten = [one for one in candidates if not any(_beats(other, one) for other in candidates)]
    if len(unbeaten) == 1:
        return unbeaten[0]
    return ShapeProblem("ambiguous_shape", _say_ambiguous(unbeaten or candidates))


def content_roles(config: ShapeConfig) -> list[str]:
    """Return the roles whose columns a source declares in its shape, but for those about the row itself."""
    names = config.columns.__dataclass_fields__
    return [role for role in names if role not in ABOUT_THE_ROW and getattr(config.columns, role)]


def _strange_roles(config: ShapeConfig, shapes: Iterable[Shape]) -> list[str]:
    known = {part.role for shape in shapes for part in shape.parts}
    return [role for role in content_roles(config) if role not in known]


def _candidates(
    source: SourceConfig, config: ShapeConfig, head: Sequence[Row], declared: Mapping[str, str], shapes: Iterable[Shape]
) -> list[Candidate]:
    found = []
    for shape in shapes:
        roles = {part.role for part in shape.parts}
        applicable = declared if config.name == "auto" else {role: name for role, name in declared.items() if role in roles}
        columns = choose_columns(shape, head, config, applicable)
        needed = {part.role for part in shape.parts if part.is_required} | set(applicable)
        if needed <= set(columns):
            reading = Reading(source, config, columns, spare_names(shape, columns, applicable))
            fits = sum(not isinstance(shape.convert(reading, row.values), Unusable) for row in head)
            found.append(Candidate(shape, reading, fits, len(head)))
    return found


def _distinct(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Drop candidates that read the same columns as the same things as an earlier one does."""
    kept: list[Candidate] = []
    for candidate in candidates:
        if not any(candidate.reading.columns == other.reading.columns and candidate.fits <= other.fits for other in kept):
            kept.append(candidate)
    return kept


def _beats(one: Candidate, other: Candidate) -> bool:
    """Tell whether one reading explains more; what a richer one explains is never dropped because it fits few rows."""
    read, left = set(one.reading.columns.values()), set(other.reading.columns.values())
    if read > left:
        return one.fits >= NEARLY * other.fits
    return not left > read and other.fits < RIVAL_SHARE * one.fits


def _say_ambiguous(candidates: Sequence[Candidate]) -> str:
    listed = "; or ".join(candidate.describe() for candidate in candidates)
    names = sorted({candidate.shape.name for candidate in candidates})
    return (
        f"The rows can be read in {len(candidates)} ways: {listed}. Declare one, such as "
        f"`shape: {{name: {names[0]}}}`, or its columns, such as `shape: {{columns: {_as_mapping(candidates[0])}}}`."
    )


def _as_mapping(candidate: Candidate) -> str:
    return "{" + ", ".join(f"{role}: {column}" for role, column in candidate.reading.columns.items()) + "}"


def _say_unknown(config: ShapeConfig, head: Sequence[Row], declared: Mapping[str, str], shapes: Sequence[Shape]) -> str:
    types: dict[str, str] = {}
    for row in head:
        for name, value in row.values.items():
            types[str(name)] = types.get(str(name)) or ("" if value is None else _type_name(value))
    shown = ", ".join(f"{name} ({kind or 'empty'})" for name, kind in types.items())[:MAX_SHOWN_COLUMNS] or "none"
    absent = [f"'{name}' for {role}" for role, name in declared.items() if name not in types]
    if absent:
        return f"There is no column {', '.join(absent)}; the columns are {shown}."
    near = [missing for shape in shapes if (missing := _missing(shape, head, config, declared))]
    fewest = min(map(len, near), default=0)
    told = " ".join(_say_missing(missing) for missing in near if len(missing) == fewest)
    return (
        f"No shape fits the columns {shown}. {told} Declare what they hold, such as `shape: {{columns: {{user: "
        f"COLUMN, assistant: COLUMN}}}}`, or `role: documents` for texts to learn from."
    )


def _type_name(value: object) -> str:
    return "text" if isinstance(value, str) else "number" if cell_text(value) is not None else type(value).__name__


class Lack(NamedTuple):
    """A part that a shape needs and the head rows do not have."""

    shape: str
    part: Part


def _missing(shape: Shape, head: Sequence[Row], config: ShapeConfig, declared: Mapping[str, str]) -> list[Lack]:
    """Return what a shape lacks of which the head rows have a part; nothing if they have no part of it."""
    columns = choose_columns(shape, head, config, declared)
    missing = [Lack(shape.name, part) for part in shape.parts if part.is_required and part.role not in columns]
    has_none = len(missing) == sum(part.is_required for part in shape.parts)
    return [] if has_none and config.name == "auto" else missing


def _say_missing(missing: Sequence[Lack]) -> str:
    told = [f"{lack.part.role} ({', '.join(COLUMNS[lack.part.names][:MAX_SHOWN_SYNONYMS])}, ...)" for lack in missing]
    return f"{missing[0].shape} lacks {' and '.join(told)}."
