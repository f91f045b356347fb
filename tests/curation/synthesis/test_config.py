"""What a recipe may say about the teacher and about generation."""

from typing import Any

import pytest

from curation.errors import ConfigError
from curation.synthesis.config import GenerateConfig, PairsConfig
from curation.synthesis.methods.grounded_qa import GroundedQaConfig
from curation.synthesis.routes import RoutingConfig
from curation.synthesis.teachers.config import TeacherConfig, check_teachers

ROUTES = {"a": ("x.*",), "b": ("y.*",)}


def test_defaults_need_no_model_and_generate_nothing() -> None:
    assert TeacherConfig().endpoint == "local"
    assert GenerateConfig() == GenerateConfig(routing=None, grounded_qa=None, pairs=None, seed=0)


def test_endpoint_of_an_openai_teacher() -> None:
    assert TeacherConfig(kind="openai", model="m").endpoint == "https://api.openai.com/v1"
    assert TeacherConfig(kind="openai", model="m", base_url="http://127.0.0.1:8000/v1/").endpoint == "http://127.0.0.1:8000/v1"


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ("model", {"kind": "openai"}),
        ("model", {"model": "m"}),
        ("base_url", {"base_url": "http://127.0.0.1/v1"}),
        ("base_url", {"kind": "openai", "model": "m", "base_url": "127.0.0.1:8000"}),
        ("base_url", {"kind": "openai", "model": "m", "base_url": "file:///etc/passwd"}),
        ("base_url", {"kind": "openai", "model": "m", "base_url": "http://u:hunter2@host/v1"}),
        ("base_url", {"kind": "openai", "model": "m", "base_url": "http://host/v1?key=hunter2"}),
        ("api_key_env", {"api_key_env": "sk-hunter2"}),
        ("api_key_env", {"api_key_env": ""}),
        ("temperature", {"temperature": 2.5}),
        ("temperature", {"temperature": float("nan")}),
        ("max_tokens", {"max_tokens": 0}),
        ("timeout_seconds", {"timeout_seconds": 0.0}),
        ("concurrency", {"concurrency": 0}),
        ("max_attempts", {"max_attempts": 0}),
        ("price_input_usd_per_million", {"price_input_usd_per_million": -1.0}),
        ("price_input_usd_per_million", {"kind": "openai", "model": "m", "price_input_usd_per_million": -1.0}),
        ("price_input_usd_per_million", {"kind": "openai", "model": "m", "price_input_usd_per_million": "cheap"}),
        ("price_input_usd_per_million", {"kind": "openai", "model": "m", "price_input_usd_per_million": "NaN"}),
        ("price_input_usd_per_million", {"kind": "openai", "model": "m", "price_output_usd_per_million": "1"}),
        ("price_batch_factor", {"kind": "openai", "model": "m", "price_batch_factor": "0.5"}),
        ("weight", {"weight": -1.0}),
        ("weight", {"weight": float("nan")}),
        ("parameters", {"parameters": {"top_p": 1}}),
        ("parameters", {"kind": "openai", "model": "m", "parameters": {"Top P": 1}}),
        ("parameters.model", {"kind": "openai", "model": "m", "parameters": {"model": "other"}}),
        ("parameters.top_p", {"kind": "openai", "model": "m", "parameters": {"top_p": float("inf")}}),
        ("parameters.top_p", {"kind": "openai", "model": "m", "parameters": {"top_p": object()}}),
        ("stream", {"stream": True}),
        ("max_timeout_seconds", {"kind": "openai", "model": "m", "max_timeout_seconds": 59.0}),
        ("requests_per_minute", {"kind": "openai", "model": "m", "requests_per_minute": 0}),
        ("tokens_per_minute", {"tokens_per_minute": 1000}),
        ("shutdown_date", {"kind": "openai", "model": "m", "shutdown_date": "2027-02-30"}),
        ("shutdown_date", {"kind": "openai", "model": "m", "shutdown_date": "20270114"}),
        ("terms_url", {"kind": "openai", "model": "m", "terms_url": "javascript:alert(1)"}),
    ],
)
def test_impossible_teachers_are_refused_by_field(field: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        TeacherConfig(**settings)
    assert caught.value.fields["path"] == field


def test_several_teachers_need_names_of_their_own_and_a_weight() -> None:
    one, two = (TeacherConfig(kind="openai", model=name) for name in ("m", "n"))
    check_teachers([one, two])
    check_teachers([one, TeacherConfig(kind="openai", model="m", name="again", weight=0.0)])
    for impossible in ([], [one, one], [TeacherConfig(weight=0.0)]):
        with pytest.raises(ConfigError):
            check_teachers(impossible)


@pytest.mark.parametrize("settings", [{"api_key_env": "sk-hunter2"}, {"base_url": "http://u:hunter2@host/v1"}])
def test_a_secret_in_the_wrong_place_is_not_shown(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        TeacherConfig(kind="openai", model="m", **settings)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"routes": {}},
        {"routes": {"a": ("x",)}},
        {"routes": {"a": (), "b": ("y",)}},
        {"routes": {"a": ("",), "b": ("y",)}},
        {"routes": {" a": ("x",), "b": ("y",)}},
        {"routes": {"": ("x",), "b": ("y",)}},
        {"routes": ROUTES, "answer_key": " "},
        {"routes": ROUTES, "questions_per_document": 0},
        {"routes": ROUTES, "questions_per_document": 51},
    ],
)
def test_impossible_routings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        RoutingConfig(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"pairs": PairsConfig(kinds=("wrong_route",))},
        {"pairs": PairsConfig(kinds=("ungrounded",)), "routing": RoutingConfig(routes=ROUTES)},
        {"pairs": PairsConfig(kinds=("wrong_route",)), "grounded_qa": GroundedQaConfig()},
        {"seed": -1},
    ],
)
def test_impossible_combinations_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        GenerateConfig(**settings)


@pytest.mark.parametrize("settings", [{"kinds": ()}, {"kinds": ("wrong_route", "wrong_route")}, {"per_example": 0}])
def test_impossible_pairs_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        PairsConfig(**settings)


@pytest.mark.parametrize("quotas", [{"raft": 5}, {"nothing": 5}, {"grounded_qa": 0}, {"grounded_qa": {}}, {"seed": 3}])
def test_quotas_are_of_methods_in_use(quotas: dict[str, int | dict[str, int]]) -> None:
    with pytest.raises(ConfigError, match="quotas"):
        GenerateConfig(grounded_qa=GroundedQaConfig(), quotas=quotas)
