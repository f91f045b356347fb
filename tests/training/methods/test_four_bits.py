"""QLoRA on a CPU: every method learns over a frozen base of four bits, which stays as it is; adapters go into the whole one."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import training.learning
from curation.errors import QuantizationUnavailableError
from tests.training.methods.test_learning import STAGES, curve, score_held_out
from tests.training.methods.two_words import (
    LORA,
    PREPARED,
    QUICK,
    World,
    answer_logps,
    build_world,
    margins,
    p_value,
    right_of,
    train_knowing,
    wrong_of,
)
from tests.training.test_resume import DOOMED
from training.base_model import load_parent
from training.config import BaseModelConfig, DistillationConfig, QuantizationConfig, StageConfig
from training.export.build import export_model
from training.export.spec import ExportSpec
from training.four_bits import trainable_share
from training.launch import build_command, child_environment
from training.methods.adapters import quantization_of
from training.parent_watch import Stop
from training.spec import RunSpec
from training.trainers import build_trainer

pytest.importorskip("bitsandbytes")
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]
"""The libraries warn about each other."""

BLOCKED = BaseModelConfig(hidden_size=192, num_layers=1, num_heads=2, vocab_size=300, context_length=64)
"""All rows are whole blocks of 64 weights: 192 and 512 wide."""
PACKED: dict[str, Any] = {"packing": True, "tokens_per_batch": 512, "max_steps": 12, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build_world(tmp_path_factory.mktemp("four_bits"))


@pytest.fixture(scope="module")
def base(blocks: World) -> Path:
    return blocks.run(BLOCKED, "base")


@pytest.fixture(scope="module")
def knowing(blocks: World, base: Path) -> Path:
    return train_knowing(blocks, base)


@pytest.fixture(scope="module")
def start(blocks: World, knowing: Path) -> Path:
    """A model that knows the difference, and has then seen the right answer seven times in ten until it was as unsure."""
    stage = StageConfig(method="sft", tuning="full", max_steps=48, learning_rate=0.001, **PREPARED)
    return blocks.run(stage, "start", parent_model=str(knowing), tables={"examples": blocks.tables["unsure"]})


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """Checks of the trainers that were built since, to be called after training."""
    checks: list[Callable[[], None]] = []

    def build(job: Any) -> Any:
        trainer = build_trainer(job)
        before, names = frozen(trainer.model), {id(weight): name for name, weight in trainer.model.named_parameters()}
        checks.append(lambda: assert_only_adapters_moved(trainer, before, names))
        return trainer

    monkeypatch.setattr(training.learning, "build_trainer", build)
    return checks


def frozen(model: Any) -> dict[str, list[int]]:
    """Return what is stored of all weights that are not trained, scales included."""
    found = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            continue
        found[name] = weight.detach().view(-1).contiguous().clone().untyped_storage().tolist()
        for key, part in (weight.quant_state.as_dict(packed=True) if hasattr(weight, "quant_state") else {}).items():
            found[f"{name}.{key}"] = part.clone().untyped_storage().tolist()
    return found


def assert_only_adapters_moved(trainer: Any, before: dict[str, list[int]], names: dict[int, str]) -> None:
    import torch

    layers = [module for module in trainer.model.modules() if type(module).__module__.startswith("bitsandbytes.")]
    assert len(layers) == 7, "all linear layers of the block, and no head"
    assert {layer.weight.dtype for layer in layers} == {torch.uint8}
    assert all(layer.weight.quant_state.nested and layer.weight.quant_state.quant_type == "nf4" for layer in layers)
    assert frozen(trainer.model) == before
    weights = {names[id(weight)]: weight for group in trainer.optimizer.param_groups for weight in group["params"]}
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    assert {name for name in weights if "lora_" not in name} <= {
        "base_model.model.score.modules_to_save.default.weight",  # the head of a reward model is new
        "value_head.weight",
        "value_head.bias",
    }
    assert sum("lora_" in name for name in weights) == 14


def over_four_bits(stage: StageConfig) -> StageConfig:
    return replace(stage, tuning="qlora", lora=LORA, learning_rate=(stage.learning_rate or 0) * 2)


@pytest.mark.gpu
@pytest.mark.parametrize("name", [name for name in STAGES if name not in ("ipo", "simpo")])  # other losses of dpo
def test_the_right_answer_becomes_likelier_on_held_out_questions(
    blocks: World, start: Path, watched: list[Callable[[], None]], name: str
) -> None:
    output = blocks.run(over_four_bits(STAGES[name]), f"{name}-qlora", parent_model=str(start))
    assert p_value(margins(start), margins(output)) < 1e-4
    (check,) = watched
    check()


@pytest.mark.gpu
def test_packed_rows_are_learnt(blocks: World, start: Path, watched: list[Callable[[], None]]) -> None:
    stage = over_four_bits(StageConfig(method="sft", **{**QUICK, **PACKED}))
    output = blocks.run(stage, "packed-qlora", parent_model=str(start))
    assert p_value(margins(start), margins(output)) < 1e-4
    watched[-1]()


@pytest.mark.gpu
def test_dapt_makes_documents_likelier(blocks: World, base: Path, watched: list[Callable[[], None]]) -> None:
    stage = over_four_bits(StageConfig(method="dapt", max_steps=30, learning_rate=0.005, **QUICK))
    points = curve(blocks.run(stage, "dapt-qlora", parent_model=str(base)))
    assert points[-1]["loss"] < 0.95 * points[0]["loss"]
    watched[-1]()


@pytest.mark.gpu
def test_a_reward_model_scores_the_right_answer_higher(blocks: World, knowing: Path, watched: list[Callable[[], None]]) -> None:
    stage = over_four_bits(StageConfig(method="reward", max_steps=120, learning_rate=0.001, **QUICK))
    output = blocks.run(stage, "reward-qlora", parent_model=str(knowing))
    assert p_value(score_held_out(output, wrong_of), score_held_out(output, right_of)) < 1e-4
    watched[-1]()


@pytest.mark.gpu
def test_a_student_comes_nearer_to_its_teacher(
    blocks: World, start: Path, knowing: Path, watched: list[Callable[[], None]]
) -> None:
    settings = DistillationConfig(teacher="knowing_model", max_new_tokens=8)
    stage = StageConfig(method="distillation", distillation=settings, max_steps=30, learning_rate=0.003, **QUICK)
    models = {"knowing_model": str(knowing)}
    output = blocks.run(over_four_bits(stage), "distillation-qlora", parent_model=str(start), models=models)
    taught = answer_logps(knowing, right_of)
    far = [-abs(mine - theirs) for mine, theirs in zip(answer_logps(start, right_of), taught, strict=True)]
    near = [-abs(mine - theirs) for mine, theirs in zip(answer_logps(output, right_of), taught, strict=True)]
    assert p_value(far, near) < 1e-4
    watched[-1]()


@pytest.fixture(scope="module")
def quick_sft(blocks: World, start: Path) -> tuple[StageConfig, Path]:
    stage = over_four_bits(StageConfig(method="sft", max_steps=40, learning_rate=0.005, **QUICK))
    stage = replace(stage, checkpoint_every_steps=4)
    return stage, blocks.run(stage, "unbroken", parent_model=str(start))


def test_a_cpu_is_warned_of_and_the_share_that_is_trained_is_told(blocks: World, quick_sft: tuple[StageConfig, Path]) -> None:
    assert any("save memory on a GPU; on a CPU they are slower" in line for line in blocks.said)
    linear = 4 * 192 * 192 + 3 * 192 * 512
    adapters = 8 * (4 * (192 + 192) + 3 * (192 + 512))
    total = linear + adapters + 192 * 300 + 3 * 192
    assert any(f"{adapters:,} of {total:,} weights are trained (" in line for line in blocks.said)


@pytest.mark.gpu
def test_the_adapter_is_merged_into_the_weights_as_they_were(start: Path, quick_sft: tuple[StageConfig, Path]) -> None:
    from bitsandbytes.functional import dequantize_4bit
    from safetensors.torch import load_file

    stage, output = quick_sft
    whole, merged = load_file(start / "model.safetensors"), load_file(output / "model.safetensors")
    adapter = load_file(output / "adapter" / "adapter_model.safetensors")
    rough = load_parent(
        str(start),
        dtype=whole["model.norm.weight"].dtype,
        quantization=quantization_of(replace(stage, quantization=QuantizationConfig())),
    )
    key, scale = "model.layers.0.mlp.up_proj", LORA.alpha / LORA.rank
    low, high = (adapter[f"base_model.model.{key}.lora_{side}.weight"].float() for side in "AB")
    expected = whole[f"{key}.weight"] + scale * high @ low
    assert merged[f"{key}.weight"].allclose(expected, atol=1e-6)
    stored = rough.get_submodule(key).weight
    read_back = dequantize_4bit(stored.data, stored.quant_state).cpu()
    assert (read_back - whole[f"{key}.weight"]).abs().max() > 1e-4, "four bits are rough"
    assert "quantization_config" not in json.loads((output / "config.json").read_text())
    assert merged["model.embed_tokens.weight"].equal(whole["model.embed_tokens.weight"])


@pytest.mark.gpu
def test_the_export_proves_itself(blocks: World, start: Path, quick_sft: tuple[StageConfig, Path], tmp_path: Path) -> None:
    _, output = quick_sft
    spec = ExportSpec(
        name="demo", store_url=blocks.url, conversations=blocks.tables["examples"], model_folder=str(output),
        parent_folder=str(start), base="demo/base", out=str(tmp_path / "demo"), work_folder=str(tmp_path / "work"),
    )  # fmt: skip
    proof = json.loads((export_model(spec, lambda _: None) / "proof.json").read_text())
    assert set(proof["formats"]) == {"merged", "adapter"}
    assert all(measured["kl"] < 1e-6 for measured in proof["formats"].values())


def test_kill_9_costs_nothing_but_time(blocks: World, start: Path, quick_sft: tuple[StageConfig, Path]) -> None:
    stage, unbroken = quick_sft
    work = blocks.folder / "killed"
    work.mkdir()
    tables = {"examples": blocks.tables["examples"]}
    spec = RunSpec(config=stage, store_url=blocks.url, work_folder=str(work), tables=tables, seed=0, parent_model=str(start))
    path = spec.write(work / "spec.json")
    silent: dict[str, Any] = {"env": child_environment(), "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    doomed = [sys.executable, "-c", DOOMED.format(at=6, seconds=0.0, path=str(path))]
    assert subprocess.run(doomed, check=False, timeout=900, **silent).returncode == -signal.SIGKILL
    assert list((work / "checkpoints").glob("step-*"))
    assert not (work / "output").exists(), "it was never killed in the middle"
    subprocess.run(build_command(path), check=True, timeout=900, **silent)
    assert "going on from step-" in (work / "progress.jsonl").read_text()
    for file in ("model.safetensors", "adapter/adapter_model.safetensors"):
        assert (work / "output" / file).read_bytes() == (unbroken / file).read_bytes()


@pytest.mark.parametrize("method", ["grpo", "ppo"])
def test_a_stopped_run_that_writes_answers_goes_on_to_the_same_model(blocks: World, start: Path, method: str) -> None:
    stage = replace(over_four_bits(STAGES[method]), max_steps=6, batch_size=16)
    unbroken = blocks.run(stage, f"unbroken-{method}", parent_model=str(start))
    stop = Stop()

    def interrupt(line: str) -> None:
        stop.signal = 15 if "step 3/" in line or "step 1/" in line else stop.signal

    with pytest.raises(SystemExit):
        blocks.run(stage, f"stopped-{method}", parent_model=str(start), stop=stop, say=interrupt)
    output = blocks.run(stage, f"stopped-{method}", parent_model=str(start))
    assert (output / "model.safetensors").read_bytes() == (unbroken / "model.safetensors").read_bytes()


@pytest.mark.gpu
def test_weights_are_half_a_byte_and_scales(tmp_path: Path) -> None:
    """0.5 bytes, an 8-bit scale for 64 weights and a whole one for 256 scales, and tables of 1 KiB a layer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 1, "num_attention_heads": 4, "vocab_size": 64}
    LlamaForCausalLM(LlamaConfig(**sizes)).save_pretrained(tmp_path)
    quantization = quantization_of(StageConfig(method="sft", tuning="qlora", quantization=QuantizationConfig()))
    model = load_parent(str(tmp_path), dtype=torch.bfloat16, quantization=quantization)
    num_weights = 4 * 768 * 768 + 3 * 768 * 2048
    layers = [module for module in model.modules() if type(module).__module__.startswith("bitsandbytes.")]
    parts = [layer.weight.data for layer in layers]
    parts += [part for layer in layers for part in layer.weight.quant_state.as_dict(packed=True).values()]
    assert 0.5 < sum(part.nbytes for part in parts) / num_weights < 0.55
    assert trainable_share(model).total == num_weights + 2 * 64 * 768 + 3 * 768


def test_evaluation_does_not_store_the_weights_anew(start: Path) -> None:
    """On a processor with AVX512-BF16 bitsandbytes would, unless told; elsewhere there is nothing to see."""
    import torch

    quantization = quantization_of(StageConfig(method="sft", tuning="qlora", quantization=QuantizationConfig()))
    model = load_parent(str(start), dtype=torch.bfloat16, quantization=quantization).requires_grad_(False).eval()
    before = frozen(model)
    with torch.no_grad():
        model(torch.tensor([[1, 2, 3]]))
    assert frozen(model) == before


@pytest.mark.parametrize("load", ["model", "scorer"])
def test_a_model_that_a_cpu_would_read_back_wrongly_is_refused(world: World, start: Path, load: str) -> None:
    stage = over_four_bits(StageConfig(method="reward" if load == "scorer" else "sft", max_steps=1, learning_rate=0.1, **QUICK))
    narrow = world.run(replace(BLOCKED, hidden_size=96), "narrow")
    with pytest.raises(QuantizationUnavailableError, match="a CUDA GPU for this model .*reads 96 values, no multiple of 64"):
        world.run(stage, f"refused-{load}", parent_model=str(narrow))


def test_rows_of_whole_blocks_are_read_back_rightly_and_others_are_not() -> None:
    """Why such models are refused: an error of bitsandbytes 0.50.2. When this fails, the refusal can go."""
    import torch
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    def error(width: int) -> float:
        weight = torch.randn(64, width, generator=torch.Generator().manual_seed(0))
        packed, state = quantize_4bit(weight, quant_type="nf4", compress_statistics=True)
        return float((dequantize_4bit(packed, state) - weight).norm() / weight.norm())

    assert all(error(width) < 0.11 for width in (64, 192, 512))
    assert all(error(width) > 0.15 for width in (32, 96, 176))
