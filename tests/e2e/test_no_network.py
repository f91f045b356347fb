"""Private data is a promise: a whole recipe runs where no packet can leave, and says nothing to anybody."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.tiny_recipe import make_project

pytestmark = pytest.mark.slow
ISOLATE = ["unshare", "--user", "--map-root-user", "--net"]
LOOPBACK_UP = (
    "import fcntl, os, socket, struct, sys;"
    "s = socket.socket();"
    "fcntl.ioctl(s, 0x8914, struct.pack('16sh', b'lo', 0x1));"  # SIOCSIFFLAGS, IFF_UP
    "os.execv(sys.argv[1], sys.argv[1:])"
)


def can_isolate() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*ISOLATE, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_isolate(), reason="this machine allows no network namespaces")
def test_a_whole_recipe_runs_with_the_network_cut(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    inside = [*ISOLATE, sys.executable, "-c", LOOPBACK_UP, sys.executable]
    probe = "import socket; socket.create_connection(('192.0.2.1', 80), 2)"
    cut = subprocess.run([*inside, "-c", probe], capture_output=True, text=True, check=False)
    assert "Network is unreachable" in cut.stderr
    command = [*inside, "-m", "pipelines.cli", "run", str(project.recipe)]
    done = subprocess.run(command, env=project.environment(), capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((project.home / "demo-summary.json").read_text())
    assert summary["trainings"] == 1
    assert "Network is unreachable" not in done.stdout + done.stderr
