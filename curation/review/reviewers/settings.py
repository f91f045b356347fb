"""What a recipe wants of its reviewers and its judge, kept in the review database, where the pages can read it.

store_settings(queue, ReviewerSettings.of(config.review, judge=recipe.judge))      whenever items are put into the queue
read_settings(queue).gold_floor                                                    0.7
"""

import json
from dataclasses import asdict, dataclass
from typing import Self

import sqlalchemy as sa

from curation.judging.config import JudgeConfig
from curation.review.config import ReviewConfig
from curation.review.queue import ReviewQueue
from curation.review.reviewers import tables


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewerSettings:
    """What is asked of reviewers, and when a judge is believed. Without a judge nobody is given advice."""

    gold_share: float = 0.0
    gold_floor: float = 0.7
    has_judge: bool = False
    lowest: float = 1.0
    highest: float = 5.0
    approve_from: float = 4.0
    kappa_floor: float = 0.4
    min_labels: int = 50

    @classmethod
    def of(cls, review: ReviewConfig, judge: JudgeConfig | None = None) -> Self:
        """Return what these parts of a recipe say."""
        said = cls(gold_share=review.gold_share, gold_floor=review.gold_floor)
        if judge is None:
            return said
        names = ("lowest", "highest", "approve_from", "kappa_floor", "min_labels")
        return cls(**asdict(said) | {"has_judge": True} | {name: getattr(judge, name) for name in names})


def store_settings(queue: ReviewQueue, settings: ReviewerSettings) -> None:
    """Keep the settings of a recipe, in place of those before. Raises DatabaseError."""
    values = {"recipe": queue.recipe, "settings": json.dumps(asdict(settings), sort_keys=True)}
    queue.database.write(lambda connection: connection.execute(_PUT, values))


def read_settings(queue: ReviewQueue) -> ReviewerSettings:
    """Return the settings of a recipe; the defaults if none were stored. Raises DatabaseError."""
    table = tables.settings.c
    with queue.database.read() as connection:
        text = connection.execute(sa.select(table.settings).where(table.recipe == queue.recipe)).scalar_one_or_none()
    known = ReviewerSettings.__dataclass_fields__
    return ReviewerSettings(**{name: value for name, value in json.loads(text or "{}").items() if name in known})


_PUT = sa.text(
    "INSERT INTO review_reviewer_settings (recipe, settings) VALUES (:recipe, :settings)"
    " ON CONFLICT (recipe) DO UPDATE SET settings = excluded.settings"
)
