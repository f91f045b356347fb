"""Sending one message to an address that somebody typed in: never to this machine or its network unless that was allowed.

    post("https://example.org/hook", b"{}", {"Content-Type": "application/json"})        Answer(status=204, detail="No Content")
    post("http://169.254.169.254/latest", b"{}", {})                                      raises WebhookRefusedError

The name is resolved once, every address it has is checked, and the connection goes to a checked address: a name that
resolves differently a moment later changes nothing. Redirects are not followed, proxies of the environment not used.
"""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from curation.review.errors import WebhookRefusedError

TIMEOUT_SECONDS = 10.0
"""For all of it: connecting, sending and reading the answer."""
MAX_ANSWER_BYTES = 64 * 1024
MAX_URL_CHARS = 2_000

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]

_NEVER = tuple(
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16",
        "fe80::/10",
        "168.63.129.16/32",
        "100.100.100.200/32",
        "fd00:ec2::254/128",
        "192.0.0.192/32",
    )
)
"""Link-local addresses and those under which clouds hand out credentials; no setting opens them."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Answer(NamedTuple):
    """What the receiver said."""

    status: int
    """HTTP status; 0 if there was no answer."""
    detail: str

    @property
    def is_success(self) -> bool:
        """Tell whether the message was taken."""
        return 200 <= self.status < 300


def check_url(url: str, *, allows_private: bool = False) -> SplitResult:
    """Return the parts of an address that messages may go to, as far as the text tells. Raises WebhookRefusedError."""
    if len(url) > MAX_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise WebhookRefusedError(problem=f"its address has to be plain ASCII of at most {MAX_URL_CHARS:,} characters.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise WebhookRefusedError(problem=f"its address is none ({error}).") from error
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        raise WebhookRefusedError(problem="its address has to begin with https:// and name a host.")
    if parts.scheme == "http" and not allows_private:
        raise WebhookRefusedError(problem="http:// is for receivers in your own network only, and those have to be allowed.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise WebhookRefusedError(problem="its address may hold no name, password or fragment; the signature says who sends.")
    return parts


def check_address(address: str, *, allows_private: bool) -> None:
    """Check one address that a name resolved to. Raises WebhookRefusedError."""
    found: Address = ipaddress.ip_address(address.partition("%")[0])
    for each in (found, *_embedded(found)):
        inside = not each.is_global or each.is_private or each.is_loopback or each.is_reserved
        never = any(each in network for network in _NEVER if network.version == each.version)
        if never or each.is_multicast or each.is_unspecified or each.is_link_local:
            raise WebhookRefusedError(problem=f"it leads to {address}, an address that no webhook may reach.")
        if inside and not allows_private:
            raise WebhookRefusedError(
                problem=f"it leads to {address}, which is not on the public internet, and that was not allowed."
            )


def _embedded(address: Address) -> Iterator[Address]:
    """Yield the IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64 or int(address) >> 32 == 0 and int(address) > 1:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    yield from (each for each in found if each is not None)


def resolve(host: str, port: int) -> list[str]:
    """Return every address of a host. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allows_private: bool = False,
    resolver: Resolve = resolve,
    timeout: float = TIMEOUT_SECONDS,
) -> Answer:
    """Send a message and return the answer; whatever goes wrong on the way is an answer with status 0.

    Raises:
        WebhookRefusedError: if the address, or one that its name resolves to, must not be reached. Nothing was sent.
    """
    parts = check_url(url, allows_private=allows_private)
    host, port = str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
    try:
        addresses = resolver(host, port)
    except (OSError, UnicodeError) as error:
        return Answer(0, f"The name cannot be resolved: {error}")
    if not addresses:
        return Answer(0, "The name has no address.")
    for address in addresses:
        check_address(address, allows_private=allows_private)
    try:
        with _connected(addresses[0], port, host if parts.scheme == "https" else "", timeout) as link:
            return _exchange(link, parts, body, headers)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Answer(0, f"{type(error).__name__}: {error}"[:300])


@contextlib.contextmanager
def _connected(address: str, port: int, tls_name: str, timeout: float) -> Iterator[socket.socket]:
    """Give a connection that is cut off when the time is up, however slowly the other side trickles."""
    plain = socket.create_connection((address, port), timeout=timeout)
    timer = threading.Timer(timeout, _cut_off, [plain])
    timer.daemon = True
    timer.start()
    link: Any = plain
    try:
        if tls_name:
            link = ssl.create_default_context().wrap_socket(plain, server_hostname=tls_name)
            timer.cancel()
            timer = threading.Timer(timeout, _cut_off, [link])
            timer.daemon = True
            timer.start()
        yield link
    finally:
        timer.cancel()
        link.close()
        plain.close()


def _cut_off(link: socket.socket) -> None:
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)


def _exchange(link: socket.socket, parts: SplitResult, body: bytes, headers: Mapping[str, str]) -> Answer:
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port)
    connection.sock = link
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    default = parts.port in (None, 443 if parts.scheme == "https" else 80)
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else str(parts.hostname)
    connection.request(
        "POST", path, body, {"Host": host if default else f"{host}:{parts.port}", "Connection": "close", **headers}
    )
    with connection.getresponse() as response:
        text = response.read(MAX_ANSWER_BYTES).decode("utf-8", "replace")
        return Answer(response.status, " ".join(f"{response.reason} {text}".split())[:300])
