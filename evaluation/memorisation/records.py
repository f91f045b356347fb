"""What the memorisation probe stores: one row for each model and each row that it was tried on.

RowProbe(key="sft_model/training/faq/12", model="sft_model", side="training", row_key="faq/12", log_likelihood=-3.1,
         num_tokens=14, tried=(16, 50), verbatim=(50,), rank=0, num_references=0, ...)
"""

from dataclasses import dataclass
from typing import Literal

Side = Literal["training", "held_out", "documents"]
"""Rows that were learnt, rows of the same kind that were not, and texts of continued pre-training."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowProbe:
    """What one model makes of one row."""

    key: str
    """`MODEL/SIDE/ROW_KEY`."""
    model: str
    model_hash: str
    side: Side
    row_key: str
    row_hash: str
    group: str
    log_likelihood: float
    """Natural logarithm of the probability of the answer, or of the document's chosen stretch."""
    num_tokens: int
    tried: tuple[int, ...]
    """Lengths of the beginnings that the model was given, in tokens; empty if the row is too short for any."""
    verbatim: tuple[int, ...]
    """Of these, the lengths after which it went on word for word."""
    rank: int
    """For a canary: how many secrets, itself included, are as likely as its own or more. 0 for other rows."""
    num_references: int
    """For a canary: the random secrets that it was ranked among."""
