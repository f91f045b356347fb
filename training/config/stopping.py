"""When a stage stops before its last step.

{method: sft, epochs: 10, early_stopping: {patience: 3, held_out_share: 0.1}}
"""

from curation.config import check, config


@config
class EarlyStoppingConfig:
    """Stop when the loss on rows that are not learnt falls no more, and keep the model that was best on them.

    The rows are held out by their split group, so that none of them has a near relative among those that are learnt. They are
    part of the training data: the evaluation's data set is never looked at, else its scores would flatter.
    """

    patience: int = 3
    """So many measurements in a row without improvement end the stage."""

    min_improvement: float = 0.0
    """By how much the loss has to fall to count as better."""

    held_out_share: float = 0.1
    """Share of the groups that is held out."""

    every_steps: int | None = None
    """Steps between two measurements; null: a twentieth of the stage."""

    def __post_init__(self) -> None:
        check(self.patience >= 1, "early_stopping.patience", "must be at least 1", self.patience)
        check(0 <= self.min_improvement < 100, "early_stopping.min_improvement", "must lie in [0, 100)", self.min_improvement)
        check(0 < self.held_out_share <= 0.5, "early_stopping.held_out_share", "must lie in (0, 0.5]", self.held_out_share)
        check(
            self.every_steps is None or self.every_steps >= 1,
            "early_stopping.every_steps",
            "must be at least 1",
            self.every_steps,
        )
