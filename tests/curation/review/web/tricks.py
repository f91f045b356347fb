"""What a page of another site, or a browser that it fools, can send: every unsafe route has to refuse all of it.

passed, asked = try_all(app, list_routes(app))
"""

import asyncio
from collections.abc import Iterable, Mapping

from starlette.types import ASGIApp, Message

from curation.review.accounts.identity import CHANGING_READS, SAFE_METHODS
from tests.curation.review.web.access import fill_path

ORIGIN = "http://127.0.0.1:3001"
SAME = {"sec-fetch-site": "same-origin", "origin": ORIGIN}
FORM = {"content-type": "application/x-www-form-urlencoded"}

FORGED: dict[str, dict[str, str]] = {
    "cross-site form": {"sec-fetch-site": "cross-site", "origin": "https://evil.example"} | FORM,
    "cross-site form, old browser": {"origin": "https://evil.example"} | FORM,
    "same site, other port": {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:3000"} | FORM,
    "other port, old browser": {"origin": "http://127.0.0.1:3000"} | FORM,
    "localhost for 127.0.0.1": {"origin": "http://localhost:3001"} | FORM,
    "origin null": {"origin": "null"} | FORM,
    "sandboxed frame": {"sec-fetch-site": "cross-site", "origin": "null"} | FORM,
    "empty origin": {"origin": ""} | FORM,
    "broken origin": {"origin": "http://[broken"} | FORM,
    "our origin as a prefix": {"origin": f"{ORIGIN}.evil.example"} | FORM,
    "our origin as a user": {"origin": f"{ORIGIN}@evil.example"} | FORM,
    "script scheme": {"origin": "javascript://127.0.0.1:3001"} | FORM,
    "no origin at all": FORM,
    "our origin, but the browser knows": {"sec-fetch-site": "cross-site", "origin": ORIGIN} | FORM,
    "made-up site": {"sec-fetch-site": "trusted"} | FORM,
    "no content type": SAME,
    "text/plain": SAME | {"content-type": "text/plain"},
    "text/plain that says JSON": SAME | {"content-type": "text/plain; x=application/json"},
    "JSON that is not": SAME | {"content-type": "application/jsonx"},
    "multipart": SAME | {"content-type": "multipart/form-data; boundary=x"},
    "multipart from elsewhere": {"origin": "https://evil.example", "content-type": "multipart/form-data; boundary=x"},
    "other host": SAME | FORM | {"host": "evil.example"},
    "other host and origin": FORM | {"host": "evil.example", "origin": "http://evil.example"},
    "host as a user": SAME | FORM | {"host": "127.0.0.1@evil.example"},
    "host with our name in front": SAME | FORM | {"host": "127.0.0.1.evil.example:3001"},
    "no host": SAME | FORM | {"host": ""},
    "method override": SAME | FORM | {"x-http-method-override": "GET"},
    "token of a person, with a cookie": FORM | {"authorization": "Bearer tw_x", "cookie": "tunewright_session=x"},
    "token, from a page": FORM | {"authorization": "Bearer tw_x", "origin": "https://evil.example"},
    "basic login": FORM | {"authorization": "Basic eDp5"},
}
FORGED_READS: dict[str, dict[str, str]] = {
    "image elsewhere": {"sec-fetch-site": "cross-site", "sec-fetch-dest": "image"},
    "image in Dagster": {"sec-fetch-site": "same-site", "sec-fetch-dest": "image"},
    "link elsewhere": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
}


def try_all(app: ASGIApp, routes: Iterable[tuple[str, str]]) -> tuple[list[str], int]:
    """Send every trick to every route that changes something; return those let through, and how many were sent.

    The app is called directly, not through a client, which is slow and mends what is sent.
    """
    return asyncio.run(_try_all(app, routes))


async def _try_all(app: ASGIApp, routes: Iterable[tuple[str, str]]) -> tuple[list[str], int]:
    passed, asked = [], 0
    for method, path in routes:
        tricks = FORGED if method not in SAFE_METHODS else FORGED_READS if path.endswith(CHANGING_READS) else {}
        for name, headers in tricks.items():
            asked += 1
            status = await _ask(app, method, fill_path(path, {}), headers)
            if status not in (400, 403, 405, 415):
                passed.append(f"{method} {path}: {name}: {status}")
    for method in ("TRACE", "TRACK", "CONNECT", "PROPFIND"):
        asked += 1
        if await _ask(app, method, "/", SAME | FORM) != 405:
            passed.append(method)
    return passed, asked


async def _ask(app: ASGIApp, method: str, path: str, headers: Mapping[str, str]) -> int:
    given = {"host": "127.0.0.1:3001"} | dict(headers)
    scope = {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 3001),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "state": {},
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"a=b", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return int(sent[0]["status"])
