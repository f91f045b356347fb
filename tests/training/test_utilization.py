"""Model operations of a token against hand-made numbers, peaks by name, and how long a run held its devices."""

import json
from pathlib import Path

import pytest

from training.memory.model_shape import ModelShape
from training.progress import Progress, read_busy_seconds
from training.utilization import find_peak, flops_per_token, peak_host_gib

LLAMA_8B = ModelShape.from_config(
    {
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
    }
)


@pytest.mark.parametrize(("is_adapter", "ceiling"), [(False, 16_600), (True, 24_100)])
def test_the_ceilings_of_an_h100_are_those_of_the_research(is_adapter: bool, ceiling: int) -> None:
    flops = flops_per_token(LLAMA_8B, is_adapter=is_adapter, lengths=[4096] * 3)
    assert 798e12 / flops == pytest.approx(ceiling, rel=0.02)


def test_the_context_of_a_token_is_its_own_row() -> None:
    short, long, mixed = (flops_per_token(LLAMA_8B, is_adapter=True, lengths=rows) for rows in ([100] * 8, [800], [100, 700]))
    assert short < mixed < long
    assert flops_per_token(LLAMA_8B, is_adapter=True, lengths=[100]) == short


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA L40S", 362e12),
        ("NVIDIA L4", 121e12),
        ("NVIDIA L40", 181e12),
        ("NVIDIA GH200 480GB", 989e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA RTX A1000", None),
        ("NVIDIA H20", None),
        ("x", None),
    ],
)
def test_a_peak_is_found_by_name(name: str, peak: float | None) -> None:
    assert find_peak(name) == peak


def test_the_host_memory_is_that_of_this_process() -> None:
    assert 0.01 < peak_host_gib() < 1000


def test_lives_of_an_interrupted_run_add_up(tmp_path: Path) -> None:
    file = tmp_path / "progress.jsonl"
    lives = [{"started": 100.0, "time": 101.0}, {"started": 100.0, "time": 160.0}, {"started": 500.0, "time": 530.5}]
    file.write_text("".join(json.dumps(line) + "\n" for line in lives) + '{"started": 500.0, "ti')
    assert read_busy_seconds(file) == 90.5
    assert read_busy_seconds(tmp_path / "none") == 0.0


def test_every_line_names_the_life_that_wrote_it(tmp_path: Path) -> None:
    progress = Progress("sft", tmp_path / "progress.jsonl", lambda line: None)
    progress.phase("one")
    progress.phase("two")
    first, second = (json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines())
    assert first["started"] == second["started"] <= first["time"]
