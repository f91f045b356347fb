"""Serving the review app: `serve(Home.from_environment())` listens on 127.0.0.1:3001 until it is interrupted."""

import contextlib
import getpass
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI

from curation.database import Database
from curation.garbage import relax_collector
from curation.home import Home
from curation.review.accounts.accounts import Accounts
from curation.review.accounts.identity import AccountsIdentity
from curation.review.accounts.oidc import Provider, ProviderConfig
from curation.review.accounts.person import Person, Role
from curation.review.accounts.proxies import TrustedProxies
from curation.review.accounts.tables import MIGRATIONS as ACCOUNT_MIGRATIONS
from curation.review.exchange.webhook_thread import deliveries_running
from curation.review.queue import ReviewQueue, list_recipes
from curation.review.schema import MIGRATIONS
from curation.review.web import accounts_routes
from curation.review.web.app import create_app
from curation.review.web.serving import Tls, check_address, check_bind, first_link, hold_database, public_url
from curation.review.web.site import Identity, OnePerson
from curation.synthesis.ledger.call_costs import LedgerCosts


class DatabaseQueues(Mapping[str, ReviewQueue]):
    """The queues of all recipes that the review database knows at the moment, or of those named."""

    def __init__(self, database: Database, recipes: Collection[str] | None = None) -> None:
        self.database = database
        self.recipes = recipes

    def __iter__(self) -> Iterator[str]:
        return (recipe for recipe in list_recipes(self.database) if self.recipes is None or recipe in self.recipes)

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __getitem__(self, recipe: str) -> ReviewQueue:
        if recipe not in list(iter(self)):
            raise KeyError(recipe)
        return ReviewQueue(self.database, recipe)


def serve(
    home: Home,
    host: str = "127.0.0.1",
    port: int = 3001,
    recipes: Collection[str] | None = None,
    *,
    dagster_url: str = "",
    login: bool = True,
    allow_remote: bool = False,
    tls: Tls | None = None,
    proxies: TrustedProxies | None = None,
    new_people: Role | None = None,
    oidc: ProviderConfig | None = None,
) -> None:
    """Serve the review pages until the process is told to stop.

    People log in; the first lead does so by a link that is printed here. Besides loopback names the app answers to the
    host of TUNEWRIGHT_REVIEW_URL and to `host`.

    Args:
        home: where the databases are.
        host: address to listen on.
        port: port to listen on.
        recipes: the recipes to show; None: all.
        dagster_url: where the pages link to.
        login: False takes everybody who reaches the app for its one user, a lead; on loopback only.
        allow_remote: listen on a network without TLS, because something in front of the app speaks it.
        tls: see `read_tls`.
        proxies: whose headers count; with a `user_header` they say who people are.
        new_people: the role of people whom such a proxy names for the first time; None: they need a link.
        oidc: single sign-on.

    Raises:
        RemoteBindError: if passwords would cross a network in the clear, or nobody would be asked for one.
        ServedTwiceError: if another process serves this SQLite database.
        AddressTakenError: if something else listens there, or this machine has no such address.
        SingleSignOnMissingError: if `oidc` is given and the extra is not installed.
        DatabaseError: if a database cannot be opened.
    """
    check_bind(host, tls=tls if login else None, allow_remote=allow_remote and login)
    hosts = {host.lower(), urlsplit(home.review_url).hostname or host.lower()}
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(contextlib.closing(home.database("review", MIGRATIONS)))
        stack.enter_context(hold_database(database))
        check_address(host, port)
        accounts = _open_accounts(home, stack) if login else None
        identity = AccountsIdentity(accounts, proxies=proxies, new_people=new_people) if accounts else _the_user()
        queues, costs = DatabaseQueues(database, recipes), LedgerCosts(home)
        app = create_app(queues, identity, dagster_url=dagster_url, hosts=hosts, costs=costs)
        if accounts:
            provider = Provider(oidc, accounts) if oidc else None
            accounts_routes.add_routes(app, app.state.site, accounts, oidc=provider)
            announce(first_link(accounts, public_url(home, host, port, tls=tls)))
        stack.enter_context(deliveries_running(database))
        app.state.site.load_templates()
        relax_collector()
        _listen(app, host, port, tls)


def announce(link: str) -> None:
    """Print the first lead's link on the console, if there is one."""
    if link:
        sys.stdout.write(f"Nobody can log in yet. The first lead joins here, once:\n  {link}\n")
        sys.stdout.flush()


def _open_accounts(home: Home, stack: contextlib.ExitStack) -> Accounts:
    return Accounts(stack.enter_context(contextlib.closing(home.database("accounts", ACCOUNT_MIGRATIONS))))


def _the_user() -> Identity:
    return OnePerson(Person(name=getpass.getuser(), role="lead"))


def _listen(app: FastAPI, host: str, port: int, tls: Tls | None) -> None:
    import uvicorn

    files: dict[str, Any] = {"ssl_certfile": tls.certificate, "ssl_keyfile": tls.key} if tls else {}
    # proxy_headers: `TrustedProxies` reads them, uvicorn would believe any process of this machine.
    quiet: dict[str, Any] = {"log_level": "warning", "server_header": False, "access_log": False, "proxy_headers": False}
    uvicorn.run(app, host=host, port=port, **quiet, **files)
