"""Starts Dagster's webserver behind the origin guard: `python -m pipelines.webserver PORT WORKSPACE_FILE`."""

import sys

import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context

from pipelines.guard import OriginGuard


def serve_webserver(port: int, workspace: str) -> None:
    """Serve the Dagster UI on the loopback address until interrupted."""
    with (
        DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, WorkspaceFileTarget(paths=[workspace])) as context,
    ):
        app = create_app_from_workspace_process_context(context)
        uvicorn.run(OriginGuard(app), host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    serve_webserver(int(sys.argv[1]), sys.argv[2])
