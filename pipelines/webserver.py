"""Starts Dagster's webserver behind the origin guard: `python -m pipelines.webserver PORT WORKSPACE_FILE`.

TUNEWRIGHT_DAGSTER_LOGIN=review lets in only people who are logged in at the review app.
"""

import os
import sys

import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context

from curation.home import Home
from curation.review.accounts.accounts import Accounts
from curation.review.accounts.identity import AccountsIdentity
from curation.review.accounts.tables import MIGRATIONS
from pipelines.guard import OriginGuard, ReviewLogin


def serve_webserver(port: int, workspace: str) -> None:
    """Serve the Dagster UI on the loopback address until interrupted."""
    login = find_login(os.environ.get("TUNEWRIGHT_DAGSTER_LOGIN", ""), Home.from_environment())
    with (
        DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, WorkspaceFileTarget(paths=[workspace])) as context,
    ):
        app = create_app_from_workspace_process_context(context)
        uvicorn.run(OriginGuard(app, login=login), host="127.0.0.1", port=port, log_level="warning", proxy_headers=False)


def find_login(setting: str, home: Home) -> ReviewLogin | None:
    """Return the login that TUNEWRIGHT_DAGSTER_LOGIN asks for. Raises ValueError if it is none that there is."""
    if setting in ("", "none"):
        return None
    if setting != "review":
        raise ValueError(f"TUNEWRIGHT_DAGSTER_LOGIN is '{setting}'; it can be 'review' or 'none'")
    accounts = Accounts(home.database("accounts", MIGRATIONS))
    return ReviewLogin(AccountsIdentity(accounts), f"{home.review_url.rstrip('/')}/login")


if __name__ == "__main__":
    serve_webserver(int(sys.argv[1]), sys.argv[2])
