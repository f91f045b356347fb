"""What a training curve can show that should not be: how bad it is, what to do, and where the threshold comes from.

SIGNS["divergence"].severity      "error"
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Severity = Literal["error", "warning"]


class Meaning(NamedTuple):
    """What one sign says."""

    severity: Severity
    problem: str
    advice: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sign:
    """Something that was seen in a curve."""

    name: str
    severity: Severity
    step: int
    """The first step at which it could be seen."""
    detail: str
    """What was measured, as one sentence."""
    advice: str


SIGNS: dict[str, Meaning] = {
    "not_finite": Meaning(
        "error", "loss or gradient is not a number", "Lower the learning rate, or look for damaged rows.", "by definition"
    ),
    "divergence": Meaning(
        "error",
        "the loss rises and stays up",
        "Lower the learning rate, three times at least, or lengthen the warm-up.",
        "a third above the best is past any noise of a running median; fastai's range test stops at four times (Smith 2017)",
    ),
    "loss_spike": Meaning(
        "warning",
        "the loss jumped and came back",
        "Look at the rows of this step; a lower learning rate makes jumps rarer.",
        "modified z-score above 6 (Iglewicz and Hoaglin 1993 say 3.5) and half as much again; PaLM 2022, section 5.1",
    ),
    "gradient_jump": Meaning(
        "warning",
        "the gradient became many times larger",
        "Look at the rows of this step; clipping hides the size, not the cause.",
        "twenty times the running median (Pascanu et al. 2013 clip at a multiple of the average norm)",
    ),
    "dead_gradient": Meaning(
        "error",
        "nothing reaches the trained weights: the gradient is zero",
        "Check that the adapters are on layers that are used and that not all labels are masked.",
        "three points in a row that are exactly zero",
    ),
    "learning_rate_zero": Meaning(
        "error",
        "the learning rate is zero while training goes on",
        "Check learning_rate, warmup_ratio and max_steps.",
        "by definition",
    ),
    "no_progress": Meaning(
        "warning",
        "the loss did not fall",
        "Raise the learning rate (`tunewright lr-range` finds one), or train longer.",
        "the mean of the last fifth against that of the first",
    ),
    "memorised": Meaning(
        "warning",
        "rows are predicted perfectly before they were seen twice",
        "Look for duplicate rows, or for answers that stand in their prompts.",
        "less than 0.01 nats a token within the first epoch",
    ),
    "overfit": Meaning(
        "warning",
        "the loss on held-out groups rises while that of training falls",
        "Stop earlier, add rows, or lower rank or learning rate.",
        "generalisation loss above 5 % (Prechelt 1998, criterion GL5), twice in a row",
    ),
    "pairs_at_chance": Meaning(
        "warning",
        "the preferred answers are told from the others no better than by chance",
        "Look at the pairs: labels may be mixed up, or the difference too small to learn.",
        "mean accuracy of the last twenty points within [0.4, 0.6]",
    ),
    "kl_runaway": Meaning(
        "error",
        "the model has left its reference",
        "Raise kl_coefficient or lower the learning rate; rewards far from the reference are not to be trusted.",
        "ten nats, of an answer in PPO and of a token in GRPO and RLOO (Gao et al. 2022: over-optimised that far off)",
    ),
    "reward_by_length": Meaning(
        "warning",
        "the reward grows with the length of the answers",
        "Add a length penalty, and read a few answers.",
        "correlation above 0.8 while answers grew by half (Singhal et al. 2023)",
    ),
    "answers_collapse": Meaning(
        "warning",
        "answers shrink to almost nothing while the reward grows",
        "Read a few answers: the reward is probably earned by format alone.",
        "less than a third of the length at the start",
    ),
    "groups_agree": Meaning(
        "warning",
        "most groups of answers get one and the same reward, and teach nothing",
        "Raise the temperature, or use tasks that are neither solved nor hopeless.",
        "four fifths of the groups (DAPO, Yu et al. 2025, leaves such groups out)",
    ),
    "answers_unfinished": Meaning(
        "warning",
        "half of the answers are cut",
        "Raise max_new_tokens, or penalise length.",
        "half of the answers of ten points",
    ),
}
