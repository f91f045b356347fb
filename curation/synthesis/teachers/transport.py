"""The way to an HTTP endpoint that carries hundreds of requests at once: aiohttp on one event loop a process.

    transport = HttpTransport(uses_proxy=True)
    reply = await transport.post("https://.../v1/chat/completions", b"{}", headers, timeout_seconds=60.0)    # on event_loop()
    reply.status, reply.body

A reply is read under a limit of bytes and of time. Nothing is sent twice and no redirect is followed, since either would send
the key where nobody wants it. The openai SDK with its default transport carries too few requests at the same server
(`benchmarks/teacher.py` measures it beside this one); its request and reply shapes are kept.
"""

import asyncio
import os
import threading
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

MAX_REPLY_BYTES = 8_000_000
KEEP_ALIVE_SECONDS = 20.0
CONNECT_SECONDS = 30.0
_lock = threading.Lock()
_loops: dict[int, asyncio.AbstractEventLoop] = {}


def event_loop() -> asyncio.AbstractEventLoop:
    """Return the one event loop of this process that requests to teachers run on; its thread starts with the first use."""
    with _lock:
        loop = _loops.get(os.getpid())
        if loop is None:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="teacher-loop", daemon=True).start()
            _loops.clear()
            _loops[os.getpid()] = loop
        return loop


class TransportError(Exception):
    """There is no whole answer. The text says why, in words for people."""

    def __init__(self, reason: str, *, has_contact: bool = True, is_silent: bool = False, is_timeout: bool = False) -> None:
        super().__init__(reason)
        self.has_contact = has_contact
        """Whether a connection could be made."""
        self.is_silent = is_silent
        """Whether nothing that makes sense came over it."""
        self.is_timeout = is_timeout


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """Names match in any case."""
    body: bytes


class HttpTransport:
    """Connections to one endpoint. Use it on `event_loop()` only; `close` may be called from any other thread."""

    def __init__(self, *, uses_proxy: bool) -> None:
        self._uses_proxy = uses_proxy
        self._session: Any = None
        self._proxies: dict[str, str | None] = {}

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_seconds: float) -> HttpReply:
        """Send a body once and return the answer, whatever its status. Raises TransportError."""
        import aiohttp

        session = self._open_session()
        timeout = aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=min(CONNECT_SECONDS, 0.9 * timeout_seconds))
        options = {"timeout": timeout, "allow_redirects": False, "proxy": self._proxy(url)}
        try:
            async with session.post(url, data=body, headers=headers, **options) as response:
                return HttpReply(response.status, response.headers, await _read_limited(response))
        except aiohttp.ConnectionTimeoutError:
            raise TransportError(f"no connection within {timeout.sock_connect:g} s", has_contact=False) from None
        except TimeoutError:
            raise TransportError(f"no answer within {timeout_seconds:g} s", is_silent=True, is_timeout=True) from None
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, ConnectionResetError, BrokenPipeError) as error:
            raise TransportError(f"the connection broke: {_describe(error)}", is_silent=True) from None
        except (aiohttp.ClientConnectionError, OSError) as error:
            raise TransportError(f"no connection: {_describe(error)}", has_contact=False) from None
        except (aiohttp.ClientError, ValueError) as error:
            raise TransportError(_describe(error)) from None

    def _open_session(self) -> Any:
        import aiohttp

        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS, ttl_dns_cache=300)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    def _proxy(self, url: str) -> str | None:
        """Return the proxy of the environment for an address, if proxies are to be used.

        aiohttp could look it up by itself, but would then also send the password of `~/.netrc` in place of the key.
        """
        if not self._uses_proxy:
            return None
        if url not in self._proxies:
            parts = urlsplit(url)
            is_direct = bool(urllib.request.proxy_bypass(parts.netloc))
            found = urllib.request.getproxies()
            self._proxies[url] = None if is_direct else found.get(parts.scheme) or found.get("all")
        return self._proxies[url]

    def close(self) -> None:
        """Close the connections. Not from the event loop itself."""
        if self._session is not None:
            session, self._session = self._session, None
            asyncio.run_coroutine_threadsafe(session.close(), event_loop()).result()


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


async def _read_limited(response: Any) -> bytes:
    """Read the body, but not more than the limit of (unpacked) bytes."""
    if (response.content_length or 0) > MAX_REPLY_BYTES:
        raise TransportError(f"its reply has more than {MAX_REPLY_BYTES} bytes")
    data = await response.content.readany()
    if response.content.at_eof():
        return bytes(data)
    parts = bytearray(data)
    while chunk := await response.content.readany():
        parts += chunk
        if len(parts) > MAX_REPLY_BYTES:
            raise TransportError(f"its reply has more than {MAX_REPLY_BYTES} bytes")
    return bytes(parts)
