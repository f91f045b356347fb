"""What curation keeps: rules for single rows, duplicates, and which groups are held out.

curate: {rules: {languages: [en]}, duplicates: {near_threshold: 0.9}, eval_share: 0.2}
"""

from curation.config import check, config
from curation.duplicates.config import DuplicateConfig
from curation.filters.rule_config import RuleConfig


@config
class CurateConfig:
    """Rules of the stages `documents`, `demonstrations` and `curated_examples`."""

    rules: RuleConfig = RuleConfig()
    """What single rows and documents have to be like."""

    duplicates: DuplicateConfig = DuplicateConfig()
    """What counts as a copy, and which copy stays."""

    eval_share: float = 0.2
    """Share of the split groups that are held out for evaluation, above 0 and at most 0.5."""

    split_salt: str = "tunewright"
    """Change it to draw another split; keep it so that old rows never change sides."""

    def __post_init__(self) -> None:
        check(0 < self.eval_share <= 0.5, "eval_share", "must lie in (0, 0.5]", self.eval_share)
