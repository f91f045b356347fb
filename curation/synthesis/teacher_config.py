"""Which teacher writes synthetic examples.

teacher: {kind: openai, model: gpt-5-mini, base_url: "http://127.0.0.1:8000/v1"}
"""

import re
from typing import Literal
from urllib.parse import urlsplit

from curation.config import check, config

OPENAI_URL = "https://api.openai.com/v1"
"""Where `kind: openai` goes without a `base_url`."""


@config
class TeacherConfig:
    """The model that writes examples."""

    kind: Literal["extractive", "openai"] = "extractive"
    """`extractive` needs no model and no key: it rephrases the documents by rule, and says so in every row. `openai` is any
    OpenAI-compatible endpoint: OpenAI, vLLM, Ollama, LM Studio, `transformers serve`."""

    model: str = ""
    """Model name as the endpoint knows it (kind `openai`)."""

    base_url: str | None = None
    """Address of the endpoint, with `/v1`. Default: OpenAI. One on this machine needs no key."""

    api_key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key. The key itself never stands in a recipe."""

    revision: str = ""
    """Your name for the version of the model behind the endpoint. Replies of another revision are not reused."""

    temperature: float = 0.7
    """Sampling temperature, 0 to 2 (kind `openai`)."""

    max_tokens: int = 512
    """Longest reply in tokens (kind `openai`). A reply that is cut off is rejected."""

    timeout_seconds: float = 60.0
    """Longest time for one attempt, from connecting to the last byte."""

    concurrency: int = 8
    """Requests in flight at once."""

    max_attempts: int = 4
    """Attempts for each request before its row is rejected."""

    price_input_usd_per_million: float = 0.0
    """Price of a million prompt tokens, for the cost that is reported."""

    price_output_usd_per_million: float = 0.0
    """Price of a million reply tokens."""

    output_terms: str = ""
    """What the teacher's terms allow its replies to be used for, copied into every row beside the terms of the source."""

    def __post_init__(self) -> None:
        is_openai = self.kind == "openai"
        check(not is_openai or self.model.strip() != "", "model", "is required for kind 'openai'", self.model)
        check(is_openai or self.model == "", "model", "has no effect for kind 'extractive'", self.model)
        check(is_openai or self.base_url is None, "base_url", "has no effect for kind 'extractive'", self.base_url)
        self._check_address()
        check(0 <= self.temperature <= 2, "temperature", "must lie in 0..2", self.temperature)
        check(1 <= self.max_tokens <= 1_000_000, "max_tokens", "must lie in 1..1000000", self.max_tokens)
        check(0 < self.timeout_seconds <= 3600, "timeout_seconds", "must lie in (0, 3600]", self.timeout_seconds)
        check(1 <= self.concurrency <= 256, "concurrency", "must lie in 1..256", self.concurrency)
        check(1 <= self.max_attempts <= 20, "max_attempts", "must lie in 1..20", self.max_attempts)
        for name in ("price_input_usd_per_million", "price_output_usd_per_million"):
            check(0 <= getattr(self, name) < 1e6, name, "must not be negative", getattr(self, name))

    def _check_address(self) -> None:
        is_name = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", self.api_key_env) is not None
        problem = "must be the NAME of an environment variable, never a key"
        check(is_name and not self.api_key_env.startswith("sk_"), "api_key_env", problem, "(not shown)")
        if self.base_url is not None:
            url = urlsplit(self.base_url)
            is_http = url.scheme in ("http", "https") and bool(url.hostname)
            check("@" not in self.base_url, "base_url", "must not hold a user name or password", "(not shown)")
            check(is_http, "base_url", "must be an address such as http://127.0.0.1:8000/v1", self.base_url)
            check(not url.query and not url.fragment, "base_url", "must end with the path", self.base_url)

    @property
    def endpoint(self) -> str:
        """The address that requests go to; `local` for the extractive teacher."""
        return "local" if self.kind == "extractive" else (self.base_url or OPENAI_URL).rstrip("/")
