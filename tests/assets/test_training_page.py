"""What a trained model's page shows of its run."""

import json
from pathlib import Path
from typing import Any

import pytest

from assets.training_page import curve_plots, training_facts
from training.config import StageConfig

POINTS = [{"step": step, "loss": 3.0 - step / 10, "learning_rate": 0.001 * step, "grad_norm": 1.0} for step in range(1, 9)]
POINTS[3]["held_out_loss"] = 2.9


def leave_run(work: Path, **timings: Any) -> None:
    (work / "output").mkdir(parents=True)
    manifest = {"loss_curve": POINTS, "num_steps": 8, "num_rows": 20, "trained_tokens": 640}
    (work / "output" / "manifest.json").write_text(json.dumps(manifest))
    (work / "timings.json").write_text(json.dumps({"seconds": 3.0, "tokens_per_s": 213.3, **timings}))
    lives = [{"started": 0.0, "time": 1800.0}, {"started": 5000.0, "time": 6800.0}]
    (work / "progress.jsonl").write_text("".join(json.dumps(life) + "\n" for life in lives))


def test_speed_memory_and_tokens_are_facts(tmp_path: Path) -> None:
    leave_run(tmp_path, mfu=0.41, peak_gib=53.1, device="NVIDIA H100", num_devices=2)
    facts = training_facts(tmp_path, StageConfig(method="sft"))
    assert {name: facts[name] for name in ("tokens_per_s", "mfu", "peak_gib", "device", "trained_tokens", "final_loss")} == {
        "tokens_per_s": 213.3, "mfu": 0.41, "peak_gib": 53.1, "device": "NVIDIA H100", "trained_tokens": 640, "final_loss": 2.2,
    }  # fmt: skip
    assert json.loads(json.dumps(facts)) == facts


@pytest.mark.parametrize(("price", "cost"), [(None, None), (2.5, 5.0), (0.0, 0.0)])
def test_the_cost_counts_every_life_and_device(tmp_path: Path, price: float | None, cost: float | None) -> None:
    leave_run(tmp_path, num_devices=2)
    facts = training_facts(tmp_path, StageConfig(method="sft"), price_per_gpu_hour=price)
    assert facts["device_hours"] == 2.0
    assert facts.get("training_cost_usd") == cost


def test_what_was_logged_is_plotted_beside_the_loss(tmp_path: Path) -> None:
    leave_run(tmp_path)
    plots = curve_plots(training_facts(tmp_path, StageConfig(method="sft")))
    assert {"loss", "learning_rate_plot", "grad_norm_plot", "held_out_loss_plot"} <= plots.keys()
    assert "kl_plot" not in plots
    text = plots["learning_rate_plot"].value
    assert text.startswith("`▁")
    assert text.endswith("learning rate 0.001 at step 1, 0.008 at step 8")
    assert plots["last_grad_norm"] == 1.0


def test_a_base_model_without_a_curve_has_no_plots() -> None:
    assert curve_plots({"loss_curve": [], "curves": {}}) == {}
