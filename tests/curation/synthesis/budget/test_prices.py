"""Prices are exact, the recipe's go first, and what nobody knows is unknown and not free."""

import datetime
from decimal import Decimal
from typing import Any

import pytest
import yaml

from curation.chat_model import ChatReply
from curation.synthesis.budget.prices import FREE, TABLE, Price, find_entry, find_price, table_version
from curation.synthesis.teachers.config import TeacherConfig


def openai(model: str = "m", **settings: Any) -> TeacherConfig:
    return TeacherConfig(kind="openai", model=model, **settings)


@pytest.mark.parametrize("price", [0.15, "0.15"])
def test_prices_of_the_recipe_are_exact(price: float | str) -> None:
    found = find_price(openai(price_input_usd_per_million=price, price_output_usd_per_million="0.6"))
    assert found is not None
    assert found.cost(prompt_tokens=10**6, completion_tokens=1) == Decimal("0.1500006")
    assert found.version == "recipe"
    costs = [found.cost(prompt_tokens=1, completion_tokens=0)] * 10**4
    assert sum(costs) == Decimal("0.0015")


def test_an_unknown_price_is_not_zero() -> None:
    assert find_price(openai("unheard-of")) is None
    assert find_price(openai("gpt-6-sol", base_url="http://127.0.0.1:8000/v1")) is None
    assert find_price(TeacherConfig()) is FREE
    free = find_price(openai(price_input_usd_per_million=0, price_output_usd_per_million=0))
    assert free is not None
    assert free.cost(prompt_tokens=5, completion_tokens=5) == 0


def test_the_table_holds_for_its_endpoint_and_gives_way_to_the_recipe() -> None:
    found = find_price(openai("gpt-4.1-mini"))
    assert found is not None
    assert (found.input_usd, found.cached_input_usd, found.output_usd) == (Decimal("0.40"), Decimal("0.10"), Decimal("1.60"))
    assert found.version == table_version()
    own = find_price(openai("gpt-4.1-mini", price_input_usd_per_million=1, price_output_usd_per_million=2))
    assert own is not None
    assert own.input_usd == 1


def test_cached_tokens_batches_and_long_prompts() -> None:
    price = Price(
        input_usd=Decimal(4),
        output_usd=Decimal(10),
        cached_input_usd=Decimal(1),
        batch_factor=Decimal("0.5"),
        long_above_tokens=2_000_000,
        long_input_factor=Decimal(2),
        long_output_factor=Decimal("1.5"),
    )
    reply = ChatReply(text="", prompt_tokens=2_000_000, completion_tokens=1_000_000, cached_prompt_tokens=500_000)
    assert price.cost_of(reply) == Decimal("6") + Decimal("0.5") + 10
    assert price.cost_of(reply, is_batch=True) == Decimal("8.25")
    assert price.cost(prompt_tokens=3_000_000, completion_tokens=1_000_000) == 24 + 15
    assert price.cost(prompt_tokens=1_000_000, completion_tokens=0, cached_prompt_tokens=9_000_000) == 1


def test_where_writing_to_the_cache_costs_extra_the_cost_is_an_upper_bound() -> None:
    found = find_price(openai("gpt-6-luna"))
    assert found is not None
    assert found.input_usd == Decimal("0.125")


def test_every_entry_of_the_table_says_where_it_comes_from() -> None:
    table = yaml.safe_load(TABLE.read_text())
    datetime.date.fromisoformat(table["version"])
    for entry in table["entries"]:
        assert entry["source"].startswith("https://")
        assert entry["date"] <= table["version"]
        assert ("input" in entry) == ("output" in entry)
        assert "input" in entry or "shutdown_date" in entry
        found = find_entry(openai(entry["models"][0]))
        assert found == entry
        if "shutdown_date" in entry:
            datetime.date.fromisoformat(entry["shutdown_date"])
