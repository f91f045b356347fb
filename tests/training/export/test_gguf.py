"""GGUF with the package `gguf`, and a converter for small Llamas in the place of llama.cpp's."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from curation.errors import ExportRefusedError
from tests.training.export.conftest import Trained
from training.export.build import export_model
from training.export.gguf import find_converter, write_gguf

CONVERTER = Path(__file__).with_name("tiny_converter.py")


@pytest.fixture
def converter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "llama.cpp"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return Path(shutil.copy(CONVERTER, folder / "convert_hf_to_gguf.py"))


def test_a_converter_is_found_in_a_folder_of_path(converter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_converter() == converter
    monkeypatch.setenv("PATH", str(converter))
    assert find_converter() is None


def test_the_package_that_reads_it_back_is_asked_for(converter: Path, built: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ExportRefusedError, match="needs the package `gguf`"):
        write_gguf(built.model, name="demo")


def test_a_converter_that_fails_is_quoted(converter: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    converter.write_text("raise SystemExit('Model LlamaForCausalLM is not supported')")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    with pytest.raises(ExportRefusedError, match=r"does not take the model \(Model LlamaForCausalLM is not supported\)"):
        write_gguf(trained.model, name="demo")


def test_a_converter_that_is_never_done_is_refused_whatever_it_wrote(
    converter: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_and_hang(command: list[str], *, timeout: float, **_: object) -> None:
        Path(command[command.index("--outfile") + 1]).write_bytes(b"half")
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr("subprocess.run", write_and_hang)
    with pytest.raises(ExportRefusedError, match=r"does not take the model \(it was not done after 4 hours\)"):
        write_gguf(trained.model, name="demo")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_gguf_file_is_read_back_and_compared(converter: Path, built: Trained, out: Path) -> None:
    pytest.importorskip("gguf")
    folder = export_model(built.spec(out, gguf=True), lambda _: None)
    proof = json.loads((folder / "proof.json").read_text())
    assert set(proof["formats"]) == {"adapter", "merged", "gguf"}
    assert proof["formats"]["gguf"]["kl"] < 1e-6
    assert proof["formats"]["gguf"]["num_same"] == 20
    assert "model.gguf" in (folder / "SHA256SUMS").read_text()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("unpermuted", "gguf model is not the one that was trained: its divergence"),
        ("plain", "names no chat template"),
        ("changed", "another chat template"),
    ],
)
def test_a_wrong_gguf_file_is_refused(
    converter: Path, built: Trained, out: Path, monkeypatch: pytest.MonkeyPatch, fault: str, reason: str
) -> None:
    pytest.importorskip("gguf")
    monkeypatch.setenv("TINY_CONVERTER", fault)
    with pytest.raises(ExportRefusedError, match=reason):
        export_model(built.spec(out, gguf=True, adapter=False), lambda _: None)
    assert list(out.parent.iterdir()) == []
