"""What has to be reviewed, and whose verdicts count.

ReviewConfig(policy="sample", share=0.2, accept="human", automatic=("source_span", "length"))
"""

import functools
from typing import Literal

from curation.config import check, config
from curation.ids import content_hash

Policy = Literal["none", "sample", "all"]
Accept = Literal["human", "automatic"]
Rule = Literal["source_span", "answer_format", "length"]

DEFAULT_RUBRIC = "\n".join(
    (
        "Approve an answer that is right, rests on the source shown here, and has the format that the question asks for.",
        "Edit it when a small change makes it right.",
        "Reject it when the question is unclear, or when the source supports no answer.",
        "Of two answers, prefer the one that you want the model to give. Call it a tie when neither is better, and both bad"
        " when the model should learn neither.",
    )
)

MAX_RUBRIC_CHARS = 20_000


@config
class ReviewConfig:
    """Which rows need a verdict before anything is trained on them, and who may give it."""

    policy: Policy = "all"
    """`all`: every row needs a verdict; `sample`: a stable share of the rows; `none`: no row (and none is asked for)."""

    share: float = 0.1
    """Share of the rows that `sample` takes, in (0, 1]. A row stays in or out as others come and go."""

    accept: Accept = "human"
    """Whose verdicts open the gate. `automatic` lets automatic reviewers decide where no person has; a person outranks them."""

    automatic: tuple[Rule, ...] = ()
    """Automatic reviewers that vote on every item: `source_span`, `answer_format`, `length`."""

    rubric: str = DEFAULT_RUBRIC
    """What reviewers are told. Changing it returns every item to the queue, since it changes what was judged."""

    def __post_init__(self) -> None:
        check(0 < self.share <= 1, "share", "must lie in (0, 1]; choose `policy: none` to review nothing", self.share)
        check(len(set(self.automatic)) == len(self.automatic), "automatic", "names a reviewer twice", self.automatic)
        check(
            self.accept == "human" or bool(self.automatic),
            "accept",
            "`automatic` needs at least one automatic reviewer, or no row would ever be accepted",
            self.accept,
        )
        check(bool(self.rubric.strip()), "rubric", "must say something to the reviewers", self.rubric)
        check(
            len(self.rubric) <= MAX_RUBRIC_CHARS, "rubric", f"must have at most {MAX_RUBRIC_CHARS} characters", len(self.rubric)
        )

    @property
    def rubric_version(self) -> str:
        """A short hash of the rubric; it is part of the key of every review item."""
        return _version(self.rubric)


@functools.lru_cache(maxsize=64)
def _version(rubric: str) -> str:
    return content_hash(rubric)[:12]
