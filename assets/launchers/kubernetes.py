"""A Pipes client that trains in a pod, through dagster-k8s (extra `kubernetes`), which is imported when it is needed.

    client = KubernetesClient(layout.scale.launcher, home=home.path, gpus=8)
    client.run(context=context, command=["python", "-m", "training.run", "/home/work/spec.json"], env={...})

The volume claim of the recipe holds TUNEWRIGHT_HOME and is mounted at the same path, so that spec, checkpoints and output are
where the parent looks for them; a store at a URL (s3://, gs://) is reached as from here. A pod of the same work folder that an
earlier try left is ended first, and no run is over before its pod is gone: two must not write the same checkpoints.
"""

import hashlib
import importlib
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError
from dagster._core.pipes.client import PipesClientCompletedInvocation

from curation.errors import LauncherMissingError
from training.scale.config import LauncherConfig

GRACE_SECONDS = 120
SHARED_MEMORY = "16Gi"
"""Data loaders and NCCL talk through /dev/shm, of which a pod has 64 MiB unless told."""

LABEL = "tunewright/work"
"""Names the work folder of a pod, hashed."""
SECRET = re.compile(r"TOKEN(?!IZERS)|SECRET|PASSWORD|CREDENTIAL|ACCESS_KEY")
"""Names of variables that never stand in a pod, which whoever may look at pods can read."""

NOT_FOUND = 404


class KubernetesClient:
    """Starts one pod and waits for it."""

    def __init__(
        self, launcher: LauncherConfig, *, home: Path, gpus: int, work_folder: Path | None = None, poll_seconds: float = 2.0
    ) -> None:
        self._launcher = launcher
        self._home = home
        self._gpus = gpus
        self._work = hashlib.blake2b(str(work_folder or home).encode(), digest_size=16).hexdigest()
        self._poll_seconds = poll_seconds

    def run(
        self, *, context: dg.AssetExecutionContext, command: Sequence[str], env: Mapping[str, str]
    ) -> PipesClientCompletedInvocation:
        """Run a command in a pod to its end.

        Raises:
            LauncherMissingError: if dagster-k8s is not installed.
            DagsterPipesExecutionError: if the pod fails, or one before it does not end.
        """
        client, pods, failure = find_client(), find_pods(), importlib.import_module("dagster_k8s.client").DagsterK8sError
        secrets = sorted(name for name in env if SECRET.search(name))
        if secrets and not self._launcher.secret:
            context.log.warning(f"[kubernetes] not given to the pod: {', '.join(secrets)}; name a Secret in launcher.secret")
        self._end_pods(pods)
        try:
            invocation: PipesClientCompletedInvocation = client.run(
                context=context,
                image=self._launcher.image,
                command=list(command),
                namespace=self._launcher.namespace,
                env={name: value for name, value in env.items() if name not in secrets},
                base_pod_meta={"labels": {LABEL: self._work}},
                base_pod_spec=self.pod_spec(),
                pod_wait_timeout=0,
            )
        except failure as error:
            raise DagsterPipesExecutionError(str(error)) from error
        finally:
            self._end_pods(pods)
        return invocation

    def _end_pods(self, pods: Any) -> None:
        namespace, until = self._launcher.namespace, time.monotonic() + 2 * GRACE_SECONDS
        while left := pods.list_namespaced_pod(namespace, label_selector=f"{LABEL}={self._work}").items:
            if time.monotonic() > until:
                names = ", ".join(pod.metadata.name for pod in left)
                raise DagsterPipesExecutionError(f"Pods that were told to end are still there: {names}; delete them first")
            for pod in left:
                if pod.metadata.deletion_timestamp is None:
                    _delete(pods, pod.metadata.name, namespace)
            time.sleep(self._poll_seconds)

    def pod_spec(self) -> dict[str, Any]:
        """Return the pod: one container with its devices, the volume of the project's home, and shared memory."""
        limits = {"nvidia.com/gpu": str(self._gpus)} if self._gpus else {}
        mounts = [{"name": "home", "mountPath": str(self._home)}, {"name": "shm", "mountPath": "/dev/shm"}]  # noqa: S108
        secret = [{"secretRef": {"name": self._launcher.secret}}] if self._launcher.secret else []
        container = {"name": "training", "resources": {"limits": limits}, "volumeMounts": mounts, "envFrom": secret}
        return {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "containers": [container],
            "volumes": [
                {"name": "home", "persistentVolumeClaim": {"claimName": self._launcher.volume_claim}},
                {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": SHARED_MEMORY}},
            ],
        }


def _delete(pods: Any, name: str, namespace: str) -> None:
    try:
        pods.delete_namespaced_pod(name, namespace)
    except Exception as error:
        if getattr(error, "status", None) != NOT_FOUND:  # it went by itself
            raise


def find_client() -> Any:
    """Return dagster-k8s's own client. Raises LauncherMissingError."""
    return _find("dagster_k8s").PipesK8sClient()


def find_pods() -> Any:
    """Return the API of the cluster that the machine is set up for, or stands in. Raises LauncherMissingError."""
    _find("kubernetes.config").load_config()
    return _find("kubernetes.client").CoreV1Api()


def _find(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        advice = "Install it with `pip install 'tunewright[kubernetes]'`, or set launcher.kind to subprocess."
        raise LauncherMissingError(kind="kubernetes", what="the package dagster-k8s", advice=advice) from error
