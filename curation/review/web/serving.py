"""What has to be in order before the review app listens: TLS or loopback, one server a SQLite database, a first lead.

check_bind("0.0.0.0", tls=None, allow_remote=False)        # RemoteBindError
with hold_database(database):                              # ServedTwiceError if another process serves it
    ...
"""

import contextlib
import ipaddress
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import filelock

from curation.database import Database
from curation.errors import RemoteBindError
from curation.home import Home
from curation.review.accounts.accounts import Accounts
from curation.review.errors import AddressTakenError, ServedTwiceError, TlsFileError


class Tls(NamedTuple):
    """The files of a certificate, PEM."""

    certificate: Path
    key: Path


def read_tls(certificate: Path | None, key: Path | None) -> Tls | None:
    """Return both files after a look into them, or None without any. Raises TlsFileError."""
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise TlsFileError(problem=f"the {'certificate' if certificate is None else 'key'} is missing")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise TlsFileError(problem=str(error)) from error
    return Tls(certificate, key)


def check_bind(host: str, *, tls: Tls | None, allow_remote: bool) -> None:
    """Refuse to send passwords over a network in the clear. Raises RemoteBindError."""
    if tls is None and not allow_remote and not is_loopback(host):
        raise RemoteBindError(host=host)


def check_address(host: str, port: int) -> None:
    """Find out, before anybody is told an address, whether it can be listened on. Raises AddressTakenError."""
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as error:
        raise AddressTakenError(host=host, port=port, reason=error.strerror or str(error)) from error


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextlib.contextmanager
def hold_database(database: Database) -> Iterator[None]:
    """Keep other servers away from a SQLite database, whose one writer sits in this process. PostgreSQL needs no such thing.

    Raises:
        ServedTwiceError: if a process that lives serves it already.
    """
    if not database.is_sqlite:
        yield
        return
    path = str(database.engine.url.database)
    lock, owner = filelock.FileLock(f"{path}.serving", timeout=0, mode=0o600), Path(f"{path}.serving.pid")
    try:
        lock.acquire()
    except filelock.Timeout as error:
        pid = owner.read_text(encoding="ascii").strip() if owner.exists() else "?"
        raise ServedTwiceError(path=path, pid=pid) from error
    try:
        owner.write_text(str(os.getpid()), encoding="ascii")
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def public_url(home: Home, host: str, port: int, *, tls: Tls | None) -> str:
    """Return where people reach the app: the address that was set, or where it listens if that is this machine."""
    if not is_loopback(urlsplit(home.review_url).hostname or ""):
        return home.review_url.rstrip("/")
    name = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{name}:{port}"


def first_link(accounts: Accounts, url: str) -> str:
    """Return the address at which the first lead joins; empty if there are people already."""
    token = accounts.first_link()
    return f"{url}/welcome/{token}" if token else ""
