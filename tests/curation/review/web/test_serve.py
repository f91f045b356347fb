"""Starting the app: loopback only, and the queues of whatever recipes there are."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import httpx
import pytest

from curation.database import Database
from curation.errors import RemoteBindError
from curation.home import Home
from curation.review.config import ReviewConfig
from curation.review.errors import AddressTakenError, ServedTwiceError
from curation.review.queue import ReviewQueue, open_queue
from curation.review.web.serve import DatabaseQueues, serve
from tests.curation.review.web.test_serving import write_certificate
from tests.free_port import free_port

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(path=tmp_path, store_url=str(tmp_path / "store"), database_url="", review_url="http://127.0.0.1:3001")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "review.example.org", ""])
def test_anything_but_loopback_is_refused_unless_asked_for(home: Home, host: str) -> None:
    with pytest.raises(RemoteBindError, match="without TLS"):
        serve(home, host=host)
    with pytest.raises(RemoteBindError, match="without TLS"):
        serve(home, host=host, login=False, allow_remote=True)
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


def test_nobody_gets_a_link_to_what_another_program_answers(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AddressTakenError, match=f"cannot listen on 127.0.0.1:{port}: .*--port"):
            serve(home, port=port)
    assert capsys.readouterr().out == ""


def test_the_server_answers_on_loopback_and_stops_when_told(home: Home) -> None:
    port = free_port()
    code = (
        "from curation.review.web.serve import serve\nfrom curation.home import Home\n"
        f"serve(Home.from_environment(), port={port})"
    )
    environment = os.environ | {"TUNEWRIGHT_HOME": str(home.path)}
    pipe = subprocess.PIPE
    server = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=pipe, stderr=pipe, text=True)
    try:
        assert _wait_for(f"http://127.0.0.1:{port}/health") == b'{"status":"ok","recipes":0}'
        with pytest.raises(ServedTwiceError, match=f"process {server.pid}"):
            serve(home, port=port + 1)
    finally:
        server.send_signal(signal.SIGTERM)
        said, errors = server.communicate(timeout=60)
    assert server.returncode in (0, -signal.SIGTERM)
    assert errors == ""
    assert f"  http://127.0.0.1:{port}/welcome/" in said


@pytest.mark.slow
def test_under_tls_the_first_lead_joins_and_the_session_is_for_this_host_alone(home: Home, tmp_path: Path) -> None:
    port = free_port()
    certificate, key = write_certificate(tmp_path)
    code = (
        "from curation.review.web.serve import serve\nfrom curation.review.web.serving import Tls\n"
        "from curation.home import Home\nfrom pathlib import Path\n"
        f"serve(Home.from_environment(), '0.0.0.0', {port}, tls=Tls(Path({str(certificate)!r}), Path({str(key)!r})))"
    )
    environment = os.environ | {"TUNEWRIGHT_HOME": str(home.path)}
    server = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        server.stdout.readline()
        link = server.stdout.readline().strip().replace("0.0.0.0", "localhost")
        with httpx.Client(
            verify=ssl.create_default_context(cafile=certificate), headers={"sec-fetch-site": "same-origin"}, timeout=30
        ) as client:
            _wait_for(f"https://localhost:{port}/health", str(certificate))
            joined = client.post(link, data={"name": "Ada", "password": "correct horse battery"})
            assert joined.headers["set-cookie"].startswith("__Host-tunewright_session=")
            assert "Secure" in joined.headers["set-cookie"]
            assert client.get(f"https://localhost:{port}/api/me").json()["role"] == "lead"
            assert client.post(link, data={"name": "Eve", "password": "correct horse battery"}).status_code == 404
    finally:
        server.terminate()
        server.communicate(timeout=60)


def _wait_for(url: str, certificate: str = "") -> bytes:
    trust = ssl.create_default_context(cafile=certificate) if certificate else None
    for _ in range(12_000):
        try:
            with urllib.request.urlopen(url, timeout=5, context=trust) as response:
                return bytes(response.read())
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"{url} did not answer")
