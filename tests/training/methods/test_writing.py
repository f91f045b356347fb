"""What writes the answers of reinforcement learning: which engine is taken, and that both write the same."""

import json
import shutil
from pathlib import Path
from types import MethodType
from typing import Any

import pytest

from curation.errors import ConfigError, GenerationFailedError
from tests.training.methods.two_words import LORA, QUICK, World, prompt_of
from training.config import RlConfig, StageConfig
from training.methods import writing
from training.methods.writing import choose_engine, write_continuously

BOTH = {"vllm", "flash_attn"}


def stage_of(method: Any, tuning: Any = "lora", engine: Any = None) -> StageConfig:
    return StageConfig(method=method, tuning=tuning, rl=RlConfig(engine=engine))


@pytest.mark.parametrize(("method", "tuning", "engine", "on_gpu", "installed", "chosen"), [
    ("grpo", "lora", None, False, BOTH, "padded"),
    ("grpo", "lora", None, True, BOTH, "vllm"),
    ("grpo", "lora", None, True, {"flash_attn"}, "continuous"),
    ("grpo", "lora", None, True, set(), "padded"),
    ("ppo", "lora", None, True, BOTH, "continuous"),
    ("grpo", "full", None, True, BOTH, "padded"),
    ("rloo", "qlora", None, True, BOTH, "padded"),
    ("rloo", "lora", "padded", True, BOTH, "padded"),
    ("rloo", "full", "continuous", False, set(), "continuous"),
    ("rloo", "lora", "vllm", True, {"vllm"}, "vllm"),
])  # fmt: skip
def test_the_engine_follows_recipe_and_machine(
    monkeypatch: pytest.MonkeyPatch, method: str, tuning: str, engine: Any, on_gpu: bool, installed: set[str], chosen: str
) -> None:
    monkeypatch.setattr(writing, "is_installed", installed.__contains__)
    assert choose_engine(stage_of(method, tuning, engine), is_on_gpu=on_gpu) == chosen


@pytest.mark.parametrize(("on_gpu", "has_vllm", "said"), [
    (True, False, "the package vllm is not installed here"),
    (False, True, "there is no GPU here"),
])  # fmt: skip
def test_vllm_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, on_gpu: bool, has_vllm: bool, said: str) -> None:
    monkeypatch.setattr(writing, "is_installed", lambda package: has_vllm)
    with pytest.raises(GenerationFailedError, match=said):
        choose_engine(stage_of("grpo", engine="vllm"), is_on_gpu=on_gpu)


def test_an_engine_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="rl.engine: must be one of padded, continuous, vllm"):
        RlConfig(engine="sglang")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="rl.engine: of ppo must be padded or continuous"):
        stage_of("ppo", engine="vllm")


@pytest.mark.slow
@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore")
def test_continuous_batching_writes_what_padded_batches_write(knowing: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    from training.chat_format import ChatFormat

    tokenizer = AutoTokenizer.from_pretrained(knowing)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = AutoModelForCausalLM.from_pretrained(knowing).to(device).train()
    chat = ChatFormat(tokenizer)
    prompts = [chat.encode(prompt_of(number), "sea", "").prompt for number in (0, 1, 1, 12345, 7)]
    ends = {"eos_token_id": model.generation_config.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "max_new_tokens": 12}
    greedy = GenerationConfig(do_sample=False, **ends)
    found = write_continuously(model, prompts, greedy)
    assert model.training, "the model is left as it was"
    assert model.config._attn_implementation == "sdpa"
    model.eval()
    for prompt, answer in zip(prompts, found, strict=True):
        alone = model.generate(torch.tensor([prompt], device=device), generation_config=greedy)[0, len(prompt) :].tolist()
        assert answer == alone, "the end token included"
    assert any(answer[-1] == ends["eos_token_id"] and len(answer) < 12 for answer in found)

    sampled = GenerationConfig(do_sample=True, temperature=2.0, top_k=0, **ends)
    torch.manual_seed(3)
    first, second = write_continuously(model, prompts * 4, sampled), write_continuously(model, prompts * 4, sampled)
    torch.manual_seed(3)
    assert write_continuously(model, prompts * 4, sampled) == first, "a resumed run writes what it would have written"
    assert first != second


@pytest.mark.slow
@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("method", "engine"), [("grpo", "padded"), ("rloo", "padded"), ("ppo", "padded"), ("ppo", "continuous")]
)
def test_the_model_writes_as_it_is_whatever_its_folder_recommends(
    world: World, start: Path, tmp_path: Path, method: Any, engine: Any
) -> None:
    """Answers under a repetition penalty would be those of another policy than the one whose probabilities are learnt from."""
    shutil.copytree(start, tmp_path / "start")
    file = tmp_path / "start" / "generation_config.json"
    recommended = {"do_sample": True, "repetition_penalty": 30.0, "min_p": 0.9, "temperature": 0.2, "top_p": 0.3, "top_k": 2}
    recommended |= {"no_repeat_ngram_size": 1, "typical_p": 0.2}
    file.write_text(json.dumps(json.loads(file.read_text()) | recommended))
    rl = RlConfig(max_new_tokens=8, engine=engine, num_generations=None if method == "ppo" else 4)
    stage = StageConfig(method=method, tuning="full", rl=rl, max_steps=1, learning_rate=0.003, **QUICK)
    curves = []
    for parent in (start, tmp_path / "start"):
        output = world.run(stage, f"as-it-is-{method}-{engine}-{len(str(parent))}", parent_model=str(parent))
        curves.append(json.loads((output / "manifest.json").read_text())["loss_curve"])
    assert curves[0] == curves[1]


@pytest.mark.slow
@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", ["grpo", "rloo", "ppo"])
def test_every_method_learns_from_answers_written_continuously(world: World, start: Path, method: Any) -> None:
    size = {**QUICK, "batch_size": 16}
    rl = RlConfig(max_new_tokens=8, engine="continuous", num_generations=None if method == "ppo" else 4)
    stage = StageConfig(method=method, tuning="lora", lora=LORA, rl=rl, max_steps=4, learning_rate=0.003, **size)
    output = world.run(stage, f"continuous-{method}", parent_model=str(start))
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["trained_tokens"] > 0
    assert all(point["loss"] == point["loss"] for point in manifest["loss_curve"])
    assert max(point["reward"] for point in manifest["loss_curve"]) > 0
    if method != "ppo":
        assert all(point["unfinished"] < 1 for point in manifest["loss_curve"]), "ends are seen"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_whole_weights_that_are_trained_in_bf16_write_in_their_own_precision(knowing: Path) -> None:
    import torch
    from accelerate.utils.operations import convert_outputs_to_fp32
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    from training.chat_format import ChatFormat

    model = AutoModelForCausalLM.from_pretrained(knowing)
    chat = ChatFormat(AutoTokenizer.from_pretrained(knowing))
    prompts = [chat.encode(prompt_of(number), "sea", "").prompt for number in (0, 1)]
    greedy = GenerationConfig(do_sample=False, max_new_tokens=6, eos_token_id=-1, pad_token_id=0)
    expected = write_continuously(model, prompts, greedy)
    forward = convert_outputs_to_fp32(torch.autocast("cpu", torch.bfloat16)(type(model).forward))
    model._original_forward, model.forward = model.forward, MethodType(forward, model)  # as Accelerator.prepare_model does
    assert write_continuously(model, prompts, greedy) == expected
    logits = model(torch.tensor([prompts[0]])).logits
    assert logits.equal(logits.bfloat16().float()), "afterwards it is cast again"
