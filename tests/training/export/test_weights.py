import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.errors import ExportError
from training.export.weights import count_parameters, list_weight_files, write_weights


def write_file(path: Path, tensors: dict[str, Any]) -> Path:
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata={"format": "pt"})
    return path


@given(sizes=st.lists(st.integers(0, 40), min_size=1, max_size=8), limit=st.integers(1, 120), num_files=st.integers(1, 2))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tensors_are_the_same_bit_by_bit_in_files_of_any_size(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], limit: int, num_files: int
) -> None:
    import torch
    from safetensors.torch import load_file

    folder = tmp_path_factory.mktemp("weights")
    kinds = [torch.bfloat16, torch.float32, torch.int64]
    tensors = {f"t{index}": torch.arange(size).to(kinds[index % 3]) for index, size in enumerate(sizes)}
    names = sorted(tensors)
    parts = [part for part in (names[::num_files], names[1::2] if num_files == 2 else []) if part]
    files = [
        write_file(folder / "in" / f"{index}.safetensors", {name: tensors[name] for name in part})
        for index, part in enumerate(parts)
    ]
    (folder / "out").mkdir()
    written = write_weights(files, folder / "out", name="demo", limit=limit)
    found = {name: tensor for file in written if file.suffix == ".safetensors" for name, tensor in load_file(file).items()}
    assert found.keys() == tensors.keys()
    assert all(found[name].dtype == tensors[name].dtype and found[name].equal(tensors[name]) for name in names)
    for file in written:
        bytes_held = sum(tensor.nbytes for tensor in load_file(file).values())
        assert bytes_held <= limit or len(load_file(file)) == 1 or all(part.stat().st_size <= limit for part in files)


def test_shards_have_an_index_that_transformers_reads(tmp_path: Path) -> None:
    import torch

    file = write_file(tmp_path / "in" / "model.safetensors", {f"w{number}": torch.ones(4) for number in range(5)})
    (tmp_path / "out").mkdir()
    written = write_weights([file], tmp_path / "out", name="demo", limit=32)
    assert [path.name for path in written] == [f"model-0000{number}-of-00003.safetensors" for number in (1, 2, 3)]
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    assert index["metadata"] == {"total_size": 80}
    assert index["weight_map"]["w0"] == written[0].name
    assert index["weight_map"]["w4"] == written[2].name
    assert count_parameters(written, "demo") == 20


@pytest.mark.parametrize("kind", ["uint8", "int8", "float8_e4m3fn"])
def test_quantised_weights_are_not_exported(tmp_path: Path, kind: str) -> None:
    import torch

    write_file(tmp_path / "model.safetensors", {"w": torch.zeros(4).to(getattr(torch, kind))})
    with pytest.raises(ExportError, match=r"'w' is stored as .* in the precision of its base"):
        list_weight_files(tmp_path, "demo")


def _lies(header: dict[str, Any], size: int) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"\0" * size


@pytest.mark.parametrize(
    "content",
    [
        b"",
        struct.pack("<Q", 1 << 62) + b"{}",
        _lies({}, 4),
        _lies({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, 3),
        _lies({"w": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}, 0),
        _lies({"w": {"dtype": "F32", "shape": [1]}}, 4),
        _lies({"w": [1]}, 4),
        struct.pack("<Q", 2) + b"[]",
    ],
)
def test_a_file_that_lies_about_itself_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ExportError, match=r"model\.safetensors is damaged"):
        list_weight_files(tmp_path, "demo")


def test_a_folder_without_weights_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no safetensors"):
        list_weight_files(tmp_path, "demo")
