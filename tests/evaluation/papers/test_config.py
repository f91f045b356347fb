from typing import Any

import pytest

from curation.errors import ConfigError
from evaluation.papers.config import PapersConfig


@pytest.mark.parametrize(
    "wrong",
    [
        {"languages": ("English",)},
        {"languages": ("EN",)},
        {"openlineage": "marquez"},
        {"openlineage": "ftp://x"},
        {"download_url": "javascript:alert(1)"},
        {"download_url": "https://a b"},
        {"watts_per_device": 0.0},
        {"grid_grams_per_kwh": 380.0},
        {"limits": ("", "x")},
        {"intended_use": "x" * 5000},
    ],
)
def test_what_cannot_be_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"papers.{next(iter(wrong))}"):
        PapersConfig(**wrong)


def test_nothing_has_to_be_stated() -> None:
    assert PapersConfig() == PapersConfig(openlineage="")
    assert PapersConfig(openlineage="http://marquez:5000").openlineage
