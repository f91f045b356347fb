"""Passwords (argon2id) and random secrets (only their SHA-256 is kept).

secret = new_secret()              "kW3v..." (256 bits), shown once
digest(secret)                     "9f86d081..." (64 hex digits), stored
"""

import hashlib
import secrets
import threading
import unicodedata

import argon2

from curation.review.accounts.names import name_key
from curation.review.errors import PasswordRefusedError

MIN_PASSWORD_CHARS = 10
MAX_PASSWORD_CHARS = 256
NO_PASSWORD = "!"  # noqa: S105
"""Stored for a person who logs in elsewhere (single sign-on); no password matches it."""

_HASHINGS = threading.BoundedSemaphore(4)
"""A hash takes 64 MiB: many logins at once must not take all memory."""


def new_secret() -> str:
    """Return 256 random bits as 43 characters for URLs."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """Return the SHA-256 of a secret in hexadecimal. Enough for random ones: nobody can guess 256 bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class Passwords:
    """Hashes and checks passwords. Thread-safe."""

    def __init__(self, hasher: argon2.PasswordHasher | None = None) -> None:
        self._hasher = hasher or argon2.PasswordHasher()
        self._nobody = self._hasher.hash(new_secret())

    def hash(self, password: str) -> str:
        """Return the argon2id hash of a password, with its salt and parameters."""
        with _HASHINGS:
            return self._hasher.hash(_normal(password))

    def matches(self, stored: str | None, password: str) -> bool:
        """Tell whether a password is that of a stored hash. Takes as long where there is none."""
        usable = stored is not None and stored != NO_PASSWORD
        try:
            with _HASHINGS:
                return self._hasher.verify(stored if usable and stored else self._nobody, _normal(password)) and usable
        except (argon2.exceptions.VerifyMismatchError, argon2.exceptions.InvalidHashError):
            return False

    def is_outdated(self, stored: str) -> bool:
        """Tell whether a hash was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(stored)


def check_password(password: str, name: str) -> None:
    """Refuse a password that is easily guessed.

    Raises:
        PasswordRefusedError: saying why.
    """
    if len(password) < MIN_PASSWORD_CHARS:
        raise PasswordRefusedError(problem=f"it needs at least {MIN_PASSWORD_CHARS} characters")
    if len(password) > MAX_PASSWORD_CHARS:
        raise PasswordRefusedError(problem=f"it has more than {MAX_PASSWORD_CHARS} characters")
    plain = name_key(password).replace(" ", "")
    if len(set(plain)) < 4 or plain in ("password123", "passwordl23", "l234567890", "l23456789o", "qwertyuiop"):
        raise PasswordRefusedError(problem="it is too easy to guess")
    if plain.strip("0123456789l!.") == name_key(name).replace(" ", "").strip("0123456789l!."):
        raise PasswordRefusedError(problem="it is your name")


def _normal(password: str) -> bytes:
    """A password typed on another keyboard is the same password (NFKC); anything too long is cut off before hashing."""
    return unicodedata.normalize("NFKC", password[: 2 * MAX_PASSWORD_CHARS]).encode("utf-8", "surrogatepass")
