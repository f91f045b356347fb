"""The list of hashes that goes with a folder: what it covers, and what it notices."""

from collections.abc import Callable
from pathlib import Path

import pytest

from curation.checksums import SUMS, add_sums, find_changed, read_sums, write_sums


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "adapter").mkdir()
    for name in ("config.json", "two  spaces.txt", "adapter/weights.bin"):
        (tmp_path / name).write_text(name)
    write_sums(tmp_path)
    return tmp_path


def _add(folder: Path) -> None:
    (folder / "adapter" / "evil.py").write_text("")


def _change(folder: Path) -> None:
    (folder / "config.json").write_text("config.jsoN")


def _delete(folder: Path) -> None:
    (folder / "config.json").unlink()


def _cut(folder: Path) -> None:
    (folder / SUMS).write_text((folder / SUMS).read_text()[:-30])


def _unsign(folder: Path) -> None:
    (folder / SUMS).unlink()


def _lead_out(folder: Path) -> None:
    (folder / SUMS).write_text("0" * 64 + "  ../secret\n")


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (_add, "adapter/evil.py was added"),
        (_change, "config.json was changed"),
        (_delete, "config.json is missing"),
        (_cut, "line 3 of SHA256SUMS cannot be read"),
        (_unsign, "SHA256SUMS cannot be read (FileNotFoundError)"),
        (_lead_out, "line 1 of SHA256SUMS leads out of the folder"),
    ],
)
def test_whatever_is_done_to_a_signed_folder_is_noticed(folder: Path, damage: Callable[[Path], None], problem: str) -> None:
    assert find_changed(folder) == ""
    damage(folder)
    found = find_changed(folder)
    assert found == problem or (damage is _cut and found)


def test_signing_one_more_file_leaves_the_other_lines_as_they_were(folder: Path) -> None:
    before = read_sums(folder)
    (folder / "more.json").write_text("{}")
    _change(folder)
    add_sums(folder, "more.json")
    assert {name: digest for name, digest in read_sums(folder).items() if name != "more.json"} == before
    assert find_changed(folder) == "config.json was changed"
