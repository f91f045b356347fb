"""The recipe against an OpenAI-compatible server that nobody here wrote: `transformers serve`, our model."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.home import Home
from curation.records import Rejection
from tests.e2e.tiny_recipe import Project, make_project

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path)


@pytest.fixture
def server(project: Project) -> Iterator[tuple[str, str]]:
    project.run()
    store = _home(project).store()
    model = str(store.get_folder(store.snapshot("tiny/preference_model").folders["model"]))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).parent / "transformers"), "serve", model, "--port", str(port), "--host", "127.0.0.1"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _wait_for(port, process)
        yield f"http://127.0.0.1:{port}/v1", model
    finally:
        process.kill()
        process.wait()


def test_pipeline_completes_against_transformers_serve(project: Project, server: tuple[str, str]) -> None:
    url, model = server
    teacher = {"kind": "openai", "model": model, "base_url": url, "api_key_env": "NO_KEY", "max_tokens": 16, "concurrency": 2}
    project.change_recipe(teacher=teacher, terms={"action": "warn"})  # nobody knows the terms of this teacher
    summary = project.run()
    assert summary["teacher_calls"] == 12
    assert summary["trainings"] == 1
    store = _home(project).store()
    rejections = [
        row
        for snapshot in store.list_snapshots("tiny/candidates")
        for row in store.read_table(Rejection, snapshot.tables["rejections"].root)
    ]
    examples = sum(snapshot.tables["examples"].num_rows for snapshot in store.list_snapshots("tiny/candidates"))
    assert examples + len(rejections) >= 12, "every reply ends as rows or as a rejection with its reason"
    assert project.run()["teacher_calls"] == 0


def _home(project: Project) -> Home:
    return Home(path=project.home, store_url=str(project.home / "store"), database_url="", review_url="http://127.0.0.1:3001")


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    pytest.fail("transformers serve did not start")
