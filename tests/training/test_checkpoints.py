import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.errors import OtherRunError
from training import checkpoints
from training.checkpoints import find_checkpoint, refuse_others, remove_checkpoints, remove_from, seal_checkpoint


def make_checkpoint(work: Path, step: int, fingerprint: str = "f", keep: int = 2, best_step: int | None = None) -> Path:
    staged = work / "staging" / f"checkpoint-{step}"
    (staged / "inner").mkdir(parents=True)
    (staged / "weights.bin").write_bytes(bytes([step]) * 100)
    (staged / "inner" / "state.json").write_text("{}")
    return seal_checkpoint(staged, work, step=step, fingerprint=fingerprint, keep=keep, best_step=best_step)


def steps_kept(work: Path) -> list[int]:
    return sorted(int(folder.name[5:]) for folder in (work / "checkpoints").iterdir())


def test_the_newest_is_found_and_the_oldest_dropped(tmp_path: Path) -> None:
    folders = [make_checkpoint(tmp_path, step) for step in (5, 10, 100)]
    assert find_checkpoint(tmp_path, "f") == folders[2]
    assert [folder.exists() for folder in folders] == [False, True, True]


@pytest.mark.parametrize(("keep", "kept"), [(1, [40]), (3, [20, 30, 40])])
def test_so_many_are_kept(tmp_path: Path, keep: int, kept: list[int]) -> None:
    for step in (10, 20, 30, 40):
        make_checkpoint(tmp_path, step, keep=keep)
    assert steps_kept(tmp_path) == kept


def test_a_kill_while_an_old_one_is_deleted_leaves_no_part_of_it_to_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (10, 20):
        make_checkpoint(tmp_path, step)

    def die_half_way(folder: Path, **_: object) -> None:
        if folder.exists():
            (folder / "seal.json").unlink()
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", die_half_way)
        with pytest.raises(KeyboardInterrupt):
            make_checkpoint(tmp_path, 30)
    whole = sorted((tmp_path / "checkpoints").glob("step-*"))
    assert [int(folder.name[5:]) for folder in whole] == [20, 30]
    assert all((folder / "seal.json").exists() for folder in whole)
    make_checkpoint(tmp_path, 40)
    assert steps_kept(tmp_path) == [30, 40], "and the rest of it is gone"


def test_the_best_stays_beside_the_newest(tmp_path: Path) -> None:
    for step in (10, 20, 30, 40):
        make_checkpoint(tmp_path, step, keep=1, best_step=20 if step >= 20 else 10)
    assert steps_kept(tmp_path) == [20, 40]


def test_a_full_disk_costs_the_new_one_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older, newest = make_checkpoint(tmp_path, 5), make_checkpoint(tmp_path, 10)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints, "write_atomically", refuse)
    with pytest.raises(OSError, match="No space"):
        make_checkpoint(tmp_path, 15)
    assert find_checkpoint(tmp_path, "f") == newest
    assert older.exists()


def test_what_is_damaged_is_written_again(tmp_path: Path) -> None:
    make_checkpoint(tmp_path, 5)
    (make_checkpoint(tmp_path, 10) / "weights.bin").write_bytes(b"")
    again = make_checkpoint(tmp_path, 10)
    assert find_checkpoint(tmp_path, "f") == again


def test_damaged_ones_of_later_steps_never_push_a_new_one_out(tmp_path: Path) -> None:
    for step in (10, 20, 30):
        make_checkpoint(tmp_path, step, keep=3)
    for step in (20, 30):
        (tmp_path / "checkpoints" / f"step-{step:08d}" / "weights.bin").write_bytes(b"")
    again = make_checkpoint(tmp_path, 15, keep=2)  # gone on from 10, and told to end
    assert find_checkpoint(tmp_path, "f") == again
    assert steps_kept(tmp_path) == [10, 15]


@pytest.mark.parametrize(("others", "what"), [("g", "other data"), ("f-4", "4 processes instead of 1"), ("g-4", "other data")])
def test_those_of_another_run_are_refused_and_stay(tmp_path: Path, others: str, what: str) -> None:
    folder = make_checkpoint(tmp_path, 5, others)
    with pytest.raises(OtherRunError, match=what) as refused:
        refuse_others(tmp_path, "f")
    assert str(folder) in str(refused.value)
    assert folder.exists()


def test_own_and_damaged_ones_are_no_reason_to_refuse(tmp_path: Path) -> None:
    make_checkpoint(tmp_path, 5)
    (make_checkpoint(tmp_path, 10, "g") / "seal.json").write_text("{")
    refuse_others(tmp_path, "f")
    assert steps_kept(tmp_path) == [5, 10]


def test_what_came_after_a_step_can_be_dropped(tmp_path: Path) -> None:
    for step in (5, 10, 15):
        make_checkpoint(tmp_path, step, keep=3)
    remove_from(tmp_path, 10)
    assert steps_kept(tmp_path) == [5]


@pytest.mark.parametrize("damage", ["cut", "flip", "missing", "unsealed", "torn seal"])
def test_a_damaged_one_is_passed_over(tmp_path: Path, damage: str) -> None:
    older, newest = make_checkpoint(tmp_path, 5), make_checkpoint(tmp_path, 10)
    weights, seal = newest / "weights.bin", newest / "seal.json"
    damages: dict[str, Callable[[], object]] = {
        "cut": lambda: weights.write_bytes(weights.read_bytes()[:50]),
        "flip": lambda: weights.write_bytes(b"x" + weights.read_bytes()[1:]),
        "missing": weights.unlink,
        "unsealed": seal.unlink,
        "torn seal": lambda: seal.write_text(seal.read_text()[:40]),
    }
    damages[damage]()
    assert find_checkpoint(tmp_path, "f") == older


def test_those_of_other_data_are_not_used(tmp_path: Path) -> None:
    make_checkpoint(tmp_path, 5, "other")
    assert find_checkpoint(tmp_path, "f") is None


def test_what_was_only_staged_is_not_used(tmp_path: Path) -> None:
    shutil.copytree(make_checkpoint(tmp_path, 5), tmp_path / "staging" / "checkpoint-10")
    remove_checkpoints(tmp_path)
    assert find_checkpoint(tmp_path, "f") is None
    assert list(tmp_path.iterdir()) == []
