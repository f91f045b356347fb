"""What training really leaves behind is exported, adapter and all."""

import json
from pathlib import Path

import pytest

from tests.training.conftest import Bench
from training.config import LoraConfig, StageConfig
from training.export.build import export_model
from training.export.spec import ExportSpec

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("lora", [LoraConfig(rank=3, alpha=48, rslora=True), LoraConfig(rank=4, alpha=64, dora=True)])
def test_a_trained_stage_is_exported(bench: Bench, tmp_path: Path, lora: LoraConfig) -> None:
    stage = StageConfig(method="sft", tuning="lora", lora=lora, max_steps=6, learning_rate=0.02, batch_size=8)
    model = bench.run(bench.spec(stage, name=f"sft-{lora.dora}"))
    spec = ExportSpec(
        name="demo", store_url=bench.url, conversations=bench.tables["examples"], model_folder=str(model),
        parent_folder=str(bench.base), base="demo/base", out=str(tmp_path / "demo"), work_folder=str(tmp_path / "work"),
    )  # fmt: skip
    folder = export_model(spec, lambda _: None)
    proof = json.loads((folder / "proof.json").read_text())
    assert set(proof["formats"]) == ({"merged"} if lora.dora else {"merged", "adapter"})
    assert ("use_dora" in proof["notes"].get("adapter", "")) == lora.dora
    assert all(measured["num_same"] == 20 and measured["kl"] < 1e-6 for measured in proof["formats"].values())
    if not lora.dora:
        config = json.loads((folder / "adapter" / "adapter_config.json").read_text())
        assert (config["r"], config["use_rslora"], config["base_model_name_or_path"]) == (8, False, "demo/base")
        assert config["lora_alpha"] == pytest.approx(48 / 3**0.5 * 8)


def test_a_stage_that_trained_all_weights_is_exported_without_adapter(bench: Bench, tmp_path: Path) -> None:
    stage = StageConfig(method="sft", tuning="full", max_steps=2, batch_size=8)
    model = bench.run(bench.spec(stage, name="sft-full"))
    spec = ExportSpec(
        name="demo", store_url=bench.url, conversations=bench.tables["examples"], model_folder=str(model),
        parent_folder=str(bench.base), out=str(tmp_path / "demo"), work_folder=str(tmp_path / "work"),
    )  # fmt: skip
    proof = json.loads((export_model(spec, lambda _: None) / "proof.json").read_text())
    assert "all weights" in proof["notes"]["adapter"]
    assert proof["formats"]["merged"]["kl"] == 0
