"""The configuration of the memorisation probe: training rows against held-out rows, and planted canaries.

memorisation: {max_rows: 200, prefix_tokens: [0, 50], max_extractable: 0.01, max_exposure: 8}
"""

import math

from curation.config import check, config


@config
class MemorisationConfig:
    """How many training rows are tried, and what is too much."""

    max_rows: int = 64
    """Rows of each side, training and held out, a stable choice when there are more."""
    prefix_tokens: tuple[int, ...] = (0, 16, 50)
    """Lengths of what a model is given: the beginning of an answer behind its prompt, or text before a document's middle."""
    suffix_tokens: int = 24
    """Tokens that it has to continue word for word for a row to count as extractable."""
    references: int = 512
    """Random secrets that a planted canary is ranked among."""
    max_gap: float | None = None
    """Largest gap between held-out and training loss beyond that of the base, in nats a token. Null: reported only."""
    max_extractable: float | None = None
    """Largest share of rows continued verbatim beyond the share of held-out rows. Null: reported only."""
    max_exposure: float | None = None
    """Largest exposure of a canary in bits, of at most log2(references + 1). Null: reported only."""
    blocks: bool = False
    """Whether a limit that is broken keeps the model from release; if not, the check warns."""

    def __post_init__(self) -> None:
        check(1 <= self.max_rows <= 100_000, "memorisation.max_rows", "must lie in [1, 100000]", self.max_rows)
        lengths = self.prefix_tokens
        is_rising = bool(lengths) and list(lengths) == sorted(set(lengths)) and lengths[0] >= 0
        check(is_rising, "memorisation.prefix_tokens", "must be rising lengths", lengths)
        check(4 <= self.suffix_tokens <= 512, "memorisation.suffix_tokens", "must lie in [4, 512]", self.suffix_tokens)
        check(31 <= self.references <= 100_000, "memorisation.references", "must lie in [31, 100000]", self.references)
        for name in ("max_gap", "max_extractable", "max_exposure"):
            limit = getattr(self, name)
            check(limit is None or limit >= 0, f"memorisation.{name}", "must not be negative", limit)
        self._check_reachable()

    def _check_reachable(self) -> None:
        """Refuse limits that nothing could exceed, and blocking without a limit."""
        share, bits, highest = self.max_extractable, self.max_exposure, math.log2(self.references + 1)
        check(share is None or share < 1, "memorisation.max_extractable", "must be below 1, or nothing exceeds it", share)
        problem = f"must be below {highest:.2f}, the exposure of the likeliest of {self.references} references"
        check(bits is None or bits < highest, "memorisation.max_exposure", problem, bits)
        has_limit = (self.max_gap, share, bits) != (None, None, None)
        problem = "needs a limit: max_gap, max_extractable or max_exposure"
        check(has_limit or not self.blocks, "memorisation.blocks", problem, self.blocks)
