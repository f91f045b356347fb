import json
from pathlib import Path

import pytest

from training.config import StageConfig
from training.config.presets import ModelSize, resolve_stage
from training.scale.config import LauncherConfig, Layout, ScaleConfig
from training.scale.conflicts import find_conflicts, find_notes
from training.scale.stage_situation import find_shape, situation_of

SIZE = ModelSize(num_parameters=8_000_000_000, context_length=8192)


@pytest.fixture(autouse=True)
def no_devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def test_the_rules_see_what_the_presets_chose() -> None:
    stage = resolve_stage(StageConfig(method="grpo"), SIZE).stage
    seen = situation_of(stage, Layout())
    assert stage.rl is not None
    assert (seen.num_generations, seen.max_new_tokens) == (stage.rl.num_generations, stage.rl.max_new_tokens)
    assert (seen.batch_size, seen.rank) == (stage.batch_size, 16)
    assert seen.is_checkpointed
    assert seen.gpus == ()


def test_another_machine_is_not_judged_by_this_one() -> None:
    stage = resolve_stage(StageConfig(method="sft", tuning="qlora"), SIZE).stage
    remote = Layout(scale=ScaleConfig(launcher=LauncherConfig(kind="kubernetes", image="i", volume_claim="v")))
    assert situation_of(stage, remote).gpus is None
    here, there = situation_of(stage, Layout()), situation_of(stage, remote)
    assert [note.rule for note in find_notes(here)] == ["qlora_on_cpu"]
    assert find_notes(there) == ()
    assert "bitsandbytes_missing" not in {conflict.rule for conflict in find_conflicts(there)}


def test_sizes_are_read_where_there_are_any(tmp_path: Path) -> None:
    assert find_shape(tmp_path) is None
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mamba"}))
    assert find_shape(tmp_path) is None
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    shape = find_shape(tmp_path)
    assert shape is not None
    assert shape.num_heads == 32
