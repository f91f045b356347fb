"""Backups under load: all that was acknowledged before is in them, and nothing damaged or older is put back."""

import json
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.home import Home
from curation.records import ReviewItem
from curation.review.config import ReviewConfig
from curation.review.errors import BackupError
from curation.review.exchange.backup import backup, restore
from curation.review.queue import ReviewQueue, open_queue

pytestmark = pytest.mark.slow


def home_at(path: Path, url: str = "") -> Home:
    return Home(path=path, store_url=str(path / "store"), database_url=url, review_url="http://127.0.0.1:3001")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return home_at(tmp_path / "home")


@pytest.fixture
def filled(home: Home, items: list[ReviewItem]) -> Iterator[ReviewQueue]:
    with open_queue(home, "demo") as queue:
        queue.sync_items(items, ReviewConfig())
        queue.submit(items[0].key, "approve" if items[0].kind == "example" else "tie", "Ada")
        yield queue


def keep_voting(queue: ReviewQueue, items: list[ReviewItem], name: str, stop: threading.Event, done: list[int]) -> None:
    while not stop.is_set():
        for item in items:
            vote = queue.submit(item.key, "approve" if item.kind == "example" else "tie", name)
            done.append(vote.sequence)


def check_backup_under_load(queue: ReviewQueue, home: Home, items: list[ReviewItem], target: Path, other: Home) -> None:
    stop, done = threading.Event(), list[int]()
    threads = [
        threading.Thread(target=keep_voting, args=(queue, items[number::4], f"person {number}", stop, done))
        for number in range(4)
    ]
    queue.sync_items(items, ReviewConfig(overlap=1))
    for thread in threads:
        thread.start()
    try:
        while len(done) < 20:
            stop.wait(0.01)
        acknowledged = max(done)
        report = backup(home, target)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert report.num_verdicts >= acknowledged
    assert max(done) > acknowledged
    restore(target, other)
    with open_queue(other, "demo") as restored:
        verdicts, head = restored.audited_verdicts()
        assert head == report.chains["demo"]["head"]
        assert verdicts == queue.verdicts_after(0)[: len(verdicts)]
        assert len(verdicts) == report.num_verdicts


@pytest.mark.parametrize("name", ["review.tar", "folder"])
def test_a_backup_under_load_holds_all_that_was_acknowledged(
    name: str, home: Home, filled: ReviewQueue, items: list[ReviewItem], tmp_path: Path
) -> None:
    check_backup_under_load(filled, home, items[1:], tmp_path / name, home_at(tmp_path / "other"))


@pytest.mark.postgres
def test_a_backup_of_postgres_holds_all_that_was_acknowledged(
    postgres_url: str, items: list[ReviewItem], tmp_path: Path
) -> None:
    home = home_at(tmp_path / "home", postgres_url)
    with open_queue(home, "demo") as queue:
        queue.sync_items(items, ReviewConfig())
        for item in items:
            queue.submit(item.key, "approve" if item.kind == "example" else "tie", "Ada")
        report = backup(home, tmp_path / "review.tar")
        before = queue.verdicts_after(0)
        queue.submit(items[0].key, "approve" if items[0].kind == "example" else "tie", "Ada")
        with pytest.raises(BackupError, match="lose 1 verdicts of demo"):
            restore(tmp_path / "review.tar", home)
        restore(tmp_path / "review.tar", home, force=True)
        assert queue.audited_verdicts() == (before, report.chains["demo"]["head"])
        with pytest.raises(BackupError, match="TUNEWRIGHT_DATABASE_URL"):
            restore(tmp_path / "review.tar", home_at(tmp_path / "other"))


def test_what_is_newer_is_replaced_only_by_force(
    home: Home, filled: ReviewQueue, items: list[ReviewItem], tmp_path: Path
) -> None:
    backup(home, tmp_path / "review.tar")
    filled.submit(items[1].key, "approve" if items[1].kind == "example" else "tie", "Ada")
    with pytest.raises(BackupError, match="is in use"):
        restore(tmp_path / "review.tar", home)
    filled.close()
    with pytest.raises(BackupError, match="lose 1 verdicts of demo"):
        restore(tmp_path / "review.tar", home)
    with open_queue(home, "demo") as queue:
        assert len(queue.verdicts_after(0)) == 2
    restore(tmp_path / "review.tar", home, force=True)
    with open_queue(home, "demo") as queue:
        assert len(queue.verdicts_after(0)) == 1
    assert len(list(home.path.glob("review.db.before-restore-*"))) == 1


def test_a_damaged_backup_is_not_put_back(home: Home, filled: ReviewQueue, tmp_path: Path) -> None:
    filled.close()
    backup(home, tmp_path / "good")
    before = (home.path / "review.db").read_bytes()

    def damaged(name: str) -> Path:
        return Path(shutil.copytree(tmp_path / "good", tmp_path / name))

    forged = damaged("forged")
    with sqlite3.connect(forged / "review.db") as connection:
        connection.execute("UPDATE review_verdicts SET decision = 'reject'")
    connection.close()
    with pytest.raises(BackupError, match="hash differs"):
        restore(forged, home)
    manifest = json.loads((forged / "manifest.json").read_text())
    manifest["files"]["review.db"] = __import__("hashlib").sha256((forged / "review.db").read_bytes()).hexdigest()
    (forged / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BackupError, match="not intact"):
        restore(forged, home)
    for text in ("", "[]", '{"format": "other"}', json.dumps({**manifest, "files": {"../x": "0"}})):
        (forged / "manifest.json").write_text(text)
        with pytest.raises(BackupError):
            restore(forged, home)
    (damaged("short") / "review.db").unlink()
    for source in (tmp_path / "short", tmp_path / "nowhere", tmp_path / "good" / "review.db"):
        with pytest.raises(BackupError):
            restore(source, home)
    assert (home.path / "review.db").read_bytes() == before


def test_a_backup_replaces_nothing_and_needs_something(home: Home, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="no review database"):
        backup(home, tmp_path / "review.tar")
    assert list(tmp_path.glob("*review*")) == []
    (tmp_path / "there").write_text("")
    with pytest.raises(BackupError, match="is there already"):
        backup(home, tmp_path / "there")
