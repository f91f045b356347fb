"""What the forgetting probe stores: the items of a suite, and what each model made of each item.

SuiteItem(key="general/facts/001", area="facts", kind="choice", prompt="The capital of France is", reference=" Paris",
          distractors=(" Madrid", " Oslo", " Athens"), group="general/facts/001", ...)
ProbeResult(key="sft_model/general/facts/001", model="sft_model", log_likelihoods=(-1.2, -7.5, -8.0, -8.1), answer="", ...)
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["choice", "generate", "text"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteItem:
    """One item of a suite."""

    key: str
    """`SUITE/AREA/NUMBER`."""
    area: str
    kind: Kind
    """`choice`: is the reference likelier than the distractors; `generate`: an answer is graded; `text`: how likely is it."""
    prompt: str
    """What comes before; empty for whole sentences and texts."""
    is_chat: bool
    """Whether the prompt is a user's message, for the chat template, and not the beginning of a text."""
    reference: str
    """The right continuation, an answer that is right, or the text."""
    distractors: tuple[str, ...]
    """Wrong continuations."""
    grader: str
    """Name of a grader of `curation.graders`, for `generate`."""
    grading: str
    """What that grader compares with."""
    group: str
    """Items about one passage share it: they are not independent."""

    @property
    def chance(self) -> float:
        """Probability that a model which knows nothing has it right."""
        return 1 / (1 + len(self.distractors)) if self.kind == "choice" else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeResult:
    """What one model made of one item. Everything that is judged is computed from it."""

    key: str
    """`MODEL/ITEM_KEY`."""
    model: str
    """Name of the model asset: `base_model`, `sft_model`, ..."""
    model_hash: str
    item_key: str
    item_hash: str
    """Record hash of the item as it was measured."""
    log_likelihoods: tuple[float, ...]
    """Natural log-probability of the reference, then of the distractors; empty if it does not fit into the context."""
    num_bytes: tuple[int, ...]
    """Length of each in UTF-8."""
    num_tokens: int
    """Tokens of the reference."""
    vocabulary: int
    """Tokens that the model chooses from."""
    answer: str
    """What was generated; empty for other kinds."""
