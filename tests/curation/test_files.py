"""Writes are whole or not there."""

import errno
import os
from pathlib import Path

import pytest

from curation.errors import StoreFullError
from curation.files import FileSystem, replace_folder, write_atomically


@pytest.mark.parametrize("remote", [False, True])
def test_what_is_written_can_be_read_found_and_removed(tmp_path: Path, remote: bool) -> None:
    files = FileSystem("memory://files-test" if remote else str(tmp_path / "store"))
    assert files.is_local is not remote
    assert files.find("a", ".json") == []
    files.write_bytes("a/b/two.json", b"2")
    files.write_bytes("a/one.json", b"1")
    files.write_bytes("a/one.json", b"11")
    files.write_bytes("a/skip.txt", b"")
    assert files.find("a", ".json") == ["a/b/two.json", "a/one.json"]
    assert files.read_bytes("a/one.json") == b"11"
    files.remove("a")
    assert not files.exists("a/one.json")


@pytest.mark.parametrize("call", ["fsync", "rename"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    files = FileSystem(str(tmp_path))
    files.write_bytes("file", b"old")

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    if call == "fsync":
        monkeypatch.setattr(os, "fsync", refuse)
    else:
        monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(StoreFullError, match=os.strerror(code)):
        files.write_bytes("file", b"new")
    with pytest.raises(StoreFullError):
        files.write_bytes("other", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreFullError, match="file"):
        FileSystem(str(tmp_path)).write_bytes("file/below", b"x")


def test_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    for number in range(20):
        write_atomically(tmp_path / "file", bytes([number]) * 1000)
    assert (tmp_path / "file").read_bytes() == b"\x13" * 1000
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("remote", [False, True])
def test_folders_are_copied_whole(tmp_path: Path, remote: bool) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "a.txt").write_text("a")
    (source / "sub" / "b.txt").write_text("b")
    files = FileSystem("memory://folder-test" if remote else str(tmp_path / "store"))
    files.put_folder(source, "folders/x")
    local = files.get_folder("folders/x", tmp_path / "cache" / "x")
    assert {str(path.relative_to(local)): path.read_text() for path in local.rglob("*") if path.is_file()} == {
        "a.txt": "a",
        "sub/b.txt": "b",
    }
    files.put_folder(source, "folders/x")


@pytest.mark.parametrize("refused", [False, True])
def test_a_folder_takes_the_place_of_another_or_leaves_it_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    part, folder = tmp_path / "part", tmp_path / "folder"
    for path, text in ((part, "new"), (folder, "old")):
        (path / "inner").mkdir(parents=True)
        (path / "inner" / "file").write_text(text)
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if path == part:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(path, target)

    if refused:
        monkeypatch.setattr(Path, "rename", refuse)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            replace_folder(part, folder)
    else:
        replace_folder(part, folder)
    assert (folder / "inner" / "file").read_text() == ("old" if refused else "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == (["folder", "part"] if refused else ["folder"])
