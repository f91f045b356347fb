"""What curation keeps: lengths, duplicates, and which groups are held out.

curate: {near_duplicate_threshold: 0.9, eval_share: 0.2}
"""

from curation.config import check, config


@config
class CurateConfig:
    """Rules of the stage `curated_examples`."""

    near_duplicate_threshold: float = 0.9
    """Jaccard similarity of character 5-grams from which two prompts count as one; 1 keeps all but exact copies."""

    min_prompt_chars: int = 3
    """Shorter prompts are rejected (system messages do not count)."""

    max_prompt_chars: int = 16_000
    """Longer prompts are rejected (all messages before the answer count)."""

    min_answer_chars: int = 1
    """Shorter answers are rejected."""

    max_answer_chars: int = 16_000
    """Longer answers are rejected."""

    eval_share: float = 0.2
    """Share of the split groups that are held out for evaluation, above 0 and at most 0.5."""

    split_salt: str = "tunewright"
    """Change it to draw another split; keep it so that old rows never change sides."""

    def __post_init__(self) -> None:
        threshold = self.near_duplicate_threshold
        check(0.5 <= threshold <= 1, "near_duplicate_threshold", "must lie in [0.5, 1]", threshold)
        check(self.min_prompt_chars >= 1, "min_prompt_chars", "must be at least 1", self.min_prompt_chars)
        check(
            self.max_prompt_chars >= self.min_prompt_chars,
            "max_prompt_chars",
            "is below min_prompt_chars",
            self.max_prompt_chars,
        )
        check(self.min_answer_chars >= 1, "min_answer_chars", "must be at least 1", self.min_answer_chars)
        check(
            self.max_answer_chars >= self.min_answer_chars,
            "max_answer_chars",
            "is below min_answer_chars",
            self.max_answer_chars,
        )
        check(0 < self.eval_share <= 0.5, "eval_share", "must lie in (0, 0.5]", self.eval_share)
