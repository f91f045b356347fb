"""Which teacher writes synthetic examples, or which teachers.

teacher: {kind: openai, model: qwen3, base_url: "http://127.0.0.1:8000/v1"}

teachers:                                                  # instead of `teacher`
  - {kind: openai, model: gpt-6-luna, weight: 3}
  - {kind: openai, model: qwen3, base_url: "http://127.0.0.1:8000/v1", price_input_usd_per_million: 0, ...}
  - {kind: openai, model: gpt-6-sol, weight: 0}            # only when the others do not answer
"""

import datetime
import re
from collections.abc import Sequence
from dataclasses import field
from decimal import Decimal, InvalidOperation
from typing import Any, Literal
from urllib.parse import urlsplit

from curation.config import check, config
from curation.ids import canonical_json

OPENAI_URL = "https://api.openai.com/v1"
"""Where `kind: openai` goes without a `base_url`."""


PRICE_FIELDS = (
    "price_input_usd_per_million",
    "price_output_usd_per_million",
    "price_cached_input_usd_per_million",
    "price_batch_factor",
)
_OWN_PARAMETERS = frozenset(
    {"model", "messages", "stream", "stream_options", "response_format", "temperature", "seed", "n"}
) | {
    "max_tokens",
    "max_completion_tokens",
    "tools",
}


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

    name: str = ""
    """Your name for the teacher in reports, needed where two teachers have the same model. Default: the model."""

    weight: float = 1.0
    """Share of the asks that go to it first, relative to the other teachers. 0: only when the others do not answer; several
    of those take their turns in the order of the recipe."""

    temperature: float | None = 0.7
    """Sampling temperature, 0 to 2 (kind `openai`). Null: none is sent, for models that take none."""

    max_tokens: int = 512
    """Longest reply in tokens (kind `openai`). A reply that is cut off is rejected."""

    parameters: dict[str, Any] = field(default_factory=dict)
    """Further parameters, sent as they are (`reasoning_effort: low`, `top_p: 0.9`). Replies depend on them."""

    structured_output: Literal["auto", "json_schema", "json_object", "none"] = "auto"
    """How the shape of a reply is asked for beside the prompt: by JSON Schema, as any JSON, or not at all. `auto` asks by
    schema until the endpoint refuses. Replies are checked in any case."""

    stream: bool = False
    """Whether replies are received as they are written, for endpoints that cut long silences."""

    timeout_seconds: float = 60.0
    """Longest time for one attempt, from connecting to the last byte."""

    max_timeout_seconds: float | None = None
    """How far that time may grow at an endpoint that turns out to be slow. Null: it does not grow."""

    concurrency: int = 8
    """Requests in flight at once."""

    max_attempts: int = 4
    """Attempts for each request before its row is rejected."""

    requests_per_minute: int | None = None
    """Most requests a minute that the endpoint is known to allow. Null: found out."""

    tokens_per_minute: int | None = None
    """Most tokens a minute that the endpoint is known to allow. Null: found out."""

    price_input_usd_per_million: float | str | None = None
    """Price of a million prompt tokens, as a number or exact text (`"0.15"`). Null: that of the price table; if that lacks the
    model, the cost is unknown and said to be so. 0 states that the endpoint costs nothing."""

    price_output_usd_per_million: float | str | None = None
    """Price of a million reply tokens; both or none of the two."""

    price_cached_input_usd_per_million: float | str | None = None
    """Price of a million prompt tokens that the endpoint had in its cache. Null: the price of others."""

    price_batch_factor: float | str | None = None
    """What a call in a batch costs, as a share of a live one. Null: as much as live."""

    output_terms: str = ""
    """What the teacher's terms allow its replies to be used for, copied into every row beside the terms of the source."""

    terms_url: str = ""
    """Where these terms can be read."""

    shutdown_date: str = ""
    """Day (`2027-01-14`) on which the model is withdrawn. Empty: that of the price table, if it knows one."""

    def __post_init__(self) -> None:
        is_openai = self.kind == "openai"
        check(not is_openai or self.model.strip() != "", "model", "is required for kind 'openai'", self.model)
        check(is_openai or self.model == "", "model", "has no effect for kind 'extractive'", self.model)
        check(is_openai or self.base_url is None, "base_url", "has no effect for kind 'extractive'", self.base_url)
        if not is_openai:
            self._check_without_model()
        self._check_address()
        self._check_sampling()
        check(0 <= self.weight <= 1e6, "weight", "must not be negative", self.weight)
        check(1 <= self.max_tokens <= 1_000_000, "max_tokens", "must lie in 1..1000000", self.max_tokens)
        check(0 < self.timeout_seconds <= 3600, "timeout_seconds", "must lie in (0, 3600]", self.timeout_seconds)
        check(1 <= self.concurrency <= 256, "concurrency", "must lie in 1..256", self.concurrency)
        check(1 <= self.max_attempts <= 20, "max_attempts", "must lie in 1..20", self.max_attempts)
        longest = self.max_timeout_seconds
        fits = longest is None or self.timeout_seconds <= longest <= 3600
        check(fits, "max_timeout_seconds", "must lie between timeout_seconds and 3600", longest)
        for name in ("requests_per_minute", "tokens_per_minute"):
            cap = getattr(self, name)
            check(cap is None or 1 <= cap <= 10**12, name, "must be at least 1", cap)
        self._check_prices()
        is_day = self.shutdown_date == "" or _is_day(self.shutdown_date)
        check(is_day, "shutdown_date", "must be a day such as 2027-01-14", self.shutdown_date)
        is_url = self.terms_url == "" or urlsplit(self.terms_url).scheme in ("http", "https")
        check(is_url, "terms_url", "must be the address of a page", self.terms_url)

    def _check_without_model(self) -> None:
        """Refuse what only a model has."""
        unset = {"parameters": {}, "structured_output": "auto", "stream": False, "terms_url": "", "shutdown_date": ""}
        names = ("max_timeout_seconds", "requests_per_minute", "tokens_per_minute", *PRICE_FIELDS)
        for name, value in (unset | dict.fromkeys(names)).items():
            check(getattr(self, name) == value, name, "has no effect for kind 'extractive'", getattr(self, name))

    def _check_sampling(self) -> None:
        is_fit = self.temperature is None or 0 <= self.temperature <= 2
        check(is_fit, "temperature", "must lie in 0..2", self.temperature)
        for name, value in self.parameters.items():
            is_name = re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name) is not None
            check(is_name, "parameters", "must have names such as top_p", name)
            check(name not in _OWN_PARAMETERS, f"parameters.{name}", "is set by a field of its own or by the program", value)
            check(_is_json(value), f"parameters.{name}", "must be plain JSON", value)

    def _check_prices(self) -> None:
        for name in PRICE_FIELDS:
            problem = "must be an amount such as 0.15, not negative"
            check(getattr(self, name) is None or _is_amount(getattr(self, name)), name, problem, getattr(self, name))
        first, second, *others = PRICE_FIELDS
        is_whole = (getattr(self, first) is None) == (getattr(self, second) is None)
        check(is_whole, first, f"needs {second} beside it, and the other way round", getattr(self, first))
        for name in others:
            has_effect = getattr(self, name) is None or getattr(self, first) is not None
            check(has_effect, name, f"has no effect without {first}", getattr(self, name))

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
    def label(self) -> str:
        """What reports call this teacher."""
        return self.name or self.model or self.kind

    @property
    def endpoint(self) -> str:
        """The address that requests go to; `local` for the extractive teacher."""
        return "local" if self.kind == "extractive" else (self.base_url or OPENAI_URL).rstrip("/")


def check_teachers(teachers: Sequence[TeacherConfig]) -> None:
    """Check that several teachers can work side by side.

    Raises:
        ConfigError: there is none, two have the same name, or all are only there for when others fail.
    """
    check(bool(teachers), "teachers", "needs at least one teacher", [])
    labels = [teacher.label for teacher in teachers]
    check(len(set(labels)) == len(labels), "teachers", "must have different names: set `name`", labels)
    has_weight = any(teacher.weight > 0 for teacher in teachers)
    check(has_weight, "teachers", "needs a weight above 0 somewhere", [teacher.weight for teacher in teachers])


def _is_amount(value: float | str) -> bool:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return False
    return amount.is_finite() and 0 <= amount < 10**6


def _is_day(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_json(value: Any) -> bool:
    try:
        canonical_json(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
