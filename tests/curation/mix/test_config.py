"""Wrong values are refused with the value received; sources are checked where they are known."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from curation.errors import ConfigError
from curation.mix.config import MixConfig, SelectionConfig


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"keep": 0}, "keep: must be at least 1"),
        ({"keep": 1.5}, "share above 0 and at most 1"),
        ({"keep": 0.0}, "share above 0"),
        ({"keep": True}, "number of rows or a share"),
        ({"keep": 10, "quotas": {"a": 11}}, "more rows than keep"),
        ({"keep": 10, "quotas": {"a": 0.6, "b": 0.6}}, "add up"),
        ({"quotas": {"a": 5}}, "no effect without keep"),
        ({"keep": 5, "quotas": {"a": -1}}, "at least 0"),
        ({"min_distance": 1.0}, "min_distance"),
        ({"relevance": 2.0}, "relevance"),
        ({"quality_weight": -1.0}, "quality_weight"),
        ({"seed": -1}, "seed"),
    ],
)
def test_wrong_selections_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SelectionConfig(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"weights": {"a": 0.0}}, r"weights\.a: must be above 0"),
        ({"weights": {"a": float("nan")}}, "above 0"),
        ({"epochs": {"a": 0.0}}, r"epochs\.a"),
        ({"replay_epochs": 0.0}, "replay_epochs"),
        ({"replay_share": 1.0}, "replay_share"),
        ({"replay_sources": ("a",)}, "no effect"),
        ({"replay_sources": ("a", "a"), "replay_share": 0.1}, "twice"),
        ({"replay_sources": ("a",), "replay_share": 0.1, "weights": {"a": 1.0}}, "must not name"),
        ({"max_tokens": 0}, "max_tokens"),
    ],
)
def test_wrong_mixes_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MixConfig(**fields)


def test_yaml_builds_them_strictly() -> None:
    keep = TypeAdapter(SelectionConfig).validate_json
    assert keep('{"keep": 1000}') == SelectionConfig(keep=1000)
    assert keep('{"keep": 0.2, "quotas": {"a": 3, "b": 0.5}}').quotas == {"a": 3, "b": 0.5}
    assert isinstance(keep('{"keep": 1}').keep, int)
    assert isinstance(keep('{"keep": 1.0}').keep, float)
    with pytest.raises(ValueError, match="keep"):
        keep('{"keep": "1000"}')
    mix = TypeAdapter(MixConfig).validate_json('{"weights": {"a": 3, "b": 1}, "replay_sources": ["g"], "replay_share": 0.05}')
    assert mix == MixConfig(weights={"a": 3.0, "b": 1.0}, replay_sources=("g",), replay_share=0.05)


def test_sources_that_do_not_exist_or_have_no_weight_are_named() -> None:
    MixConfig(epochs={"faq": 2.0}).check_sources(["faq", "docs"])
    MixConfig(weights={"faq": 1.0}, replay_sources=("general",), replay_share=0.1).check_sources(["faq", "general"])
    with pytest.raises(ConfigError, match="did you mean faq"):
        MixConfig(epochs={"fag": 2.0}).check_sources(["faq", "docs"])
    with pytest.raises(ConfigError, match="every source a weight"):
        MixConfig(weights={"faq": 1.0}).check_sources(["faq", "docs"])
    with pytest.raises(ConfigError, match="replay_sources"):
        MixConfig(replay_sources=("x",), replay_share=0.1).check_sources([])
