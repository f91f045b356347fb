"""`tunewright plan`: what it says and how it ends."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.test_cli import assert_one_sentence, call
from tests.pipelines.toy_recipe import write_toy

LLAMA_8B = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 8192,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("COLUMNS", "160")
    (tmp_path / "config.json").write_text(json.dumps(LLAMA_8B))
    return tmp_path


def recipe_with(folder: Path, training: str) -> str:
    path = write_toy(folder)
    text = path.read_text()
    path.write_text(text[: text.index("training:")] + "training:\n" + training)
    return str(path)


def planned(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code, out, _ = call(capsys, "plan", *arguments, "--json")
    values: dict[str, Any] = json.loads(out)
    return code, values


NAMED = "  base: {model: acme/llama-8b}\n"
SFT = NAMED + "  stages:\n    - {method: sft, max_steps: 100, max_length: 2048, gradient_checkpointing: true}\n"


def test_a_stage_is_planned_out_of_a_config_file(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    base = str(folder / "config.json")
    code, plan = planned(capsys, recipe_with(folder, SFT), "--gpu-memory", "24", "--base", base, "--tokens-per-second", "1000")
    (stage,) = plan["stages"]
    assert (code, plan["is_possible"], plan["num_parameters"]) == (0, True, 8_030_261_248)
    assert stage["memory"]["weights"] == 8_030_261_248 * 2
    assert stage["memory"]["peak"] == sum(stage["memory"][name] for name in PARTS)
    assert stage["num_steps"] == 100
    assert stage["hours"] == pytest.approx(stage["tokens"] / 1000 / 3600)
    assert stage["values"]["learning_rate"]["from"].startswith("preset: ")
    assert stage["values"]["max_length"] == {"value": 2048, "from": "recipe"}


PARTS = ("weights", "adapters", "gradients", "optimizer", "activations", "workspace", "logits")


def test_what_does_not_fit_is_exit_code_1_with_what_would_do(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    path = recipe_with(folder, SFT.replace("sft,", "sft, tuning: full,"))
    code, out, _ = call(capsys, "plan", path, "--gpu-memory", "24", "--base", str(folder / "config.json"))
    assert code == 1
    assert "does not fit" in out
    assert "would do: tuning: lora needs" in out
    assert "preset: " in out, "resolved values are shown with their origin"


def test_four_bits_on_a_cpu_are_noted_and_not_refused(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("bitsandbytes")
    monkeypatch.setattr("training.scale.stage_situation.find_gpus", lambda: ())
    path = recipe_with(folder, SFT.replace("sft,", "sft, tuning: qlora,"))
    base = ("--base", str(folder / "config.json"))
    code, out, _ = call(capsys, "plan", path, "--gpu-memory", "0", "--no-values", *base)
    assert code == 0
    assert "note training.stages.tuning: weights of four bits save memory on a GPU; on a CPU" in out
    code, plan = planned(capsys, path, "--gpu-memory", "0", *base)
    assert (code, [note["rule"] for note in plan["stages"][0]["notes"]]) == (0, ["qlora_on_cpu"])


def test_conflicts_are_refused_with_field_value_and_fix(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    path = recipe_with(folder, "  processes: 8\n  nodes: 2\n  strategy: fsdp2\n" + SFT)
    base = ("--base", str(folder / "config.json"))
    code, out, _ = call(capsys, "plan", path, "--gpu-memory", "80", "--no-values", *base)
    assert code == 1
    assert (
        "training.scale.rendezvous: is missing, so several nodes cannot find each other (received None); give HOST:PORT" in out
    )
    code, plan = planned(capsys, path, "--gpu-memory", "80", *base)
    names = {conflict["rule"] for conflict in plan["stages"][0]["conflicts"]}
    assert {"hosts_without_rendezvous", "several_hosts_from_here"} <= names


def test_the_small_model_is_planned_for_a_cpu(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, plan = planned(capsys, recipe_with(folder, "  stages: [{method: sft, max_steps: 3}]\n"), "--gpu-memory", "0")
    (stage,) = plan["stages"]
    assert (code, plan["device"], stage["proposal"]) == (0, "CPU", None)
    assert stage["settings"]["precision"] == "fp32"


def test_this_machine_is_asked(capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = folder / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho '0, GPU-aa11, NVIDIA L4, 23034'\necho '1, GPU-bb22, NVIDIA L4, 23034'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    _, plan = planned(capsys, recipe_with(folder, SFT), "--base", str(folder / "config.json"))
    assert plan["device"] == "2 x NVIDIA L4, 22.5 GiB"
    assert plan["gpu_memory"] == 23034 * 2**20


def test_a_model_of_the_hub_is_found_in_its_cache(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    path = recipe_with(folder, SFT)
    code, out, err = call(capsys, "plan", path, "--gpu-memory", "80")
    assert (code, out) == (1, "")
    assert_one_sentence(err)
    assert "give its config.json with --base" in err
    cached = folder / "hf" / "hub" / "models--acme--llama-8b" / "snapshots" / "abc"
    cached.mkdir(parents=True)
    (cached / "config.json").write_text(json.dumps(LLAMA_8B))
    code, plan = planned(capsys, path, "--gpu-memory", "80")
    assert (code, plan["num_parameters"]) == (0, 8_030_261_248)


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"model_type": "mamba"}', '{"model_type": "llama", "hidden_size": -1}'])
def test_a_broken_config_is_one_sentence(capsys: pytest.CaptureFixture[str], folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    code, out, err = call(capsys, "plan", recipe_with(folder, SFT), "--base", str(folder / "config.json"), "--gpu-memory", "80")
    assert (code, out) == (1, "")
    assert_one_sentence(err)


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "plan", "--help")
    assert code == 0
    for word in ("--gpu-memory", "--base", "--json", "Examples", "Exit code 1"):
        assert word in out
