"""What goes into the training mix: which rows are worth it, how much of each source, how much replay.

selection: {keep: 1000}
mix: {weights: {support: 3, faq: 1}, epochs: {faq: 2}, replay_share: 0.05, replay_sources: [general]}
"""

import difflib
import math
from collections.abc import Iterable
from dataclasses import field
from typing import Literal

from curation.config import check, config

SliceBy = Literal["source", "task"]
Diversity = Literal["deita", "mmr", "k_center", "none"]


@config
class SelectionConfig:
    """Which rows are kept: the best and most different ones. `selection: {keep: 1000}` is all it takes."""

    keep: int | float | None = None
    """A whole number: so many rows. A fraction of 1, such as 0.2 (or 1.0): that share of the rows. Without it all rows stay."""

    quotas: dict[str, int | float] = field(default_factory=dict)
    """Rows (or share of the kept rows) of single slices, taken exactly as long as the slice has them; what is left goes to the
    slices without a quota."""

    slice_by: SliceBy = "source"
    """What a slice is: all rows of a `source` (first part of the key) or of a `task`."""

    diversity: Diversity = "deita"
    """`deita` walks down the scores and passes over rows too near to one above; `mmr` and `k_center` choose the next row by
    score and distance together (slower: for up to some thousand kept rows); `none` looks at the scores only."""

    min_distance: float = 0.1
    """For `deita`: cosine distance to every row above from which a row counts as new. Rows passed over come last."""

    relevance: float = 0.7
    """For `mmr`: weight of the score against that of the distance, 0 to 1."""

    quality_weight: float = 1.0
    """Exponent of the quality in the score quality ** quality_weight * complexity ** complexity_weight; 0 ignores it."""

    complexity_weight: float = 1.0
    """Exponent of the complexity; 0 ignores it."""

    seed: int = 0
    """Decides between rows of equal score, and seeds the vectors."""

    def __post_init__(self) -> None:
        if self.keep is not None:
            _check_amount(self.keep, "keep", smallest=1)
        for name, amount in self.quotas.items():
            _check_amount(amount, f"quotas.{name}", smallest=0)
        shares = math.fsum(amount for amount in self.quotas.values() if isinstance(amount, float))
        check(shares <= 1 + 1e-9, "quotas", "must not add up to more than 1 where they are shares", shares)
        rows = sum(amount for amount in self.quotas.values() if isinstance(amount, int))
        check(
            not _is_count(self.keep) or rows <= (self.keep or 0), "quotas", f"ask for more rows than keep ({self.keep})", rows
        )
        check(not self.quotas or self.keep is not None, "quotas", "have no effect without keep", self.quotas)
        check(0 <= self.min_distance < 1, "min_distance", "must lie in [0, 1)", self.min_distance)
        check(0 <= self.relevance <= 1, "relevance", "must lie in [0, 1]", self.relevance)
        for name in ("quality_weight", "complexity_weight"):
            check(0 <= getattr(self, name) <= 100, name, "must lie in [0, 100]", getattr(self, name))
        check(0 <= self.seed < 2**32, "seed", "must lie in [0, 2**32)", self.seed)


def _is_count(amount: object) -> bool:
    return isinstance(amount, int) and not isinstance(amount, bool)


def _check_amount(amount: object, path: str, *, smallest: int) -> None:
    if _is_count(amount):
        check(amount >= smallest, path, f"must be at least {smallest}", amount)  # type: ignore[operator]
        return
    fits = isinstance(amount, float) and (0 < amount <= 1 or (smallest == 0 and amount == 0))
    check(fits, path, "must be a number of rows or a share above 0 and at most 1", amount)


@config
class MixConfig:
    """How the rows of several sources are put together for training."""

    weights: dict[str, float] = field(default_factory=dict)
    """Relative weight of each source in the mix (replay aside), above 0; every source then needs one. The source that is
    scarcest for its weight sets the size of the mix: raise its `epochs` for a larger one. Without weights all rows go in."""

    share_by: Literal["tokens", "rows"] = "tokens"
    """What the weights divide."""

    epochs: dict[str, float] = field(default_factory=dict)
    """How often the rows of a source go in, 1 where it is not named: 2.5 takes each row twice and every second one (by the hash
    of its key) a third time. With weights it is the most that a row may be repeated."""

    replay_share: float = 0.0
    """Share of the tokens of the whole mix that are replay, against forgetting; 0.05 to 0.1 is usual."""

    replay_sources: tuple[str, ...] = ()
    """Sources whose rows are replay; a replay table may be passed in as well."""

    replay_epochs: float = 1.0
    """How often a replay row may go in at most."""

    max_tokens: int | None = None
    """The mix never holds more tokens, replay included."""

    seed: int = 0
    """Decides which rows stay out; the same seed keeps the choice as rows come and go."""

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            check(math.isfinite(weight) and weight > 0, f"weights.{name}", "must be above 0", weight)
        for name, number in (*self.epochs.items(), ("", self.replay_epochs)):
            path = f"epochs.{name}" if name else "replay_epochs"
            check(0 < number <= 100, path, "must lie above 0 and at most at 100", number)
        check(0 <= self.replay_share <= 0.9, "replay_share", "must lie in [0, 0.9]", self.replay_share)
        both = sorted(set(self.replay_sources) & {*self.weights, *self.epochs})
        check(not both, "replay_sources", "must not name a source that has a weight or epochs; use replay_epochs", both)
        doubled = len(set(self.replay_sources)) < len(self.replay_sources)
        check(not doubled, "replay_sources", "names a source twice", self.replay_sources)
        useless = bool(self.replay_sources) and self.replay_share == 0
        check(not useless, "replay_sources", "have no effect while replay_share is 0", self.replay_sources)
        check(self.max_tokens is None or self.max_tokens > 0, "max_tokens", "must be at least 1", self.max_tokens)

    def check_sources(self, names: Iterable[str]) -> None:
        """Raise a ConfigError if a source is named that is not among these, or one of these has no weight while others do."""
        known = sorted(set(names))
        for path, named in (("weights", self.weights), ("epochs", self.epochs), ("replay_sources", self.replay_sources)):
            for name in named:
                nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
                hint = f"; did you mean {nearest[0]}?" if nearest else ""
                check(name in known, f"mix.{path}", f"names a source that does not exist{hint}", name)
        missing = [name for name in known if self.weights and name not in self.weights and name not in self.replay_sources]
        check(not missing, "mix.weights", "must give every source a weight as soon as one has it", missing)
