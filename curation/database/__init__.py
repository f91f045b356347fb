"""One transactional database a concern (`ledger`, `review`, `release`): SQLite by default, PostgreSQL by URL."""

from curation.database.connection import Database

__all__ = ["Database"]
