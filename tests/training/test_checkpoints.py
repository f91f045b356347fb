import shutil
from pathlib import Path

import pytest

from training.checkpoints import find_checkpoint, remove_checkpoints, seal_checkpoint


def make_checkpoint(work: Path, step: int, fingerprint: str = "f") -> Path:
    staged = work / "staging" / f"checkpoint-{step}"
    (staged / "inner").mkdir(parents=True)
    (staged / "weights.bin").write_bytes(bytes([step]) * 100)
    (staged / "inner" / "state.json").write_text("{}")
    return seal_checkpoint(staged, work, step=step, fingerprint=fingerprint)


def test_the_newest_is_found_and_the_oldest_dropped(tmp_path: Path) -> None:
    folders = [make_checkpoint(tmp_path, step) for step in (5, 10, 100)]
    assert find_checkpoint(tmp_path, "f") == folders[2]
    assert [folder.exists() for folder in folders] == [False, True, True]


@pytest.mark.parametrize("damage", ["cut", "flip", "missing", "unsealed", "torn seal"])
def test_a_damaged_one_is_passed_over(tmp_path: Path, damage: str) -> None:
    older, newest = make_checkpoint(tmp_path, 5), make_checkpoint(tmp_path, 10)
    weights, seal = newest / "weights.bin", newest / "seal.json"
    {
        "cut": lambda: weights.write_bytes(weights.read_bytes()[:50]),
        "flip": lambda: weights.write_bytes(b"x" + weights.read_bytes()[1:]),
        "missing": weights.unlink,
        "unsealed": seal.unlink,
        "torn seal": lambda: seal.write_text(seal.read_text()[:40]),
    }[damage]()
    assert find_checkpoint(tmp_path, "f") == older


def test_those_of_other_data_are_not_used(tmp_path: Path) -> None:
    make_checkpoint(tmp_path, 5, "other")
    assert find_checkpoint(tmp_path, "f") is None


def test_what_was_only_staged_is_not_used(tmp_path: Path) -> None:
    shutil.copytree(make_checkpoint(tmp_path, 5), tmp_path / "staging" / "checkpoint-10")
    remove_checkpoints(tmp_path)
    assert find_checkpoint(tmp_path, "f") is None
    assert list(tmp_path.iterdir()) == []
