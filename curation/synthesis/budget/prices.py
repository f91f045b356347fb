"""What a call costs: exact decimal prices from the recipe or from a dated table, or the knowledge that nobody knows.

    price = find_price(TeacherConfig(kind="openai", model="gpt-6-luna"))
    price.cost(prompt_tokens=1000, completion_tokens=200)          Decimal('0.000225')
    price.version                                                  'prices.yaml 2026-11-29'
    find_price(TeacherConfig(kind="openai", model="unheard-of"))   None: unknown, which is not the same as free

Prices in the recipe go before the table `prices.yaml`, which holds for the endpoint that it names only.
"""

import dataclasses
import fnmatch
import functools
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from curation.chat_model import ChatReply
from curation.synthesis.teachers.config import TeacherConfig

TABLE = Path(__file__).parent / "prices.yaml"
RECIPE_VERSION = "recipe"
_MILLION = Decimal(10**6)


@dataclass(frozen=True, kw_only=True)
class Price:
    """Dollars for a million tokens of one model."""

    input_usd: Decimal
    """Prompt tokens that were not in the endpoint's cache."""
    output_usd: Decimal
    cached_input_usd: Decimal
    batch_factor: Decimal = Decimal(1)
    """What a call in a batch costs, as a share of a live one."""
    long_above_tokens: int | None = None
    """Prompts of more tokens cost more, by these factors."""
    long_input_factor: Decimal = Decimal(1)
    long_output_factor: Decimal = Decimal(1)
    version: str = RECIPE_VERSION
    """Where the price comes from: the recipe, or the table and its date."""

    def cost(
        self, *, prompt_tokens: int, completion_tokens: int, cached_prompt_tokens: int = 0, is_batch: bool = False
    ) -> Decimal:
        """Return dollars, exact. Cached tokens are counted among the prompt tokens as well, as endpoints do."""
        is_long = self.long_above_tokens is not None and prompt_tokens > self.long_above_tokens
        cached = min(max(cached_prompt_tokens, 0), prompt_tokens)
        prompt = (prompt_tokens - cached) * self.input_usd + cached * self.cached_input_usd
        completion = completion_tokens * self.output_usd
        if is_long:
            prompt, completion = prompt * self.long_input_factor, completion * self.long_output_factor
        return (prompt + completion) / _MILLION * (self.batch_factor if is_batch else 1)

    def most(self, *, prompt_tokens: int, completion_tokens: int) -> Decimal:
        """Return the most that so many tokens can cost."""
        dearest = max(self.input_usd, self.cached_input_usd)
        worst = dataclasses.replace(self, input_usd=dearest, cached_input_usd=dearest)
        return worst.cost(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)

    @property
    def is_charged(self) -> bool:
        """Whether anything costs money."""
        return max(self.input_usd, self.output_usd) > 0

    def cost_of(self, reply: ChatReply, *, is_batch: bool = False) -> Decimal:
        """Return what a reply cost."""
        return self.cost(
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            cached_prompt_tokens=reply.cached_prompt_tokens,
            is_batch=is_batch,
        )


FREE = Price(input_usd=Decimal(0), output_usd=Decimal(0), cached_input_usd=Decimal(0), version="rules")
"""What the extractive teacher costs."""


def find_price(config: TeacherConfig) -> Price | None:
    """Return the price of a teacher, or None if neither the recipe nor the table knows it."""
    if config.kind == "extractive":
        return FREE
    if config.price_input_usd_per_million is not None:
        return _price_of_recipe(config)
    entry = find_entry(config)
    return _price_of_entry(entry, table_version()) if entry is not None and "input" in entry else None


def find_entry(config: TeacherConfig) -> dict[str, Any] | None:
    """Return what the table holds about the model at its endpoint."""
    for entry in _read_table()["entries"]:
        is_there = entry["endpoint"] == config.endpoint
        if is_there and any(fnmatch.fnmatchcase(config.model, pattern) for pattern in entry["models"]):
            return dict(entry)
    return None


def table_version() -> str:
    """Return the name of the price table with its date."""
    return f"{TABLE.name} {_read_table()['version']}"


@functools.cache
def _read_table() -> Any:
    import yaml

    return yaml.safe_load(TABLE.read_text(encoding="utf-8"))


def _price_of_recipe(config: TeacherConfig) -> Price:
    cached, factor = config.price_cached_input_usd_per_million, config.price_batch_factor
    prompt = _exact(config.price_input_usd_per_million)
    return Price(
        input_usd=prompt,
        output_usd=_exact(config.price_output_usd_per_million),
        cached_input_usd=prompt if cached is None else _exact(cached),
        batch_factor=Decimal(1) if factor is None else _exact(factor),
    )


def _price_of_entry(entry: dict[str, Any], version: str) -> Price:
    long = entry.get("long_prompt", {})
    return Price(
        input_usd=_exact(entry.get("cache_write", entry["input"])),
        output_usd=_exact(entry["output"]),
        cached_input_usd=_exact(entry.get("cached_input", entry["input"])),
        batch_factor=_exact(entry.get("batch_factor", 1)),
        long_above_tokens=long.get("above_tokens"),
        long_input_factor=_exact(long.get("input_factor", 1)),
        long_output_factor=_exact(long.get("output_factor", 1)),
        version=version,
    )


def _exact(value: Any) -> Decimal:
    """Return the number as it was written: 0.15 becomes 0.15, and not the float nearest to it."""
    return Decimal(str(value))
