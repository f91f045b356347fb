"""How requests are asked in batches, at a lower price and with patience.

batch: {deadline_hours: 24, max_attempts: 2}
"""

from curation.config import check, config


@config
class BatchConfig:
    """Batches of requests at an endpoint with OpenAI's files and batches."""

    deadline_hours: float = 24.0
    """How long after it was first submitted a request may wait. Then its batch is cancelled, what it has answered is kept, and
    the rest is asked live."""

    max_attempts: int = 2
    """Batches that a request may be part of without a reply, before it is asked live."""

    max_requests: int = 50_000
    """Most requests in one batch; OpenAI allows 50,000."""

    max_megabytes: int = 190
    """Largest file of requests; OpenAI allows 200 MB."""

    def __post_init__(self) -> None:
        check(0 < self.deadline_hours <= 24 * 14, "deadline_hours", "must lie in (0, 336]", self.deadline_hours)
        check(1 <= self.max_attempts <= 20, "max_attempts", "must lie in 1..20", self.max_attempts)
        check(1 <= self.max_requests <= 50_000, "max_requests", "must lie in 1..50000", self.max_requests)
        check(1 <= self.max_megabytes <= 200, "max_megabytes", "must lie in 1..200", self.max_megabytes)
