"""Where one installation keeps its things, read from the environment once.

TUNEWRIGHT_HOME          folder for everything local; default `.tunewright`
TUNEWRIGHT_STORE         fsspec URL of the content-addressed store; default HOME/store
TUNEWRIGHT_DATABASE_URL  SQLAlchemy URL; default one SQLite file a concern in HOME
TUNEWRIGHT_REVIEW_URL    address under which people reach the review app; default http://127.0.0.1:3001
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from curation.database import Database
from curation.database.connection import refuse_address
from curation.errors import StoreUnusableError

if TYPE_CHECKING:
    from curation.store import Store


@dataclass(frozen=True, kw_only=True)
class Home:
    """The folder, store and databases of one installation."""

    path: Path
    store_url: str
    database_url: str
    """Empty: one SQLite file a concern."""
    review_url: str

    @classmethod
    def from_environment(cls) -> Self:
        """Read the variables above. The folder is created when something is first written."""
        path = Path(os.environ.get("TUNEWRIGHT_HOME") or ".tunewright").expanduser().absolute()
        return cls(
            path=path,
            store_url=os.environ.get("TUNEWRIGHT_STORE") or str(path / "store"),
            database_url=os.environ.get("TUNEWRIGHT_DATABASE_URL", ""),
            review_url=os.environ.get("TUNEWRIGHT_REVIEW_URL") or "http://127.0.0.1:3001",
        )

    def store(self) -> "Store":
        """Open the content-addressed store. Raises StoreUnusableError."""
        from curation.store import Store  # whoever needs only a database, as the review server does, waits for no pyarrow

        try:
            return Store(self.store_url)
        except (ImportError, ValueError, OSError) as error:  # of fsspec: an unknown protocol, a driver that is not installed
            raise StoreUnusableError(kind=self.store_url.partition("://")[0], reason=error) from error

    @property
    def embeddings_url(self) -> str:
        """Where vectors are kept, so that a text is embedded once."""
        return f"{self.store_url.rstrip('/')}/embeddings"

    def database(self, concern: str, migrations: Path) -> Database:
        """Open (and migrate) the database of a concern. Raises DatabaseError."""
        if self.database_url and "://" not in self.database_url:  # else a typing error would be a new, empty SQLite file
            raise refuse_address(self.database_url, concern)
        return Database.open(self.database_url or self.path / f"{concern}.db", concern=concern, migrations=migrations)
