from pathlib import Path

import pytest

from training.memory.device import Gpu, find_gpus, read_gpus

LISTING = "0, GPU-aa11, NVIDIA H100 80GB HBM3, 81559\n1, GPU-bb22, NVIDIA L4, 23034\nbroken line\n2, GPU-cc, x, [N/A]\n"
H100, L4 = Gpu("NVIDIA H100 80GB HBM3", 81559 * 2**20), Gpu("NVIDIA L4", 23034 * 2**20)


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, (H100, L4)),
        ("1", (L4,)),
        ("1,0", (L4, H100)),
        ("GPU-bb", (L4,)),
        ("0,7,1", (H100,)),
        ("", ()),
        ("-1", ()),
    ],
)
def test_the_devices_that_cuda_shows(visible: str | None, expected: tuple[Gpu, ...]) -> None:
    assert read_gpus(LISTING, visible) == expected


def test_a_machine_without_the_tool_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_gpus() == ()


def test_the_tool_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho '0, GPU-aa11, NVIDIA L4, 23034'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert find_gpus() == (L4,)
    tool.write_text("#!/bin/sh\necho 'no devices were found'; exit 9\n")
    assert find_gpus() == ()
