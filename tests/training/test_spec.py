import dataclasses
from pathlib import Path
from typing import Any

import pytest

from curation.errors import ConfigError
from training.config import (
    BaseModelConfig,
    DistillationConfig,
    KtoConfig,
    LoraConfig,
    PpoConfig,
    PreferenceConfig,
    QuantizationConfig,
    RewardConfig,
    RlConfig,
    StageConfig,
)
from training.spec import RunSpec

SFT = StageConfig(method="sft", epochs=3.0, lora=LoraConfig(rank=4))


def make_spec(**changes: Any) -> RunSpec:
    values = {"config": SFT, "store_url": "/s", "work_folder": "/w", "tables": {"examples": "ab"}}
    return RunSpec(**{**values, "parent_model": "/store/folders/9f", **changes})


@pytest.mark.parametrize(
    "config",
    [
        BaseModelConfig(),
        SFT,
        StageConfig(method="dapt", skip_sections=("examples",)),
        StageConfig(method="dpo", tuning="full", preference=PreferenceConfig(beta=0.3)),
        StageConfig(method="kto", kto=KtoConfig(beta=0.2)),
        StageConfig(
            method="ppo",
            tuning="qlora",
            quantization=QuantizationConfig(double=False),
            lora=LoraConfig(targets=("q_proj",)),
            rl=RlConfig(max_new_tokens=9),
            ppo=PpoConfig(epochs=2),
            rewards=(RewardConfig(grader="exact"), RewardConfig(longer_than=4, weight=0.5)),
        ),
        StageConfig(method="distillation", distillation=DistillationConfig(teacher="t")),
    ],
)
def test_a_spec_survives_its_file(tmp_path: Path, config: Any) -> None:
    spec = make_spec(config=config)
    assert RunSpec.read(spec.write(tmp_path / "spec.json")) == spec


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"config": {"no_such": 1}}', '{"config": {"method": "magic"}, "store_url": "", "work_folder": ""}'],
)
def test_a_file_that_is_no_spec_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "spec.json").write_text(text)
    with pytest.raises(ConfigError):
        RunSpec.read(tmp_path / "spec.json")


def test_a_stage_is_called_by_its_method() -> None:
    assert make_spec().stage == "sft"
    assert make_spec(config=BaseModelConfig()).stage == "base"


def test_the_fingerprint_knows_what_matters() -> None:
    spec = make_spec()
    others = [
        make_spec(tables={"examples": "cd"}),
        make_spec(seed=1),
        make_spec(parent_model="/store/folders/aa"),
        make_spec(config=dataclasses.replace(SFT, epochs=4.0)),
        make_spec(config=dataclasses.replace(SFT, lora=LoraConfig(rank=8))),
        make_spec(models={"reward_model": "/store/folders/bb"}),
        make_spec(config=StageConfig(method="dapt", epochs=3.0, lora=LoraConfig(rank=4))),
    ]
    assert len({spec.fingerprint, *(other.fingerprint for other in others)}) == 8


def test_the_fingerprint_ignores_where_things_are() -> None:
    elsewhere = make_spec(store_url="/t", work_folder="/v", parent_model="/other/place/9f")
    assert elsewhere.fingerprint == make_spec().fingerprint


def test_a_stage_may_have_its_own_seed() -> None:
    assert make_spec(seed=5).stage_seed == 5
    assert make_spec(seed=5, config=StageConfig(method="sft", seed=7)).stage_seed == 7
