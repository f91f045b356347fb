"""Which teacher writes synthetic examples, and which examples it writes.

teacher: {kind: openai, model: gpt-5-mini, base_url: "http://127.0.0.1:8000/v1"}
generate:
  routing:
    questions_per_document: 5
    routes: {strings: ["polars.Expr.str.*", "polars.Series.str.*"], io: ["polars.read_*", "polars.scan_*"]}
  pairs: {per_example: 1, kinds: [wrong_route, wrong_format]}
"""

import re
from typing import Literal
from urllib.parse import urlsplit

from curation.config import check, config

PairKind = Literal["wrong_route", "wrong_format", "ungrounded"]

OPENAI_URL = "https://api.openai.com/v1"
"""Where `kind: openai` goes without a `base_url`."""
MAX_QUESTIONS = 50


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


@config
class RoutingConfig:
    """Questions whose answer is the part of the API that a document belongs to, as compact JSON: {"part":"strings"}."""

    routes: dict[str, tuple[str, ...]]
    """Label -> patterns (`*`, `?`, `[...]`) on the document's title, for packages the qualified name. The first to fit wins."""

    answer_key: str = "part"
    """Key of the answer's JSON object."""

    questions_per_document: int = 5
    """Questions that the teacher is asked for, for each document."""

    system_prompt: str = ""
    """System message of every example; empty: none."""

    def __post_init__(self) -> None:
        check(len(self.routes) >= 2, "routes", "needs at least two labels", list(self.routes))
        for label, patterns in self.routes.items():
            check(label.strip() == label and 0 < len(label) <= 64, "routes", "labels must be short names", label)
            check(bool(patterns) and all(patterns), f"routes.{label}", "needs at least one pattern", list(patterns))
        check(self.answer_key.strip() != "", "answer_key", "must not be empty", self.answer_key)
        _check_count("questions_per_document", self.questions_per_document)


@config
class GroundedQaConfig:
    """Questions with an answer that a verbatim quote from the document supports."""

    questions_per_document: int = 3
    """Questions that the teacher is asked for, for each document."""

    system_prompt: str = ""
    """System message of every example; empty: none."""

    def __post_init__(self) -> None:
        _check_count("questions_per_document", self.questions_per_document)


@config
class PairsConfig:
    """Preference pairs: the example's answer against a plausible wrong one."""

    per_example: int = 1
    """Pairs made from each example."""

    kinds: tuple[PairKind, ...] = ("wrong_route", "wrong_format")
    """What may be wrong: `wrong_route` names another label, `wrong_format` is not the JSON that was asked for, `ungrounded` is
    an answer of the teacher that the source does not support. Kinds that do not fit an example are passed over."""

    def __post_init__(self) -> None:
        check(1 <= self.per_example <= 10, "per_example", "must lie in 1..10", self.per_example)
        distinct = 0 < len(self.kinds) == len(set(self.kinds))
        check(distinct, "kinds", "needs at least one kind, each once", list(self.kinds))


@config
class GenerateConfig:
    """What is generated from the documents; a method that is left out is not used."""

    routing: RoutingConfig | None = None
    """Questions that are routed to a part of the API."""

    grounded_qa: GroundedQaConfig | None = None
    """Questions answered from the document."""

    pairs: PairsConfig | None = None
    """Preference pairs from these examples and from the demonstrations."""

    seed: int = 0
    """Seed of the teacher's sampling and of every choice made here."""

    def __post_init__(self) -> None:
        kinds = self.pairs.kinds if self.pairs else ()
        needs_routing = "wrong_route" in kinds and self.routing is None
        check(not needs_routing, "pairs.kinds", "'wrong_route' needs a `routing` section, which holds the labels", list(kinds))
        needs_answers = "ungrounded" in kinds and self.grounded_qa is None
        check(not needs_answers, "pairs.kinds", "'ungrounded' needs a `grounded_qa` section", list(kinds))
        check(0 <= self.seed < 2**31, "seed", "must lie in 0..2147483647", self.seed)


def _check_count(name: str, value: int) -> None:
    check(1 <= value <= MAX_QUESTIONS, name, f"must lie in 1..{MAX_QUESTIONS}", value)
