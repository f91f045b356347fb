"""Whole exports: models are loaded, asked and compared, through PEFT and Transformers."""

import errno
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.errors import ExportError, ExportRefusedError
from tests.training.export.conftest import ALPHA, RANK, Trained, merge
from training.export.build import export_model, write_forms
from training.export.command import build_command
from training.export.proof import prove_export
from training.launch import child_environment

pytestmark = pytest.mark.slow


def quiet(_: str) -> None:
    """Say nothing."""


def test_every_form_is_proved_and_signed(built: Trained, out: Path) -> None:
    (out / "stale").mkdir(parents=True)
    folder = export_model(built.spec(out), quiet)
    proof = json.loads((folder / "proof.json").read_text())
    assert proof["num_conversations"] == 20
    assert proof["notes"] == {}
    assert set(proof["formats"]) == {"adapter", "merged"}
    for measured in proof["formats"].values():
        assert measured["kl"] < 1e-6
        assert measured["num_same"] == 20
        assert measured["num_tokens"] > 400
    assert (folder / "README.md").read_text() == "# Card\n"
    assert not (folder / "pytorch_model.bin").exists()
    assert [path.name for path in out.parent.iterdir()] == ["demo"]
    assert not (folder / "stale").exists()
    signed = {line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    assert signed == {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {"SHA256SUMS"}


def test_a_merge_rounded_to_bf16_is_still_the_model(trained: Trained, out: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    parent = AutoModelForCausalLM.from_pretrained(trained.parent, dtype=torch.bfloat16)
    parent.save_pretrained(trained.parent)
    merge(trained.parent, trained.model / "adapter", trained.model)
    proof = json.loads((export_model(trained.spec(out), quiet) / "proof.json").read_text())
    assert 0 < proof["formats"]["merged"]["kl"] < 1e-3
    assert proof["formats"]["adapter"]["num_same"] == 20


def test_shards_are_proved_like_one_file(built: Trained, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from training.export import build, weights

    def in_shards(files: list[Path], folder: Path, *, name: str) -> list[Path]:
        return weights.write_weights(files, folder, name=name, limit=50_000)

    monkeypatch.setattr(build, "write_weights", in_shards)
    folder = export_model(built.spec(out, parent_folder=""), quiet)
    assert len(list(folder.glob("model-*.safetensors"))) > 2
    assert json.loads((folder / "proof.json").read_text())["formats"]["merged"]["kl"] == 0


def _merged_twice(trained: Trained) -> None:
    merge(trained.model, trained.model / "adapter", trained.model)


def _never_merged(trained: Trained) -> None:
    shutil.copy(trained.parent / "model.safetensors", trained.model / "model.safetensors")


def _wrong_scale(trained: Trained) -> None:
    merge(trained.parent, trained.model / "adapter", trained.model, scale=ALPHA / RANK**0.5)


def _other_template(trained: Trained) -> None:
    path = trained.model / "chat_template.jinja"
    path.write_text(path.read_text().replace("<|assistant|>{% endif %}", "<|assistant|>\n{% endif %}"))


def _other_tokens(trained: Trained) -> None:
    path = trained.model / "tokenizer_config.json"
    path.write_text(path.read_text().replace('"eos_token": "<|end|>"', '"eos_token": "<|pad|>"'))


def _not_a_number(trained: Trained) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(trained.model / "model.safetensors")
    next(weights[name] for name in weights if "down_proj" in name)[0, 0] = float("nan")
    save_file(weights, trained.model / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_merged_twice, "merged model is not the one that was trained: its divergence"),
        (_never_merged, "merged model is not the one that was trained: its divergence"),
        (_wrong_scale, "merged model is not the one that was trained: its divergence"),
        (_not_a_number, "divergence from the trained model is nan"),
        (_other_template, "the prompt of 'api/"),
        (_other_tokens, "eos_token"),
    ],
)
def test_a_broken_export_leaves_nothing(trained: Trained, out: Path, damage: Callable[[Trained], None], reason: str) -> None:
    out.mkdir()
    (out / "earlier").write_text("kept")
    damage(trained)
    with pytest.raises(ExportRefusedError, match=reason):
        export_model(trained.spec(out), quiet)
    assert [str(path.relative_to(out.parent)) for path in out.parent.rglob("*")] == ["demo", "demo/earlier"]


def test_an_earlier_export_stays_where_the_new_one_cannot_be_put_in_its_place(
    built: Trained, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out.mkdir()
    (out / "earlier").write_text("kept")
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if path.suffix == ".part":
            raise OSError(errno.EIO, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(ExportError, match="Input/output error"):
        export_model(built.spec(out, merged=False, ollama=False), quiet)
    assert [str(path.relative_to(out.parent)) for path in out.parent.rglob("*")] == ["demo", "demo/earlier"]


def test_an_adapter_of_another_scale_is_refused(built: Trained, out: Path) -> None:
    out.mkdir()
    write_forms(built.spec(out), out, quiet)
    prove_export(built.spec(out), out, quiet)
    path = out / "adapter" / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"lora_alpha": 8}))
    with pytest.raises(ExportRefusedError, match="counts 1 times, and 2 times in training"):
        prove_export(built.spec(out), out, quiet)


def test_the_process_leaves_its_refusal_in_one_sentence(trained: Trained, out: Path) -> None:
    _merged_twice(trained)
    spec = trained.spec(out)
    path = spec.write(Path(spec.work_folder) / "spec.json")
    done = subprocess.run(build_command(path), env=child_environment(), capture_output=True, text=True, check=False)
    said = json.loads((Path(spec.work_folder) / "error.json").read_text())
    assert done.returncode == 3, done.stderr
    assert said["error"] == "ExportRefusedError"
    assert "divergence" in said["message"]
    assert not out.exists()
