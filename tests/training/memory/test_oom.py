import json
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import MemoryExhaustedError
from training.config import StageConfig
from training.memory.fitting import PACK_SHARES, first_batching
from training.memory.oom import Batching, halve, is_out_of_memory, read_batching, train_within_memory, write_batching


class OutOfMemoryError(RuntimeError):
    """As torch.OutOfMemoryError."""


class Device:
    """Can hold so many rows."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.tried: list[Batching] = []

    def train(self, batching: Batching) -> Batching:
        self.tried.append(batching)
        if batching.batch_size > self.rows:
            raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return batching


def train(device: Device, batching: Batching, remembered: list[Batching], said: list[str]) -> Batching:
    return train_within_memory(
        batching, device.train, stage="sft", remember=remembered.append, say=said.append, release=lambda: None
    )


@given(st.integers(1, 512), st.integers(1, 64), st.integers(1, 512))
def test_the_effective_batch_never_changes(batch_size: int, accumulation: int, rows: int) -> None:
    device, remembered = Device(rows), list[Batching]()
    found = train(device, Batching(batch_size, accumulation), remembered, [])
    assert {batching.effective for batching in device.tried} == {batch_size * accumulation}
    assert found.batch_size <= rows
    assert remembered == device.tried[1:]


def test_halves_are_halves_where_there_are_any() -> None:
    device, said = Device(3), list[str]()
    assert train(device, Batching(16, 2), [], said) == Batching(2, 16)
    assert [batching.batch_size for batching in device.tried] == [16, 8, 4, 2]
    assert said[0] == "out of memory at 16 x 2; going on with micro-batches of 8, 4 times a step: the effective batch stays 32"
    assert halve(Batching(15, 1)) == Batching(5, 3)
    assert halve(Batching(7, 2)) == Batching(1, 14)
    assert halve(Batching(1, 8)) is None
    assert halve(Batching(2, 8), smallest=2) is None


def test_one_row_too_many_is_told() -> None:
    with pytest.raises(MemoryExhaustedError, match=r"'sft' ran out of memory with 1 rows at once.*\(CUDA out of memory"):
        train(Device(0), Batching(4, 1), [], [])


def test_other_errors_are_not_swallowed() -> None:
    def fail(batching: Batching) -> None:
        raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        train_within_memory(Batching(4, 1), fail, stage="sft", remember=lambda _: None, say=lambda _: None)


def test_what_counts_as_out_of_memory() -> None:
    assert is_out_of_memory(OutOfMemoryError())
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"))
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ..."))
    wrapped = ValueError("step failed")
    wrapped.__cause__ = OutOfMemoryError()
    assert is_out_of_memory(wrapped)
    assert not is_out_of_memory(ValueError("the row says: out of memory"))
    assert not is_out_of_memory(RuntimeError("out of range"))
    assert not is_out_of_memory(None)


def test_the_error_of_torch_counts() -> None:
    import torch

    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))


def test_nothing_of_a_failed_attempt_is_kept_alive() -> None:
    """Memory is released outside of the except block: inside, the traceback would hold the model."""
    alive: list[weakref.ref[Device]] = []

    def fail_once(batching: Batching) -> Batching:
        if alive:
            return batching
        model = Device(0)
        alive.append(weakref.ref(model))
        return model.train(batching)

    def check_release() -> None:
        assert alive[0]() is None

    train_within_memory(
        Batching(2, 1), fail_once, stage="sft", remember=lambda _: None, say=lambda _: None, release=check_release
    )


def test_what_was_found_survives_the_process(tmp_path: Path) -> None:
    configured = Batching(8, 2)
    assert read_batching(tmp_path, "f", configured) == configured
    write_batching(tmp_path, "f", Batching(2, 8))
    assert read_batching(tmp_path, "f", configured) == Batching(2, 8)
    assert read_batching(tmp_path, "another run", configured) == configured
    assert read_batching(tmp_path, "f", Batching(8, 4)) == Batching(8, 4), "another effective batch is another run"


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"fingerprint": "f"}', '{"fingerprint": "f", "batch_size": 0, "accumulation": 9}']
)
def test_a_damaged_file_is_ignored(tmp_path: Path, text: str) -> None:
    (tmp_path / "batching.json").write_text(text)
    assert read_batching(tmp_path, "f", Batching(8, 2)) == Batching(8, 2)


def test_numbers_that_were_tampered_with_are_ignored(tmp_path: Path) -> None:
    values = {"fingerprint": "f", "batch_size": -8, "accumulation": -2}
    (tmp_path / "batching.json").write_text(json.dumps(values))
    assert read_batching(tmp_path, "f", Batching(8, 2)) == Batching(8, 2)


@pytest.mark.parametrize(("optimizer", "first"), [
    ("adamw", Batching(PACK_SHARES, 1)),
    ("adamw_8bit", Batching(1, 1)),
    ("adamw_8bit_offloaded", Batching(1, 1)),
])  # fmt: skip
def test_a_pack_stays_whole_where_every_micro_batch_is_a_step(optimizer: Any, first: Batching) -> None:
    stage = StageConfig(method="sft", tuning="full", packing=True, optimizer=optimizer, gradient_accumulation=1)
    job: Any = SimpleNamespace(stage=stage, packs=object())
    assert first_batching(job) == first
