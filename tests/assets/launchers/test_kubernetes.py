"""Kubernetes without a cluster: dagster-k8s asks a server that stands in for the API, and whose pods are processes here."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import dagster as dg
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError, DagsterPipesExecutionError

from assets.launchers.kubernetes import LABEL, SECRET, KubernetesClient
from curation.errors import LauncherMissingError
from training.launch import SILENT, remote_environment
from training.scale.config import LauncherConfig

LAUNCHER = LauncherConfig(kind="kubernetes", image="registry.local/tunewright:1", namespace="ml", volume_claim="home")
CHILD = """
import dagster_pipes, os, sys
with dagster_pipes.open_dagster_pipes() as pipes:
    pipes.log.info("in a pod")
    pipes.report_asset_materialization(metadata={"setting": os.environ["SETTING"]})
print("last words", file=sys.stderr)
sys.exit(int(os.environ["STATUS"]))
"""
SAVES = """
import pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
def save(*_):
    (folder / "saved").touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
(folder / "begun").touch()
time.sleep(300)
"""


def client(gpus: int = 8, **changes: Any) -> KubernetesClient:
    return KubernetesClient(LAUNCHER, home=Path("/data/home"), gpus=gpus, **changes)


def test_the_pod_has_devices_volume_and_shared_memory() -> None:
    spec = client().pod_spec()
    (container,) = spec["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "8"}
    assert container["volumeMounts"][0]["mountPath"] == "/data/home"
    assert spec["volumes"][0]["persistentVolumeClaim"] == {"claimName": "home"}


def test_a_pod_without_devices_asks_for_none() -> None:
    assert client(0).pod_spec()["containers"][0]["resources"] == {"limits": {}}


def test_secrets_come_from_the_cluster() -> None:
    launcher = LauncherConfig(kind="kubernetes", image="i", volume_claim="v", secret="keys")
    (container,) = KubernetesClient(launcher, home=Path("/h"), gpus=0).pod_spec()["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "keys"}}]


def test_what_every_run_is_given_is_no_secret() -> None:
    given = remote_environment({"HF_TOKEN": "hf_1", "AWS_SESSION_TOKEN": "2", "HF_HOME": "/h"})
    assert {name for name in given if SECRET.search(name)} == {"HF_TOKEN", "AWS_SESSION_TOKEN"}
    assert set(SILENT) <= set(given)


def test_without_the_package_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dagster_k8s", None)
    context: Any = object()
    with pytest.raises(LauncherMissingError, match=r"needs the package dagster-k8s.*pip install 'tunewright\[kubernetes\]'"):
        client().run(context=context, command=["python"], env={})


class Pod:
    """A pod that is a process here."""

    def __init__(self, asked: dict[str, Any], folder: Path) -> None:
        self.asked, self.is_deleted, self.log = asked, False, folder / f"{asked['metadata']['name']}.log"
        (container,) = asked["spec"]["containers"]
        environment = {**os.environ, **{item["name"]: item["value"] for item in container["env"]}}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(container["command"], env=environment, stdout=log, stderr=log)

    def describe(self) -> dict[str, Any]:
        code = self.process.poll()
        state = {"running": {}} if code is None else {"terminated": {"exitCode": code}}
        status = {"name": "training", "ready": True, "state": state, "image": "i", "imageID": "i", "restartCount": 0}
        metadata = {**self.asked["metadata"], **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if self.is_deleted else {})}
        return {**self.asked, "metadata": metadata, "status": {"phase": "Running", "containerStatuses": [status]}}

    def delete(self) -> None:
        self.is_deleted = True
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)


class Api(BaseHTTPRequestHandler):
    """The five calls that are made."""

    pods: dict[str, Pod]
    folder: Path

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def answer(self, value: Any, status: int = 200) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(value, bytes) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.pods[asked["metadata"]["name"]] = Pod(asked, self.folder)
        self.answer(asked, 201)

    def do_DELETE(self) -> None:
        pod = self.pods.get(self.path.split("?")[0].rpartition("/")[2])
        if pod is None:
            return self.answer({"kind": "Status", "code": 404}, 404)
        pod.delete()
        return self.answer(pod.describe())

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path.endswith("/log"):
            pod = self.pods[url.path.split("/")[-2]]
            pod.process.wait(timeout=60)
            stamped = [
                f"2026-01-01T00:00:00.{number:09d}Z {line}" for number, line in enumerate(pod.log.read_text().splitlines())
            ]
            return self.answer("\n".join(stamped).encode() + b"\n")
        for name in [name for name, pod in self.pods.items() if pod.is_deleted and pod.process.poll() is not None]:
            del self.pods[name]
        query = parse_qs(url.query)
        found = [pod for pod in self.pods.values() if _is_meant(pod.asked["metadata"], query)]
        return self.answer({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [pod.describe() for pod in found]})


def _is_meant(metadata: dict[str, Any], query: dict[str, list[str]]) -> bool:
    if "labelSelector" in query:
        name, _, value = query["labelSelector"][0].partition("=")
        return bool(metadata["labels"].get(name) == value)
    return query["fieldSelector"] == [f"metadata.name={metadata['name']}"]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Api]]:
    pytest.importorskip("dagster_k8s")
    api = type("Cluster", (Api,), {"pods": {}, "folder": tmp_path})
    with ThreadingHTTPServer(("127.0.0.1", 0), api) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        place = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
        config = {"clusters": [place], "users": [{"name": "u", "user": {}}], "contexts": [context], "current-context": "x"}
        (tmp_path / "config").write_text(json.dumps(config))
        for module in ("kubernetes.config", "kubernetes.config.kube_config"):  # which read KUBECONFIG when they are imported
            monkeypatch.setattr(f"{module}.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "config"))
        yield api
        for pod in api.pods.values():
            pod.process.kill()
            pod.process.wait()
        server.shutdown()
        thread.join()


def run(command: list[str], **env: str) -> dg.ExecuteInProcessResult:
    @dg.asset
    def model(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        started = client(0, work_folder=Path("/data/home/work/sft"), poll_seconds=0.05)
        done = started.run(context=context, command=command, env=env)
        return done.get_materialize_result()  # type: ignore[no-any-return]

    return dg.materialize([model], raise_on_error=True)


quiet = pytest.mark.filterwarnings("ignore")
"""Dagster and the client of Kubernetes warn of their own calls."""


@pytest.mark.slow
@quiet
def test_a_pod_reports_once_and_is_gone(cluster: type[Api], tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []
    posted = cluster.do_POST

    def remember(handler: Api) -> None:
        posted(handler)
        seen.extend(pod.asked for pod in handler.pods.values())

    cluster.do_POST = remember  # type: ignore[method-assign]
    secrets = {"HF_TOKEN": "hf_secret", "AWS_SECRET_ACCESS_KEY": "hf_secret"}
    result = run([sys.executable, "-c", CHILD], SETTING="from here", STATUS="0", **secrets)
    (made,) = result.asset_materializations_for_node("model")
    assert made.metadata["setting"].value == "from here"
    assert cluster.pods == {}
    assert "hf_secret" not in json.dumps(seen)
    assert not set(secrets) & {item["name"] for item in seen[0]["spec"]["containers"][0]["env"]}


@pytest.mark.slow
@quiet
def test_a_pod_that_fails_fails_as_any_child(cluster: type[Api]) -> None:
    with pytest.raises(DagsterPipesExecutionError, match="last words"):
        run([sys.executable, "-c", CHILD], SETTING="", STATUS="3")
    assert cluster.pods == {}


@pytest.mark.slow
@quiet
def test_a_cancelled_run_waits_until_its_pod_has_saved(cluster: type[Api], tmp_path: Path) -> None:
    def cancel() -> None:
        deadline = time.monotonic() + 60
        while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        if (tmp_path / "begun").exists():
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(DagsterExecutionInterruptedError):
        run([sys.executable, "-c", SAVES, str(tmp_path)])
    thread.join()
    assert (tmp_path / "saved").exists()
    assert cluster.pods == {}


@pytest.mark.slow
@quiet
def test_a_pod_that_was_lost_sight_of_is_ended_before_the_next(cluster: type[Api], tmp_path: Path) -> None:
    started = client(0, work_folder=Path("/data/home/work/sft"))
    container = {"name": "training", "command": [sys.executable, "-c", SAVES, str(tmp_path)], "env": []}
    metadata = {"name": "lost", "labels": {LABEL: started._work}}
    cluster.pods["lost"] = Pod({"metadata": metadata, "spec": {"containers": [container]}}, tmp_path)
    deadline = time.monotonic() + 60
    while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert run([sys.executable, "-c", CHILD], SETTING="", STATUS="0").success
    assert (tmp_path / "saved").exists()
