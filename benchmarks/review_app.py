"""The review app as the benchmarks start it, in a process of its own: believing who a client says it is, in place of a log-in.

    python -m benchmarks.review_app /tmp/review.db 3001

What only the clients of the benchmarks need is not imported here: how soon the server is back is one of the figures.
"""

import os
import sys
from typing import Any

from curation.database import Database
from curation.garbage import collector_paused, relax_collector
from curation.review import schema
from curation.review.queue import ReviewQueue

RECIPE = "benchmark"


def open_queue(location: str) -> ReviewQueue:
    """Open the queue of the benchmark."""
    return ReviewQueue(Database.open(location, concern="review", migrations=schema.MIGRATIONS), RECIPE)


class HeaderIdentity:
    """Believes who the client says it is."""

    def identify(self, request: Any) -> Any:
        """Return the person named in the header."""
        from curation.review.accounts.person import Person

        name = request.headers.get("x-reviewer")
        return Person(name=name, role="lead") if name else None


def main() -> None:
    """Serve the queue at a path or URL on a port, as `curation.review.web.serve` does."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # as `tunewright review serve` does
    with collector_paused():
        import uvicorn

        from curation.review.web.app import create_app

        queue = open_queue(sys.argv[1])
        app = create_app({queue.recipe: queue}, HeaderIdentity())
        app.state.site.load_templates()
    relax_collector()
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
