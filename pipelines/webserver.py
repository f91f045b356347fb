"""Starts Dagster's webserver and the stored pages behind the origin guard: `python -m pipelines.webserver PORT WORKSPACE`.

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
from pipelines.guard import OriginGuard, ReviewLogin, asks_for_login
from pipelines.stored_pages import StoredPages


def serve_webserver(port: int, workspace: str) -> None:
    """Serve the Dagster UI on the loopback address until interrupted."""
    home = Home.from_environment()
    login = find_login(os.environ.get("TUNEWRIGHT_DAGSTER_LOGIN", ""), home)
    with (
        DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, WorkspaceFileTarget(paths=[workspace])) as context,
    ):
        app = StoredPages(create_app_from_workspace_process_context(context), home.store())
        uvicorn.run(OriginGuard(app, login=login), host="127.0.0.1", port=port, log_level="warning", proxy_headers=False)


def find_login(setting: str, home: Home) -> ReviewLogin | None:
    """Return the login that TUNEWRIGHT_DAGSTER_LOGIN asks for. Raises LoginSettingError if it is none that there is."""
    if not asks_for_login(setting):
        return None
    accounts = Accounts(home.database("accounts", MIGRATIONS))
    return ReviewLogin(AccountsIdentity(accounts), f"{home.review_url.rstrip('/')}/login")


if __name__ == "__main__":
    serve_webserver(int(sys.argv[1]), sys.argv[2])
