"""Where a served model is evaluated: address, name, and how patiently it is asked.

evaluation:
  comparators: [base, candidate, endpoint]
  endpoint: {model: sft, base_url: "http://127.0.0.1:8000/v1", revision: "2026-11-30"}
"""

import dataclasses
from dataclasses import field
from typing import Any

from curation.config import check, config
from curation.synthesis.teachers.config import TeacherConfig


@config
class EndpointConfig:
    """A model that is evaluated where it is served."""

    model: str
    """Model name as the endpoint knows it."""

    base_url: str
    """Address of the endpoint, with `/v1`. One on this machine needs no key."""

    api_key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key. The key itself never stands in a recipe."""

    revision: str = ""
    """Your name for the version that is served. Answers of another revision are not used again: change it when you deploy."""

    temperature: float | None = 0.0
    """Null: none is sent, for models that take none."""

    parameters: dict[str, Any] = field(default_factory=dict)
    """Further parameters, sent as they are (`reasoning_effort: low`)."""

    timeout_seconds: float = 120.0
    """Longest time for one attempt, from connecting to the last byte."""

    concurrency: int = 16
    """Requests in flight at once, at most."""

    max_attempts: int = 5
    """Attempts for each item before it counts as an error."""

    price_input_usd_per_million: float | str | None = None
    """Price of a million prompt tokens; null: that of the price table, if it knows the model."""

    price_output_usd_per_million: float | str | None = None
    """Price of a million tokens of answers; both or none of the two."""

    def __post_init__(self) -> None:
        check(self.base_url.strip() != "", "base_url", "is required", self.base_url)
        self.as_teacher(max_new_tokens=1)

    def as_teacher(self, *, max_new_tokens: int) -> TeacherConfig:
        """Return the same endpoint as the engine for teachers knows it. Raises ConfigError."""
        own = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return TeacherConfig(kind="openai", max_tokens=max_new_tokens, structured_output="none", **own)
