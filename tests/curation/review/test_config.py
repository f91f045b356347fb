"""What a recipe may say about reviews."""

from typing import Any

import pytest

from curation.errors import ConfigError
from curation.review.config import ReviewConfig


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"accept": "automatic"}, "accept"),
        ({"policy": "sample", "share": 0.0}, "share"),
        ({"policy": "sample", "share": 1.5}, "share"),
        ({"automatic": ("length", "length")}, "automatic"),
        ({"rubric": "  \n"}, "rubric"),
        ({"rubric": "x" * 20_001}, "rubric"),
    ],
)
def test_impossible_combinations_are_refused_by_name(values: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError, match=f"^{field}: "):
        ReviewConfig(**values)


def test_the_rubric_version_follows_the_rubric() -> None:
    assert ReviewConfig().rubric_version == ReviewConfig(policy="none").rubric_version
    assert ReviewConfig().rubric_version != ReviewConfig(rubric="Be strict.").rubric_version
