"""The data card: everything that is told about a data set, as plain data. What is unknown stays empty and is left out.

    DataCard(name="sdk_assistant", version="9f...", rows=5102, splits=(SplitCount(split="train", rows=4200, groups=801),))

Renderers turn it into Markdown (`markdown`), Croissant (`croissant`) and a page (`page`); `describe` fills what rows can tell.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from curation.terms.report import Obligation


@dataclass(frozen=True, kw_only=True, slots=True)
class CardSource:
    """A source and the terms that it came under."""

    name: str
    license: str = ""
    url: str = ""
    retrieved: str = ""
    """When the terms were read, YYYY-MM-DD."""
    sha256: str = ""
    """Hash of the terms as read."""
    output_terms: str = ""
    version: str = ""
    """Version of the data that were read, as the source manifest has it."""
    rows: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class CardTerms:
    """What judging the terms gave."""

    use: str = ""
    passed: bool | None = None
    detail: str = ""
    verdicts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    obligations: tuple[Obligation, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SliceCount:
    """Rows and tokens of one slice."""

    dimension: str
    """`split`, `task`, `origin`, `source` or `kind`."""
    name: str
    rows: int
    tokens: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class StageCount:
    """What one stage kept and rejected."""

    stage: str
    kept: int
    rejected: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Rows by reason."""
    tokens: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterCount:
    """How often one rule looked and how often it said no."""

    rule: str
    checked: int
    rejected: int
    setting: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DuplicateCount:
    """Duplicates between two sources (the same one twice for within)."""

    kind: str
    """`exact`, `near` or `semantic`."""
    kept_source: str
    dropped_source: str
    rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ContaminationResult:
    """What was found of one benchmark."""

    benchmark: str
    items: int
    pairs: int
    rows: int
    """Rows that give an item away; they are not in the data set unless `detail` says so."""
    method: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PrivacyCount:
    """Findings of one kind of personal data or secret, and what was done with them."""

    entity: str
    action: str
    findings: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitCount:
    """Rows and groups of one split; no group is in two."""

    split: str
    rows: int
    groups: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LengthSummary:
    """How long one part of the rows is."""

    part: str
    """`prompt`, `answer`, `document`, ..."""
    unit: str
    minimum: float
    median: float
    p95: float
    maximum: float
    edges: tuple[float, ...] = ()
    """Edges of the histogram, one more than `counts`."""
    counts: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationCount:
    """Rows by how they were made."""

    method: str
    teacher: str
    template: str
    depth: int
    rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CardFile:
    """A file of the exported data set."""

    path: str
    """Relative to the card, with forward slashes."""
    kind: str
    """`examples`, `preference` or `unpaired`."""
    split: str
    format: str
    """`parquet` or `jsonl`."""
    rows: int
    num_bytes: int
    sha256: str
    has_tools: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class DataCard:
    """One data set. Counts are rows unless their name says otherwise."""

    name: str
    description: str = ""
    version: str = ""
    """Merkle root of the rows."""
    created_at: str = ""
    """ISO 8601, UTC."""
    owner: str = ""
    rows: int = 0
    tokens: int = 0
    unit: str = "words"
    """What counts as a token: the name of a tokenizer, or `words`."""
    sources: tuple[CardSource, ...] = ()
    terms: CardTerms = CardTerms()
    slices: tuple[SliceCount, ...] = ()
    stages: tuple[StageCount, ...] = ()
    filters: tuple[FilterCount, ...] = ()
    duplicates: tuple[DuplicateCount, ...] = ()
    contamination: tuple[ContaminationResult, ...] = ()
    privacy: tuple[PrivacyCount, ...] = ()
    splits: tuple[SplitCount, ...] = ()
    languages: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Rows by ISO 639 code; `und` where none was told."""
    lengths: tuple[LengthSummary, ...] = ()
    generation: tuple[GenerationCount, ...] = ()
    collapse: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Figures of the collapse guard: `real_weight`, `distinct_2`, ..."""
    hashes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Roots of the tables and hashes of inputs, by name."""
    files: tuple[CardFile, ...] = ()
    limits: tuple[str, ...] = ()
    """What is known not to hold, a sentence each."""
