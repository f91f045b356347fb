"""The split: a stable hash of the group decides, so an old row never changes sides as data grows.

split_of("to_uppercase", CurateConfig())    "train"
"""

from collections.abc import Iterable
from typing import Literal, TypeVar

from curation.curate.config import CurateConfig
from curation.ids import stable_fraction
from curation.records import Document, Example, PreferencePair, UnpairedPreference, VerifiableTask

R = TypeVar("R", Example, PreferencePair, UnpairedPreference, VerifiableTask)


def split_of(group: str, config: CurateConfig) -> Literal["train", "eval"]:
    """Return the side of a split group; it depends on nothing but the group, the share and the salt."""
    return "eval" if stable_fraction(group, config.split_salt) < config.eval_share else "train"


def split_documents(documents: Iterable[Document], config: CurateConfig) -> tuple[Document, ...]:
    """Return the documents on the train side, so that pre-training never sees held-out text."""
    return tuple(document for document in documents if split_of(document.group, config) == "train")


def select_split(rows: Iterable[R], split: str) -> list[R]:
    """Return the rows of one side of the split, in order."""
    return [row for row in rows if row.split == split]
