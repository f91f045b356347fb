"""The stages themselves, on a model of 2 layers and width 32, in this process."""

import json
from pathlib import Path
from typing import Any

import pytest

from curation.errors import ModelNotFoundError, TrainingFailedError
from tests.training.conftest import Bench
from training.checkpoints import find_checkpoint
from training.config import BaseModelConfig, LoraConfig, StageConfig
from training.parent_watch import Stop

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]
"""The libraries warn about each other."""

QUICK: dict[str, Any] = {
    "learning_rate": 0.01, "batch_size": 8, "gradient_accumulation": 1, "max_length": 128, "gradient_checkpointing": False,
}  # fmt: skip


def sft(**changes: Any) -> StageConfig:
    return StageConfig(**{**QUICK, "method": "sft", "max_steps": 12, "tuning": "full", "checkpoint_every_steps": 0, **changes})


def read_manifest(output: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((output / "manifest.json").read_text())
    return manifest


def read_files(output: Path) -> dict[str, bytes]:
    return {str(file.relative_to(output)): file.read_bytes() for file in sorted(output.rglob("*")) if file.is_file()}


def losses(output: Path) -> list[float]:
    return [point["loss"] for point in read_manifest(output)["loss_curve"]]


def logits(folder: Path, adapter: Path | None = None) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter)
    with torch.no_grad():
        return model.eval()(torch.arange(40).reshape(2, 20)).logits


@pytest.fixture(scope="module")
def tuned(bench: Bench) -> Path:
    return bench.run(bench.spec(sft(), name="sft"))


def test_the_base_is_the_same_for_the_same_corpus(bench: Bench) -> None:
    config = BaseModelConfig(hidden_size=32, num_layers=2, num_heads=2, vocab_size=320, context_length=128)
    again = bench.run(bench.spec(config, name="base-again"))
    assert read_files(again) == read_files(bench.base)


def test_a_named_model_keeps_its_weights_and_gets_what_chats_need(bench: Bench, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    bare = AutoTokenizer.from_pretrained(bench.base)
    bare.chat_template = None
    bare.save_pretrained(tmp_path)
    AutoModelForCausalLM.from_pretrained(bench.base).to(torch.bfloat16).save_pretrained(tmp_path)
    output = bench.run(bench.spec(BaseModelConfig(model=str(tmp_path)), name="named"))
    loaded = AutoModelForCausalLM.from_pretrained(output, dtype="auto")
    assert loaded.dtype == torch.bfloat16
    assert AutoTokenizer.from_pretrained(output).chat_template


def test_a_model_that_is_not_there_is_named(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="no-model"):
        bench.run(bench.spec(BaseModelConfig(model=str(tmp_path / "no-model")), name="missing"))


def test_dapt_lowers_the_loss(bench: Bench) -> None:
    config = sft(method="dapt")
    output = bench.run(bench.spec(config, name="dapt"))
    curve = losses(output)
    assert curve[-1] < 0.8 * curve[0]


def test_sft_lowers_the_loss(tuned: Path) -> None:
    assert losses(tuned)[-1] < 0.7 * losses(tuned)[0]


def test_the_output_can_be_answered_with(tuned: Path) -> None:
    config = json.loads((tuned / "config.json").read_text())
    assert config["use_cache"] is True
    assert (tuned / "chat_template.jinja").exists()
    assert (tuned / "model.safetensors").exists()
    assert json.loads((tuned / "generation_config.json").read_text())["eos_token_id"] == 1


def test_the_manifest_says_where_the_model_comes_from(bench: Bench, tuned: Path) -> None:
    manifest = read_manifest(tuned)
    assert (manifest["stage"], manifest["seed"], manifest["num_rows"], manifest["num_steps"]) == ("sft", 0, 32, 12)
    assert manifest["data"] == {"examples": bench.tables["examples"]}
    assert manifest["config"]["learning_rate"] == 0.01
    assert all(manifest["versions"][name] for name in ("torch", "trl"))
    assert {"step", "loss", "learning_rate", "tokens"} <= set(manifest["loss_curve"][0])
    assert manifest["trained_tokens"] == manifest["loss_curve"][-1]["tokens"] > 0
    assert str(bench.folder) not in json.dumps({**manifest, "parent": ""})


def test_the_same_run_gives_the_same_bytes(bench: Bench, tuned: Path) -> None:
    assert read_files(bench.run(bench.spec(sft(), name="sft-again"))) == read_files(tuned)


def test_a_finished_run_is_not_run_again(bench: Bench, tuned: Path) -> None:
    said: list[str] = []
    written = (tuned / "manifest.json").stat().st_mtime_ns
    bench.run(bench.spec(sft(), name="sft"), say=said.append)
    assert said == ["sft: already finished"]
    assert (tuned / "manifest.json").stat().st_mtime_ns == written


@pytest.mark.slow
def test_other_settings_are_another_run(bench: Bench) -> None:
    one = bench.run(bench.spec(sft(max_steps=2), name="sft-other"))
    before = read_files(one)
    assert read_files(bench.run(bench.spec(sft(max_steps=3), name="sft-other"))) != before


def test_dpo_raises_the_margin(bench: Bench, tuned: Path) -> None:
    config = sft(method="dpo", learning_rate=0.002, max_steps=8)
    output = bench.run(bench.spec(config, name="dpo", parent=tuned))
    margins = [point["margin"] for point in read_manifest(output)["loss_curve"]]
    assert margins[0] == pytest.approx(0, abs=1e-4)
    assert margins[-1] > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_the_merged_model_is_the_model_with_its_adapter(bench: Bench, method: str) -> None:
    config = sft(method=method, max_steps=4, tuning="lora", lora=LoraConfig(rank=4, alpha=8.0))
    output = bench.run(bench.spec(config, name=f"{method}-lora"))
    merged = logits(output)
    assert merged.allclose(logits(bench.base, output / "adapter"), atol=1e-5)
    assert not merged.allclose(logits(bench.base), atol=1e-3)
    targets = json.loads((output / "adapter" / "adapter_config.json").read_text())["target_modules"]
    assert sorted({target.rpartition(".")[2] for target in targets}) == [
        "down_proj",
        "gate_proj",
        "k_proj",
        "o_proj",
        "q_proj",
        "up_proj",
        "v_proj",
    ]
    assert targets == sorted(targets), "a set would be written in another order by another process"
    assert str(bench.folder) not in (output / "config.json").read_text()


@pytest.mark.parametrize("changes", [{}, {"packing": True, "tokens_per_batch": 256}], ids=["padded", "packed"])
def test_an_adapter_trained_in_bf16_is_merged_into_the_weights_as_they_were(bench: Bench, changes: dict[str, Any]) -> None:
    lora = LoraConfig(rank=4, alpha=8.0, targets=("q_proj",))
    config = sft(max_steps=2, tuning="lora", lora=lora, precision="bf16", **changes)
    output = bench.run(bench.spec(config, name=f"bf16-lora-{len(changes)}"))
    assert logits(output).allclose(logits(bench.base, output / "adapter"), atol=1e-5)


def test_our_loss_is_that_of_the_model(bench: Bench, tokenizer: Any) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from training.methods.supervised import answer_loss

    model = AutoModelForCausalLM.from_pretrained(bench.base)
    ids = torch.arange(30).reshape(2, 15)
    labels = ids.clone()
    labels[:, :9] = -100
    mask = torch.ones_like(ids)
    mask[1, 12:], labels[1, 12:] = 0, -100
    expected = model(input_ids=ids, attention_mask=mask, labels=labels).loss
    inputs = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    assert answer_loss(model, inputs).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_a_stopped_run_goes_on_to_the_same_model(bench: Bench, tuning: Any) -> None:
    lora = LoraConfig(rank=2, dropout=0.1) if tuning == "lora" else None
    config = sft(tuning=tuning, lora=lora, checkpoint_every_steps=4)
    unbroken = bench.run(bench.spec(config, name=f"unbroken-{tuning}"))
    spec, stop = bench.spec(config, name=f"stopped-{tuning}"), Stop()

    def interrupt(line: str) -> None:
        stop.signal = 15 if "step 1/" in line else stop.signal

    with pytest.raises(SystemExit) as left:
        bench.run(spec, say=interrupt, stop=stop)
    assert left.value.code == 143
    said: list[str] = []
    output = bench.run(spec, say=said.append)
    assert any("going on from step-0000000" in line for line in said)
    ours, theirs = read_files(output), read_files(unbroken)
    assert ours["model.safetensors"] == theirs["model.safetensors"]
    assert read_manifest(output)["trained_tokens"] == read_manifest(unbroken)["trained_tokens"]
    assert not (Path(spec.work_folder) / "checkpoints").exists()


@pytest.mark.parametrize("every", [0, 5])
def test_a_signal_after_the_last_step_loses_nothing(bench: Bench, every: int) -> None:
    """With a checkpoint of that step the run leaves and goes on from there; without one it finishes."""
    spec, stop, said = bench.spec(sft(checkpoint_every_steps=every), name=f"late-{every}"), Stop(), list[str]()

    def interrupt(line: str) -> None:
        said.append(line)
        stop.signal = 15 if "step 12/12" in line else stop.signal

    try:
        bench.run(spec, say=interrupt, stop=stop)
    except SystemExit:
        assert find_checkpoint(Path(spec.work_folder), spec.fingerprint), "left without a checkpoint"
    stop.signal = 0
    output = bench.run(spec, say=said.append)
    assert sum("step 12/12" in line for line in said) == 1, "nothing is trained twice"
    assert losses(output) == losses(bench.run(bench.spec(sft(checkpoint_every_steps=0), name="late-0")))


def test_a_loss_that_is_no_number_stops_training_and_is_never_saved(bench: Bench, tmp_path: Path) -> None:
    import shutil

    import torch
    from transformers import AutoModelForCausalLM

    shutil.copytree(bench.base, tmp_path / "broken")
    model = AutoModelForCausalLM.from_pretrained(bench.base)
    with torch.no_grad():
        model.model.norm.weight.fill_(float("nan"))
    model.save_pretrained(tmp_path / "broken")
    spec = bench.spec(sft(checkpoint_every_steps=1), name="nan", parent=tmp_path / "broken")
    with pytest.raises(TrainingFailedError, match="loss became nan at step 1"):
        bench.run(spec)
    assert not (Path(spec.work_folder) / "checkpoints").exists()
    assert not (Path(spec.work_folder) / "output").exists()
