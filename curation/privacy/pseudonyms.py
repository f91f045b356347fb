"""Consistent pseudonyms: one value gives one pseudonym under one key, of the same kind and form, and never a real one.

pseudonym("EMAIL", "ann.lee@corp.com", key)           "robin.bramelgrove.4821@example.org"
pseudonym("PERSON", "Dr Ann Lee"[3:], key)            "Robin Bramelgrove"; "Lee" alone becomes "Bramelgrove" too
pseudonym("CREDIT_CARD", "4539 1488 0343 6467", key)  "4182 0937 5521 8046", whose checksum is wrong on purpose

Keyed BLAKE2b (RFC 7693) chooses; without the key nobody can test a guess. The pseudonyms lie in ranges that stand for nobody:
domain example.org (RFC 2606), numbers 555-01xx, addresses of RFC 5737 and 3849, MAC of RFC 7042, identity numbers that start
000, wrong checksums, invented surnames. `is_placeholder` knows them, so screening twice changes nothing more. There are fewer
of them than values in the world (768 IPv4 addresses, 256 MAC addresses, 80,000 phone numbers): two values can share one.
"""

import hashlib
import re
from collections.abc import Callable

from curation.privacy.invented import FIRST_NAMES, invented_surname
from curation.privacy.numbers import passes_luhn

_UNSAFE = re.compile(r"[^ !#-&(-\[\]-_a-~]")
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019\-][^\W\d_]+)*")


def pseudonym(entity: str, value: str, key: bytes) -> str:
    """Return the pseudonym of a value; case and separators of the value do not matter to which one it is.

    ASCII without quotes, backslashes or line ends, so that it can stand inside code and JSON strings.
    """
    return _UNSAFE.sub("-", _MAKERS[entity](value, _Draw(entity, key)))


class _Draw:
    """Numbers drawn by a keyed hash from an entity and a value."""

    def __init__(self, entity: str, key: bytes) -> None:
        self.entity = entity
        self.key = hashlib.blake2b(key).digest()

    def number(self, value: str, purpose: str, limit: int) -> int:
        """Return a number below the limit."""
        plain = "".join(value.casefold().split())
        message = "\x1f".join((purpose, plain)).encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(message, key=self.key, digest_size=16).digest(), "big") % limit

    def digits(self, value: str, count: int) -> str:
        """Return that many digits."""
        return str(self.number(value, f"{self.entity}/digits", 10**count)).zfill(count)


def _plain(value: str) -> str:
    return "".join(char for char in value.casefold() if char.isalnum())


def _fill(value: str, digits: str) -> str:
    """Put digits, from the left, where the value has digits."""
    source = iter(digits)
    return "".join(next(source, "0") if char.isdigit() else char for char in value)


def _surname(word: str, draw: _Draw) -> str:
    return invented_surname(draw.number(word, "surname", 1 << 62))


def _name(value: str, draw: _Draw) -> str:
    """First names by list, the last word by an invented surname; a name of one word is taken for a surname."""
    words = _WORD.findall(value)
    if not words:
        return _surname(value, draw)
    first = [
        FIRST_NAMES[draw.number(word, "first", len(FIRST_NAMES))] for word in words[:-1] if len(word) > 1 and word[0].isupper()
    ]
    return " ".join([*first[:1], _surname(words[-1], draw)])


def _email(value: str, draw: _Draw) -> str:
    first = FIRST_NAMES[draw.number(value, "first", len(FIRST_NAMES))].lower()
    return f"{first}.{_surname(value, draw).lower()}.{draw.digits(value, 4)}@example.org"


def _phone(value: str, draw: _Draw) -> str:
    number = draw.number(_plain(value), "phone", 80_000)
    area, line = 200 + number // 100, number % 100
    return f"+1 {area} 555 01{line:02d}" if value.startswith(("+", "00")) else f"{area}-555-01{line:02d}"


def _card(value: str, draw: _Draw) -> str:
    plain = "".join(char for char in value if char.isdecimal()) or "4"
    digits = plain[0] + draw.digits(plain, max(1, len(plain) - 1))
    last = next(str(digit) for digit in range(10) if not passes_luhn(digits[:-1] + str(digit)))
    return _fill(value, digits[:-1] + last)


def _iban(value: str, draw: _Draw) -> str:
    return f"{value[:2].upper()}00{draw.digits(_plain(value), max(11, len(_plain(value)) - 4))}"


def _wallet(value: str, draw: _Draw) -> str:
    head = "0x" if value.startswith("0x") else value[: 3 if value.startswith("bc1") else 1]
    return head + ("0" if head == "0x" else "x") * (len(value) - len(head))


def _ip(value: str, draw: _Draw) -> str:
    number = draw.number(value, "ip", 768)
    if ":" in value:
        return f"2001:db8::{draw.number(value, 'ip', 65_535) + 1:x}"
    return f"{('192.0.2', '198.51.100', '203.0.113')[number // 256]}.{number % 256}"


def _mac(value: str, draw: _Draw) -> str:
    return f"00:00:5E:00:53:{draw.number(_plain(value), 'mac', 256):02X}"


def _paper(value: str, draw: _Draw) -> str:
    count = sum(char.isdigit() for char in value)
    return _fill(value, ("000" + draw.digits(_plain(value), max(1, count - 3)))[:count])


def _birth(value: str, draw: _Draw) -> str:
    """The first of January of the same year."""
    year = re.search(r"\d{4}", value)
    separator = next((char for char in "/.-" if char in value), "-")
    if year is None:
        return separator.join(("01", "01", value[-2:]))
    return separator.join((year[0], "01", "01") if value.startswith(year[0]) else ("01", "01", year[0]))


def _street(value: str, draw: _Draw) -> str:
    return f"{draw.number(value, 'house', 998) + 1} {_surname(value, draw)} Street"


def _organization(value: str, draw: _Draw) -> str:
    return f"{_surname(value, draw)} Ltd"


def _zip(value: str, draw: _Draw) -> str:
    return "00000"


_MAKERS: dict[str, Callable[[str, _Draw], str]] = {
    "EMAIL": _email,
    "PHONE_NUMBER": _phone,
    "CREDIT_CARD": _card,
    "IBAN": _iban,
    "CRYPTO_WALLET": _wallet,
    "IP_ADDRESS": _ip,
    "MAC_ADDRESS": _mac,
    "NATIONAL_ID": _paper,
    "PASSPORT": _paper,
    "DRIVER_LICENSE": _paper,
    "DATE_OF_BIRTH": _birth,
    "PERSON": _name,
    "STREET_ADDRESS": _street,
    "ORGANIZATION": _organization,
    "ZIP_CODE": _zip,
}
