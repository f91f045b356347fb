"""Serves the pages that stages stored, read-only, on the address of Dagster's webserver; the origin guard stands before it.

GET /tunewright/pages/toy/evaluation_report/9f.../index.html

A page is shown in a sandbox without an origin: should a script get into it, it can neither read Dagster nor write to it.
"""

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from curation.pages import PREFIX, read_page
from curation.store import Store

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts allow-downloads",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Which scripts and styles run at all says the policy that each page carries in itself, by their hashes."""
TYPES = {"html": "text/html", "json": "application/json", "jsonl": "application/jsonl", "md": "text/plain"}


class StoredPages:
    """ASGI middleware: answers what is below `/tunewright/pages`, and passes everything else on."""

    def __init__(self, app: ASGIApp, store: Store) -> None:
        self._app = app
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 200 with the file, 404 for what is no stored page, 405 for anything but reading, 503 if the store is away."""
        if scope["type"] != "http" or not f"{scope['path']}/".startswith(f"{PREFIX}/"):
            await self._app(scope, receive, send)
            return
        answer = await run_in_threadpool(self._answer, scope["method"], scope["path"])
        await answer(scope, receive, send)

    def _answer(self, method: str, path: str) -> Response:
        if method not in ("GET", "HEAD"):
            return PlainTextResponse("Stored pages are only read.\n", 405, {**HEADERS, "allow": "GET, HEAD"})
        try:
            data = read_page(self._store, path)
        except Exception as error:  # a remote store raises whatever its library does
            return PlainTextResponse(f"The store cannot be read at the moment ({type(error).__name__}).\n", 503, HEADERS)
        if data is None:
            said = "No such page is stored any more; materialize its asset again, or open the path beside the link.\n"
            return PlainTextResponse(said, 404, HEADERS)
        kind = path.rpartition(".")[2]
        saved = {"content-disposition": f'attachment; filename="{path.rpartition("/")[2]}"'} if kind == "jsonl" else {}
        return Response(data, 200, {**HEADERS, **saved}, f"{TYPES[kind]}; charset=utf-8")
