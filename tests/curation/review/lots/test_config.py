"""What a recipe may say about lots."""

from typing import Any

import pytest

from curation.errors import ConfigError
from curation.review.config import ReviewConfig
from curation.review.lots.config import MAX_CONSUMER_RISK, LotConfig
from curation.review.lots.plan import AcceptancePlan, accept_probability

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"n": 0}, "n"),
        ({"c": 59}, "c"),
        ({"c": -1}, "c"),
        ({"quality_level": 0.0}, "quality_level"),
        ({"n": 44}, "n"),
        ({"max_lot_size": 59}, "max_lot_size"),
    ],
)
def test_impossible_sections_are_refused_by_name(values: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError, match=f"^{field}: "):
        LotConfig(**values)


def test_a_plan_that_promises_too_much_says_how_many_items_it_needs() -> None:
    with pytest.raises(ConfigError, match=r"accepted with a probability of 36%; with c=0 take at least 45"):
        LotConfig(n=20)
    assert accept_probability(LotConfig(n=45).plan, 0.05) <= MAX_CONSUMER_RISK


def test_the_plan_is_that_of_the_section() -> None:
    assert LotConfig(n=93, c=1, max_lot_size=94).plan == AcceptancePlan(n=93, c=1)


@pytest.mark.parametrize(
    "values", [{"policy": "sample"}, {"policy": "none"}, {"accept": "automatic", "automatic": ("length",)}]
)
def test_lots_need_all_rows_and_people(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="^lots: needs "):
        ReviewConfig(lots=LotConfig(), **values)
