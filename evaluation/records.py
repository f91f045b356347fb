"""What evaluation stores: one row an answer, one row a score. Same conventions as `curation.records`.

EvalAnswer(key="candidate/api/polars.Expr.str.head#routing/0", comparator="candidate", model_hash="9f...",
           item_key="api/polars.Expr.str.head#routing/0", reference='{"part":"strings"}', answer='{"part":"strings"}', ...)
Score(key="candidate/api/polars.Expr.str.head#routing/0", exact_match=1.0, json_valid=1.0, token_f1=1.0, ...)
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalAnswer:
    """What one comparator answered to one held-out item."""

    key: str
    """`COMPARATOR/ITEM_KEY`."""
    comparator: str
    model_hash: str
    """Hash of the model folder; of the training answers for `majority`."""
    item_key: str
    item_hash: str
    """Record hash of the item as it was asked."""
    group: str
    prompt: str
    """The question as text, without the system message and the shots."""
    reference: str
    answer: str
    num_tokens: int
    """Tokens generated, the end of turn included; 0 where no model was asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """How good one answer is, every metric in [0, 1]."""

    key: str
    """Key of the answer."""
    comparator: str
    item_key: str
    group: str
    exact_match: float
    json_valid: float
    token_f1: float
