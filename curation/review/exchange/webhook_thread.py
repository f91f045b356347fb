"""The thread of the review server that sends webhooks.

with deliveries_running(database):        # sends what is due every second until the block ends
    uvicorn.run(app)
"""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator

from curation.database import Database
from curation.errors import DatabaseError
from curation.review.exchange.webhooks import deliver_due

EVERY_SECONDS = 1.0
_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def deliveries_running(database: Database, *, every: float = EVERY_SECONDS) -> Iterator[None]:
    """Send what is due in a thread of its own. A database that is gone for a while only delays it."""
    stop = threading.Event()
    thread = threading.Thread(target=_run, args=(database, stop, every), name="review-webhooks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=15.0)


def _run(database: Database, stop: threading.Event, every: float) -> None:
    while not stop.wait(every):
        try:
            deliver_due(database, now=time.time())
        except DatabaseError as error:
            _LOG.warning("webhooks wait: %s", error)
        except Exception:  # without this thread no message would leave until the server starts again
            _LOG.exception("webhooks wait")
