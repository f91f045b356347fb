"""What the preflight looks at: the rows of a stage as flat arrays, with the tokenizer, records and sizes behind them.

Subject(stage="sft_model", kind="answers", columns={"input_ids": [...], "labels": [...]}, tokenizer=tokenizer)

Rows come in four shapes: `input_ids` + `labels`; `prompt_ids` + `chosen_ids` + `rejected_ids`; `prompt_ids` +
`completion_ids`; `prompt_ids` alone.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from curation.records import Example, Rejection
from training.preflight.flat import Flat

Kind = Literal["answers", "turns", "text", "pairs", "labelled", "prompts"]
"""`answers`: only the last answer is learnt; `turns`: every turn of the assistant; `text`: every token of documents."""
Collate = Callable[[list[dict[str, Any]]], Mapping[str, Any]]
"""The collator of the stage's trainer: rows -> a batch of tensors."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How rows are grouped into steps."""

    max_length: int = 0
    """0: no limit."""
    batch_size: int = 1
    """1 where rows are packed: a micro-batch then has as many as fit."""
    gradient_accumulation: int = 1
    world_size: int = 1
    num_generations: int = 0
    """Answers a prompt in reinforcement learning; 0: none."""
    is_packed: bool = False


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The rows of a stage and all that they have to fit to."""

    stage: str
    kind: Kind
    columns: Mapping[str, Sequence[Any]] = field(repr=False)
    tokenizer: Any = field(repr=False)
    records: Sequence[Any] | None = field(default=None, repr=False)
    """The records that the rows were made of and those that were rejected, in the order of the table; None: only tokens."""
    rejections: Sequence[Rejection] = field(default=(), repr=False)
    held_out: Sequence[Example] = field(default=(), repr=False)
    """The rows of the eval_set."""
    collate: Collate | None = None
    vocabulary: int = 0
    """Embeddings of the model; 0: not known."""
    stops: frozenset[int] = frozenset()
    """Tokens at which generation stops; none given: the end token of the tokenizer."""
    saved_template: str | None = None
    """The chat template beside the model; None: not looked for, empty: there is none."""
    needs_reference: bool = True
    """Whether answers to prompts are compared with a reference."""
    is_marked_by_template: bool = False
    """Whether the mask was made by the generation markers of the template."""
    sizes: Sizes = field(default_factory=Sizes)

    @cached_property
    def flat(self) -> Flat:
        """All sequences of tokens, one behind the other."""
        return Flat.of_columns(self.columns)

    @cached_property
    def num_rows(self) -> int:
        """Rows to train on."""
        return len(next(iter(self.columns.values()), ()))

    @cached_property
    def kept(self) -> list[Any] | None:
        """The records of the rows, in their order; None if they are not known or do not add up."""
        if self.records is None:
            return None
        dropped = Counter(rejection.key for rejection in self.rejections)
        kept = []
        for record in self.records:
            if dropped[record.key]:
                dropped[record.key] -= 1
            else:
                kept.append(record)
        return kept if len(kept) == self.num_rows else None

    @cached_property
    def end_ids(self) -> frozenset[int]:
        """Tokens at which generation stops."""
        end = self.tokenizer.eos_token_id
        return self.stops or (frozenset() if end is None else frozenset([end]))

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """Tokens that are no text."""
        added = getattr(self.tokenizer, "added_tokens_decoder", {})
        return frozenset(self.tokenizer.all_special_ids) | {number for number, token in added.items() if token.special}

    def key(self, row: int) -> str:
        """Return the name of a row."""
        return self.kept[row].key if self.kept is not None else f"row {row + 1}"
