"""Starting the app: loopback only, and the queues of whatever recipes there are."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from curation.database import Database
from curation.errors import RemoteBindError
from curation.home import Home
from curation.review.config import ReviewConfig
from curation.review.queue import ReviewQueue, open_queue
from curation.review.web.serve import DatabaseQueues, serve


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(path=tmp_path, store_url=str(tmp_path / "store"), database_url="", review_url="http://127.0.0.1:3001")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "review.example.org", ""])
def test_anything_but_loopback_is_refused_unless_asked_for(home: Home, host: str) -> None:
    with pytest.raises(RemoteBindError, match="no login"):
        serve(home, host=host)
    assert not (home.path / "review.db").exists()


def test_queues_appear_when_a_recipe_first_syncs(database: Database) -> None:
    queues, only = DatabaseQueues(database), DatabaseQueues(database, ["b"])
    assert list(queues) == []
    for recipe in ("b", "a"):
        ReviewQueue(database, recipe).sync_items([], ReviewConfig())
    assert list(queues) == ["a", "b"]
    assert list(only) == ["b"]
    assert queues["a"].recipe == "a"
    with pytest.raises(KeyError):
        only["a"]


def test_a_queue_is_opened_in_the_home_and_closed_again(home: Home) -> None:
    with open_queue(home, "demo") as queue:
        queue.sync_items([], ReviewConfig())
    with open_queue(home, "demo") as queue:
        assert queue.settings().policy == "all"


def test_the_server_answers_on_loopback_and_stops_when_told(home: Home) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        "from curation.review.web.serve import serve\nfrom curation.home import Home\n"
        f"serve(Home.from_environment(), port={port})"
    )
    environment = os.environ | {"TUNEWRIGHT_HOME": str(home.path)}
    server = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert _wait_for(f"http://127.0.0.1:{port}/health") == b'{"status":"ok","recipes":0}'
    finally:
        server.send_signal(signal.SIGTERM)
        _, errors = server.communicate(timeout=10)
    assert server.returncode in (0, -signal.SIGTERM)
    assert errors == ""


def _wait_for(url: str) -> bytes:
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return bytes(response.read())
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"{url} did not answer")
