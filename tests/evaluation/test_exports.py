import json
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.errors import ExportError
from evaluation.exports import export_model
from evaluation.modelfile import find_format, go_template

Build = Callable[..., Path]
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture
def model(build_model: Build) -> Path:
    folder = build_model(seed=5)
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    (folder / "adapter").mkdir()
    (folder / "manifest.json").write_text('{"stage": "sft"}')
    return folder


@pytest.mark.slow
def test_the_export_loads_and_says_the_same(model: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    out = export_model(model, tmp_path / "export", readme="# Card\n", name="demo")
    assert (out / "README.md").read_text() == "# Card\n"
    assert not (out / "pytorch_model.bin").exists()
    turns = [{"role": "user", "content": "Hi there"}]
    options = {"add_generation_prompt": True, "return_tensors": "pt", "return_dict": True}
    prompts = [AutoTokenizer.from_pretrained(path).apply_chat_template(turns, **options) for path in (model, out)]
    assert torch.equal(prompts[0]["input_ids"], prompts[1]["input_ids"])
    with torch.inference_mode():
        logits = [AutoModelForCausalLM.from_pretrained(path)(**prompts[0]).logits for path in (model, out)]
    assert torch.equal(*logits)


def test_the_modelfile_carries_the_chat_template(model: Path, tmp_path: Path) -> None:
    text = (export_model(model, tmp_path / "export", readme="", name="demo") / "Modelfile").read_text()
    assert text.startswith("FROM .\n")
    assert 'PARAMETER stop "</s>"' in text
    assert '{{ if eq .Role "system" }}{{ "<|system|>" }}{{ .Content }}{{ "</s>" }}' in text
    assert text.rstrip().endswith('{{ "<|assistant|>" }}"""')


def test_an_export_replaces_the_one_before_as_a_whole(model: Path, tmp_path: Path) -> None:
    out = export_model(model, tmp_path / "export", readme="one", name="demo")
    (out / "stale.txt").write_text("old")
    export_model(model, out, readme="two", name="demo")
    assert (out / "README.md").read_text() == "two"
    assert not (out / "stale.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def _no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _torn_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def _no_weights_at_all_inside(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")


def _no_config(folder: Path) -> None:
    (folder / "config.json").write_text("[1")


def _no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_no_weights, "no safetensors"),
        (_torn_weights, r"model\.safetensors is damaged"),
        (_no_weights_at_all_inside, r"model\.safetensors is damaged"),
        (_no_config, r"config\.json cannot be read"),
        (_no_tokenizer, r"tokenizer\.json cannot be read"),
    ],
)
def test_a_broken_model_is_not_exported(model: Path, tmp_path: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(model)
    with pytest.raises(ExportError, match=message):
        export_model(model, tmp_path / "export", readme="", name="demo")
    assert list(tmp_path.iterdir()) == []


def test_a_plain_template_is_translated() -> None:
    found = find_format(CHATML, bos_token="<s>", eos_token="<|im_end|>")
    assert found is not None
    assert found.turns["user"] == ("<|im_start|>user\n", "<|im_end|>\n")
    assert json.dumps("<|im_start|>assistant\n") in go_template(found)


@pytest.mark.parametrize(
    "template",
    [
        "",
        "{{ broken",
        "{{ raise_exception('no') }}",
        "{% for m in messages %}{{ m.content | trim | upper }}{% endfor %}",
        "{% for m in messages %}{{ loop.index }}:{{ m.content }}{% endfor %}",
        "{% for m in messages if m.role != 'system' %}[{{ m.content }}]{% endfor %}",
        "{{ ''.__class__.__mro__ }}",
    ],
)
def test_a_template_without_equivalent_is_left_out(template: str) -> None:
    assert find_format(template, bos_token="", eos_token="") is None
