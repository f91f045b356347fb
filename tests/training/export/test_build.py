import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curation.checksums import write_sums
from curation.errors import ConfigError, ExportError, ExportRefusedError
from evaluation.release.config import ExportsConfig
from tests.training.export.conftest import Trained, make_adapter
from training.export.build import export_model, write_forms
from training.export.spec import ExportSpec


def quiet(_: str) -> None:
    """Say nothing."""


def _no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _torn_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def _no_config(folder: Path) -> None:
    (folder / "config.json").write_text("[1")


def _four_bits(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"quantization_config": {"load_in_4bit": True}}))


def _no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_no_weights, "no safetensors"),
        (_torn_weights, r"model\.safetensors is damaged"),
        (_no_config, r"config\.json cannot be read"),
        (_four_bits, "merged in the precision of its base"),
        (_no_tokenizer, r"tokenizer\.json cannot be read"),
    ],
)
def test_a_broken_model_is_not_exported(trained: Trained, out: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(trained.model)
    with pytest.raises(ExportError, match=message):
        export_model(trained.spec(out), quiet)
    assert list(out.parent.iterdir()) == []


def test_each_form_holds_what_it_is_served_with(built: Trained, out: Path) -> None:
    out.mkdir()
    assert write_forms(built.spec(out, adapter=True), out, quiet) == {}
    top, adapter = ({path.name for path in folder.iterdir()} for folder in (out, out / "adapter"))
    shared = {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"}
    assert top == shared | {"model.safetensors", "config.json", "manifest.json", "Modelfile", "adapter"}
    assert adapter == shared | {"adapter_model.safetensors", "adapter_config.json", "README.md"}
    assert "--max-lora-rank 8 --lora-modules demo=ADAPTER" in (out / "adapter" / "README.md").read_text()
    assert (out / "model.safetensors").read_bytes() == (built.model / "model.safetensors").read_bytes()


def test_what_is_left_out_is_said(trained: Trained, out: Path) -> None:
    out.mkdir()
    path = trained.model / "adapter" / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"use_dora": True}))
    assert "use_dora" in write_forms(trained.spec(out), out, quiet)["adapter"]
    full = write_forms(trained.spec(out, parent_folder=""), out, quiet)
    assert "all weights" in full["adapter"]
    assert not (out / "adapter").exists()


@pytest.mark.parametrize("wanted", [{"adapter": True}, {"merged": False, "ollama": False}])
def test_an_adapter_that_is_not_there_cannot_be_insisted_on(built: Trained, out: Path, wanted: dict[str, bool]) -> None:
    with pytest.raises(ExportRefusedError, match="all weights of the model were trained"):
        export_model(built.spec(out, parent_folder="", **wanted), quiet)
    assert list(out.parent.iterdir()) == []


def test_gguf_without_a_converter_says_what_is_missing(built: Trained, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(out.parent))
    with pytest.raises(ExportRefusedError, match=r"convert_hf_to_gguf\.py, which is in no folder of PATH"):
        export_model(built.spec(out, gguf=True), quiet)
    assert list(out.parent.iterdir()) == []


def test_the_sums_are_those_of_sha256sum(tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "a b.txt").write_text("one")
    (tmp_path / "adapter" / "x").write_bytes(b"\0")
    check = ["sha256sum", "--check", "--strict", write_sums(tmp_path).name]
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    assert len(write_sums(tmp_path).read_text().splitlines()) == 2
    (tmp_path / "adapter" / "x").write_bytes(b"\1")
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode == 1


def test_a_spec_survives_its_file(built: Trained, out: Path) -> None:
    spec = built.spec(out, adapter=None, revision="abc")
    assert ExportSpec.read(spec.write(out.parent / "spec.json")) == spec
    (out.parent / "spec.json").write_text('{"name": "x", "unknown": 1}')
    with pytest.raises(ConfigError, match="is not an export spec"):
        ExportSpec.read(out.parent / "spec.json")


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ({"merged": False}, "release.exports.ollama"),
        ({"merged": False, "ollama": False, "gguf": True}, "release.exports.gguf"),
        ({"merged": False, "ollama": False, "adapter": False}, "release.exports:"),
    ],
)
def test_forms_that_make_no_sense_are_refused(wanted: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError, match=path):
        ExportsConfig(**wanted)


def test_high_ranks_are_left_out_unless_they_are_insisted_on(trained: Trained, out: Path) -> None:
    folder = make_adapter(trained.model.with_name("high"), trained.parent, rank=600)
    folder.rename((trained.model / "adapter").rename(trained.model / "old").with_name("adapter"))
    out.mkdir()
    assert "rank 600" in write_forms(trained.spec(out), out, quiet)["adapter"]
    with pytest.raises(ExportRefusedError, match="rank 600"):
        write_forms(trained.spec(out, adapter=True), out, quiet)
