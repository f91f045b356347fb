import dataclasses
from pathlib import Path
from typing import Any

import pytest

from curation.errors import ConfigError
from training.config import BaseModelConfig, DaptConfig, LoraConfig, PreferenceConfig, SftConfig, TrainingConfig
from training.spec import RunSpec


def make_spec(**changes: Any) -> RunSpec:
    config = SftConfig(epochs=3, lora=LoraConfig(rank=4))
    values = {"stage": "sft", "config": config, "store_url": "/s", "work_folder": "/w", "tables": {"examples": "ab"}}
    return RunSpec(**{**values, "parent_model": "/store/folders/9f", **changes})


def test_everything_has_a_default() -> None:
    assert TrainingConfig().sft.method == "lora"


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: SftConfig(learning_rate=2.0), "sft.learning_rate"),
        (lambda: DaptConfig(batch_size=0), "dapt.batch_size"),
        (lambda: PreferenceConfig(beta=0.0), "preference.beta"),
        (lambda: BaseModelConfig(hidden_size=30, num_heads=4), "base.hidden_size"),
        (lambda: BaseModelConfig(revision="main"), "base.revision"),
        (lambda: LoraConfig(rank=0), "lora.rank"),
        (lambda: TrainingConfig(base=BaseModelConfig(context_length=64), sft=SftConfig(max_length=128)), "training"),
    ],
)
def test_bad_values_are_refused_by_name(build: Any, field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build()
    assert caught.value.fields["path"] == field


@pytest.mark.parametrize(
    "config", [BaseModelConfig(), DaptConfig(skip_sections=("examples",)), SftConfig(), PreferenceConfig()]
)
def test_a_spec_survives_its_file(tmp_path: Path, config: Any) -> None:
    stage = {BaseModelConfig: "base", DaptConfig: "dapt", SftConfig: "sft", PreferenceConfig: "preference"}[type(config)]
    spec = make_spec(stage=stage, config=config)
    assert RunSpec.read(spec.write(tmp_path / "spec.json")) == spec


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"stage": "sft", "config": {"no_such": 1}}', '{"stage": "x", "config": {}}'])
def test_a_file_that_is_no_spec_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "spec.json").write_text(text)
    with pytest.raises(ConfigError):
        RunSpec.read(tmp_path / "spec.json")


def test_a_config_of_another_stage_is_refused() -> None:
    with pytest.raises(ConfigError):
        make_spec(stage="dapt")


def test_the_fingerprint_knows_what_matters() -> None:
    spec = make_spec()
    others = [
        make_spec(tables={"examples": "cd"}),
        make_spec(seed=1),
        make_spec(parent_model="/store/folders/aa"),
        make_spec(config=dataclasses.replace(SftConfig(), epochs=4.0)),
    ]
    assert len({spec.fingerprint, *(other.fingerprint for other in others)}) == 5


def test_the_fingerprint_ignores_where_things_are() -> None:
    elsewhere = make_spec(store_url="/t", work_folder="/v", parent_model="/other/place/9f")
    assert elsewhere.fingerprint == make_spec().fingerprint


def test_a_stage_may_have_its_own_seed() -> None:
    assert make_spec(seed=5).stage_seed == 5
    assert make_spec(seed=5, config=SftConfig(seed=7)).stage_seed == 7
