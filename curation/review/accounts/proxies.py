"""Which proxies are believed, and what: who the client is, whether it uses TLS and, if asked for, what the person is called.

proxies = TrustedProxies.read(["10.0.0.0/8"], user_header="X-Remote-User")
proxies.user(request)        "Ada" from 10.1.2.3; UntrustedProxyError if 192.0.2.7 says so
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from starlette.requests import HTTPConnection

from curation.review.errors import UntrustedProxyError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustedProxies:
    """The addresses of proxies whose headers count. Without any, no such header counts."""

    networks: tuple[Network, ...] = ()
    user_header: str = ""
    """Header that says who sends a request; empty: people log in here."""

    @classmethod
    def read(cls, networks: Iterable[str], user_header: str = "") -> Self:
        """Return what these addresses or networks mean. Raises ValueError if one is none."""
        found = tuple(ipaddress.ip_network(each.strip(), strict=False) for each in networks)
        if user_header and not found:
            raise ValueError("a header that says who sends a request needs the address of the proxy that sets it")
        return cls(networks=found, user_header=user_header)

    def address(self, request: HTTPConnection) -> str:
        """Return the address of the client: that of the peer, or what a trusted peer says it is."""
        address = _peer(request)
        hops = [hop.strip() for value in request.headers.getlist("x-forwarded-for") for hop in value.split(",")]
        while hops and self._trusts(address):
            address = hops.pop()
        return address

    def is_https(self, request: HTTPConnection) -> bool:
        """Tell whether the browser uses TLS."""
        forwarded = request.headers.get("x-forwarded-proto", "") if self._trusts(_peer(request)) else ""
        return request.url.scheme == "https" or forwarded.strip().lower() == "https"

    def origin(self, request: HTTPConnection) -> str:
        """Return scheme, host and port as the browser sees them; the host was checked by the guard."""
        return f"{'https' if self.is_https(request) else 'http'}://{request.headers['host']}"

    def user(self, request: HTTPConnection) -> str:
        """Return the name that a trusted proxy gives; empty if it gives none.

        Raises:
            UntrustedProxyError: if somebody else sends the header, or it is there twice.
        """
        values = request.headers.getlist(self.user_header) if self.user_header else []
        if not values:
            return ""
        if len(values) > 1 or not self._trusts(_peer(request)):
            raise UntrustedProxyError(address=_peer(request) or "an unknown address")
        return values[0].encode("latin-1").decode("utf-8", "replace").strip()

    def _trusts(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)
        return any((mapped or parsed) in network for network in self.networks)


def _peer(request: HTTPConnection) -> str:
    return request.client.host if request.client else ""
