"""Serving the review app: `serve(Home.from_environment())` listens on 127.0.0.1:3001 until it is interrupted."""

import getpass
import ipaddress
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import urlsplit

from curation.database import Database
from curation.errors import RemoteBindError
from curation.home import Home
from curation.review.accounts.person import Person
from curation.review.queue import ReviewQueue, list_recipes
from curation.review.schema import MIGRATIONS
from curation.review.web.app import create_app
from curation.review.web.site import OnePerson


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
    allow_remote: bool = False,
) -> None:
    """Serve the review pages until the process is told to stop.

    The app has no login: it listens on loopback, and only with `allow_remote` elsewhere (behind a proxy that knows
    who people are). Besides loopback names it answers to the host of TUNEWRIGHT_REVIEW_URL and to `host`.

    Raises:
        RemoteBindError: if `host` is not a loopback address and remote access was not allowed.
        DatabaseError: if the review database cannot be opened.
    """
    import uvicorn

    if not allow_remote and not _is_loopback(host):
        raise RemoteBindError(host=host)
    database = home.database("review", MIGRATIONS)
    try:
        hosts = {host.lower(), urlsplit(home.review_url).hostname or host.lower()}
        app = create_app(
            DatabaseQueues(database, recipes),
            OnePerson(Person(name=getpass.getuser(), role="lead")),
            dagster_url=dagster_url,
            hosts=hosts,
        )
        uvicorn.run(app, host=host, port=port, log_level="warning", server_header=False, access_log=False)
    finally:
        database.close()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
