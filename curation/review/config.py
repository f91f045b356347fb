"""What has to be reviewed, and whose verdicts count.

ReviewConfig(policy="sample", share=0.2, accept="human", automatic=("source_span", "length"))
"""

import functools
from typing import Literal

from curation.config import check, config
from curation.ids import content_hash
from curation.review.lots.config import LotConfig

Policy = Literal["none", "sample", "all"]
DocumentPolicy = Literal["none", "sample", "all", "flagged"]
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
MAX_OVERLAP = 9


@config
class ReviewConfig:
    """Which rows need a verdict before anything is trained on them, and who may give it."""

    policy: Policy = "all"
    """`all`: every row needs a verdict; `sample`: a stable share of the rows; `none`: no row (and none is asked for)."""

    documents: DocumentPolicy = "none"
    """Which source documents need a verdict of a person: `all`, a stable `sample` (see `share`), `none`, or those in which
    personal data was found or whose terms do not allow the use (`flagged`). Nothing that rests on a rejected one is used."""

    share: float = 0.1
    """Share of the rows (and documents) that `sample` takes, in (0, 1]. A row stays in or out as others come and go."""

    accept: Accept = "human"
    """Whose verdicts open the gate. `automatic` lets automatic reviewers decide where no person has; a person outranks them."""

    automatic: tuple[Rule, ...] = ()
    """Automatic reviewers that vote on every item: `source_span`, `answer_format`, `length`."""

    overlap: int = 1
    """How many different people decide each item. Where they do not all say the same, an adjudicator decides."""

    lease_minutes: float = 10.0
    """How long an item is kept for whoever opened it; the page renews this while it is open."""

    gold_share: float = 0.0
    """Share of what reviewers are served whose right decision is known, to see how well they look; 0 to 0.5."""

    gold_floor: float = 0.7
    """Share of those that a reviewer has to get right; below it, their recent verdicts should be given again."""

    lots: LotConfig | None = None
    """Acceptance sampling: a random sample of every lot is reviewed, and all of a lot whose sample fails. Null: every item
    that the policy names needs a verdict. Needs `policy: all` and `accept: human`."""

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
        check(1 <= self.overlap <= MAX_OVERLAP, "overlap", f"must be 1 to {MAX_OVERLAP}", self.overlap)
        check(0.5 <= self.lease_minutes <= 1440, "lease_minutes", "must be 0.5 to 1440", self.lease_minutes)
        check(0 <= self.gold_share <= 0.5, "gold_share", "must lie in [0, 0.5]", self.gold_share)
        check(0 < self.gold_floor < 1, "gold_floor", "must lie between 0 and 1", self.gold_floor)
        check(self.lots is None or self.policy == "all", "lots", "needs `policy: all`: lots say what is sampled", self.policy)
        check(self.lots is None or self.accept == "human", "lots", "needs `accept: human`: people judge samples", self.accept)
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
