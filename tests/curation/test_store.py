"""The store: one root for one set of rows, small writes for small edits, and nothing torn."""

import dataclasses
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from curation import store as store_module
from curation.errors import CorruptTableError, MissingSnapshotError, MissingTableError, StoreFullError, TableLayoutError
from curation.records import Example, Message, Provenance, Rejection
from curation.store import Snapshot, Store, version_of

PROVENANCE = Provenance(origin="human", method="demonstration")


def _example(number: int, answer: str = "fine") -> Example:
    messages = (Message(role="user", content=f"Question {number}?"), Message(role="assistant", content=answer))
    return Example(key=f"k{number:05}", task="qa", messages=messages, group="g", provenance=PROVENANCE)


def _shards(folder: Path) -> set[Path]:
    return set(folder.glob("shards/*/*"))


def test_rows_come_back_and_the_root_ignores_their_order(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    rows = [_example(number) for number in range(2500)]
    table = store.write_table(Example, rows)
    assert (table.record, table.num_rows) == ("Example", 2500)
    assert sorted(store.read_table(Example, table.root), key=lambda row: row.key) == rows
    before = _shards(tmp_path)
    assert store.write_table(Example, reversed(rows)) == table
    assert _shards(tmp_path) == before
    assert store.write_table(Example, rows[1:]).root != table.root


@pytest.mark.slow
def test_editing_one_of_twenty_thousand_rows_writes_one_shard(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    rows = [_example(number) for number in range(20_000)]
    old = store.write_table(Example, rows)
    before = _shards(tmp_path)
    rows[777] = _example(777, "edited")
    new = store.write_table(Example, rows)
    assert new.root != old.root
    assert len(_shards(tmp_path) - before) == 1
    assert len(before) > 8
    answers = {row.key: row.answer for row in store.read_table(Example, old.root)}
    assert answers["k00777"] == "fine"


def test_empty_tables_and_equal_rows_are_tables_too(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    empty = store.write_table(Example, [])
    assert list(store.read_table(Example, empty.root)) == []
    twice = store.write_table(Example, [_example(1), _example(1)])
    assert len(list(store.read_table(Example, twice.root))) == 2
    assert store.write_table(Rejection, []).root != empty.root


def test_a_remote_store_behaves_alike(tmp_path: Path) -> None:
    rows = [_example(number) for number in range(10)]
    table = Store("memory://store-test").write_table(Example, rows)
    assert table == Store(str(tmp_path)).write_table(Example, rows)
    assert sorted(Store("memory://store-test").read_table(Example, table.root), key=lambda row: row.key) == rows


def test_missing_and_mistaken_tables_are_named(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    with pytest.raises(MissingTableError, match="sft_dataset"):
        list(store.read_table(Example, "0" * 32, asset="sft_dataset"))
    table = store.write_table(Example, [_example(1)])
    with pytest.raises(CorruptTableError, match="holds Example"):
        store.read_arrow(Rejection, table.root)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "remove"])
def test_a_damaged_shard_is_named_and_rebuilt_after_deletion(tmp_path: Path, damage: str) -> None:
    store = Store(str(tmp_path))
    rows = [_example(number) for number in range(50)]
    table = store.write_table(Example, rows)
    (shard,) = _shards(tmp_path)
    data = shard.read_bytes()
    middle = len(data) // 2
    damaged = {
        "flip": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
        "cut": data[:middle],
        "empty": b"",
        "remove": b"",
    }
    shard.write_bytes(damaged[damage])
    if damage == "remove":
        shard.unlink()
    with pytest.raises(CorruptTableError, match=shard.name):
        list(store.read_table(Example, table.root))
    shard.unlink(missing_ok=True)
    assert store.write_table(Example, rows) == table
    assert len(list(store.read_table(Example, table.root))) == 50


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    table = store.write_table(Example, [_example(1)])
    path = tmp_path / "tables" / f"{table.root}.json"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(CorruptTableError, match=table.root):
        list(store.read_table(Example, table.root))


def test_a_table_of_another_version_is_named_with_the_columns_that_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(str(tmp_path))
    table = store.write_table(Rejection, [Rejection(key="a", stage="s", reason="r", detail="d", record_hash="h", excerpt="e")])
    now = store_module.schema_of(Rejection).remove(0).append(pa.field("added_later", pa.string()))
    monkeypatch.setattr(store_module, "schema_of", lambda cls: now)
    for read in (lambda: list(store.read_table(Rejection, table.root)), lambda: store.read_arrow(Rejection, table.root)):
        with pytest.raises(TableLayoutError, match=r"another version of Tunewright \(Rejection differs in added_later, key\)"):
            read()


def test_a_full_disk_says_so_and_leaves_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(str(tmp_path))

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(StoreFullError, match="No space left"):
            store.write_table(Example, [_example(1)])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    table = store.write_table(Example, [_example(1)])
    assert list(store.read_table(Example, table.root)) == [_example(1)]


KILLED = """
import os, signal, sys
from curation.records import Example, Message, Provenance
from curation.store import Store
calls, real = 0, os.fsync
def fsync(descriptor):
    global calls
    calls += 1
    if calls == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    real(descriptor)
os.fsync = fsync
def row(number):
    messages = (Message(role="user", content="q"), Message(role="assistant", content="a"))
    return Example(key=str(number), task="qa", messages=messages, group="g", provenance=Provenance(origin="human", method="m"))
print(Store(sys.argv[1]).write_table(Example, [row(number) for number in range(10)]).root)
"""


@pytest.mark.slow
def test_a_writer_killed_at_any_moment_leaves_nothing_half_written(tmp_path: Path) -> None:
    """The moments are the calls of fsync: for the shard, the lineage index, the manifest, and the folder of each."""
    has_manifest = []
    for moment in range(1, 30):
        folder = tmp_path / str(moment)
        command = [sys.executable, "-c", KILLED, str(folder), str(moment)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        manifests = list(folder.glob("tables/*.json"))
        has_manifest.append(bool(manifests))
        for manifest in manifests:
            assert len(list(Store(str(folder)).read_table(Example, manifest.stem))) == 10
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(has_manifest) >= 5, "a shard and a manifest, each with its folder, and the end"
    assert has_manifest == sorted(has_manifest), "what was written once does not depend on what is written later"
    assert not has_manifest[0]
    assert has_manifest[-1]


def test_folders_are_addressed_by_their_content(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    model = tmp_path / "model"
    (model / "sub").mkdir(parents=True)
    (model / "weights.bin").write_bytes(b"123")
    (model / "sub" / "config.json").write_text("{}")
    first = store.put_folder(model)
    assert store.put_folder(model) == first
    assert (store.get_folder(first) / "sub" / "config.json").read_text() == "{}"
    (model / "weights.bin").write_bytes(b"124")
    assert store.put_folder(model) != first
    with pytest.raises(MissingTableError):
        store.get_folder("0" * 32)


def test_snapshots_are_the_newest_and_builds_are_remembered(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    tables = {"examples": store.write_table(Example, [_example(1)])}
    old = Snapshot(asset="demo/documents", partition="api-0of4", version="1", tables=tables, values={"n": 1}, fingerprint="f1")
    new = dataclasses.replace(old, version="2", fingerprint="f2")
    with pytest.raises(MissingSnapshotError, match="api-0of4"):
        store.snapshot("demo/documents", "api-0of4")
    store.put_snapshot(old)
    store.put_snapshot(new)
    assert store.snapshot("demo/documents", "api-0of4") == new
    assert store.find_snapshot("demo/documents") is None
    assert store.find_build("demo/documents", "f1") == old
    assert store.find_build("demo/documents", "f3") is None
    assert store.list_snapshots("demo") == [new]
    store.files.remove(f"tables/{tables['examples'].root}.json")
    assert store.find_build("demo/documents", "f1") is None


def test_versions_ignore_rejections(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    kept = {"examples": store.write_table(Example, [_example(1)])}
    one = version_of({**kept, "rejections": store.write_table(Rejection, [])}, {})
    assert one == version_of(kept, {})
    assert one != version_of(kept, {"model": "x"})
