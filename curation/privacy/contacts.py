"""E-mail addresses, phone numbers, IP and MAC addresses.

find_emails("write to ann.lee@corp.com")     EMAIL, span 9 to 25
find_phones("call +1 212-736-5000", ("US",)) PHONE_NUMBER, span 5 to 20

Each pattern runs on small windows around what cannot be missing ("@", seven digits), so that time is linear in the text.
"""

import re
from collections.abc import Iterator
from functools import cache
from ipaddress import ip_address
from typing import Any

from curation.privacy.clues import near
from curation.privacy.finding import Finding

_LOCAL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~\-]{1,64}\Z")
_DOMAIN = re.compile(r"(?:[^\W_](?:[\w\-]{0,61}[^\W_])?\.){1,8}[^\W\d_][\w\-]{0,30}[^\W_]")
_LOCAL_EDGES = ".'`{|}=&/*!?%^~$#"
_INTERNAL = {"corp", "home", "internal", "intranet", "lan", "local"}
_PHONE_WINDOW = re.compile(r"\d(?<![\w.]\d)(?:[ \-.()/\u00a0\u2011]{0,3}\d){5,24}(?:[ ]?(?:x|ext\.?)[ ]?\d{1,6})?(?!\w)")
_PHONE_WORDS = re.compile(
    r"phone|\btel\b|\bfax|mobile|\bcell(?:phone|ular)?\b|\bcall|\bdial|\btext(?:ed)? me|whatsapp|\bsms\b"
    r"|\breach|\bdesk:|-?office\b(?! is)(?!s)"
    r"|contact|messages to|answering|registered|hotline"
)
_NUMBER_WORDS = re.compile(
    r"isbn|issn|\bdoi\b|order|invoice|serial|account|card|\biban|ticket|\bid\b|\bssn\b|pin\b|zip|version|licen[cs]e|passport"
    r"|social security|model|part (?:no|number)"
)
_NOT_A_PHONE = re.compile(
    r"\d{4}-\d{2}-\d{2}\b.*|\d{1,2}/\d{1,2}/\d{2,4}|(?:19|20)\d\d\s?[\-\u2013]\s?(?:19|20)\d\d|\d+\.\d+|\d{1,3}(?:\.\d{1,3}){3}"
    r"|.* [\-/] .*|[1-9]\d*(?:/\d+)+"
)
_NORTH_AMERICAN = re.compile(r"(?:1[ .\-])?\(?[2-9]\d\d\)?[ .\-]{0,2}[2-9]\d\d[.\- ]\d{4}(?:[ ]?(?:x|ext\.?)[ ]?\d+)?")
_TRUNK_ZERO = re.compile(r"\(?0\d{1,4}\)?[ \-/.]\d[\d \-.]{5,}")
_OPERATORS = frozenset("/$<>=*\u20ac\u00a3#%^~_&:;|")
_IPV4 = re.compile(r"\d(?<![\w.\-]\d)\d{0,2}\.(?:\d{1,3}\.){2}\d{1,3}(?![\w\-]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:{1,2}){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_MAC = re.compile(
    r"(?<![\w:\-.])(?:[0-9A-Fa-f]{2}([:\-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4})(?![\w:\-]|\.\w)"
)
_URL = re.compile(r"(?<![\w@])(?:(?i:https?)://|www\.)[^\s<>\"']{3,2000}")
_VERSION_WORDS = re.compile(
    r"(?:version|bump[^\n]{0,40}|upgrade[^\n]{0,40}|\bv|==|>=|<=|~=|release|build|section|chapter|clause)\s?$"
)


@cache
def offline_suffixes() -> Any:
    """Return the public-suffix list that tldextract carries: no download, no cache folder."""
    import tldextract

    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, fallback_to_snapshot=True)


def find_emails(text: str) -> Iterator[Finding]:
    """Find addresses whose domain ends in a public suffix."""
    at = text.find("@")
    while at >= 0:
        local = _LOCAL.search(text, max(0, at - 64), at)
        domain = _DOMAIN.match(text, at + 1)
        if local is not None and domain is not None:
            start = local.start() + len(local[0]) - len(local[0].lstrip(_LOCAL_EDGES))
            if start < at and text[at - 1] != "." and not _is_userinfo(text, at) and _is_domain(domain[0]):
                yield Finding("EMAIL", start, domain.end(), "email", 0.95)
        at = text.find("@", at + 1)


def _is_userinfo(text: str, at: int) -> bool:
    """Tell whether the sign stands in `scheme://user:password@host`."""
    scheme = text.rfind("://", max(0, at - 300), at)
    return scheme >= 0 and not re.search(r"[/?#\s]", text[scheme + 3 : at])


def _is_domain(domain: str) -> bool:
    return domain.rpartition(".")[2].lower() in _INTERNAL or bool(offline_suffixes()(domain).suffix)


def find_phones(text: str, regions: tuple[str, ...]) -> Iterator[Finding]:
    """Find numbers that libphonenumber holds for valid, and plausible ones beside a telling word."""
    for window in _PHONE_WINDOW.finditer(text):
        start = window.start()
        while start and text[start - 1] in "+(" and not text[start - 2 : start - 1].isalnum():
            start -= 1
        number = text[start : window.end()].rstrip(" (")
        digits = sum(char.isdigit() for char in number)
        is_sum = text[max(0, start - 1) : start] in _OPERATORS and not text[:start].endswith(":") and start > 0
        if not 7 <= digits <= 15 + 6 * ("x" in number) or _NOT_A_PHONE.fullmatch(number) or is_sum:
            continue
        score = _phone_score(number, near(text, start, start + len(number)), regions)
        if score:
            yield Finding("PHONE_NUMBER", start, start + len(number), "phone", score)


def _phone_score(number: str, around: str, regions: tuple[str, ...]) -> float:
    told = _PHONE_WORDS.search(around) is not None
    if not told and _NUMBER_WORDS.search(around):
        return 0.0
    if number.startswith(("+", "00")):
        return 0.95 if _is_valid(number, ()) else (0.75 if told else 0.55 * number.startswith("+"))
    if told:
        return 0.75
    shaped = _NORTH_AMERICAN.fullmatch(number) or _TRUNK_ZERO.fullmatch(number)
    return 0.6 if shaped and _is_valid(number, regions) else 0.0


def _is_valid(number: str, regions: tuple[str, ...]) -> bool:
    import phonenumbers

    if number.startswith("00"):
        number = f"+{number[2:]}"
    for region in regions or (None,):
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(number, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False


def find_addresses_of_machines(text: str) -> Iterator[Finding]:
    """Find IPv4, IPv6 and MAC addresses; four numbers after a word such as `version` are no address."""
    for match in _IPV4.finditer(text):
        if _is_ip(match[0]) and not _VERSION_WORDS.search(text[max(0, match.start() - 60) : match.start()].lower()):
            yield Finding("IP_ADDRESS", match.start(), match.end(), "ip", 0.85)
    for match in _MAC.finditer(text):
        yield Finding("MAC_ADDRESS", match.start(), match.end(), "mac", 0.85)
    for match in _IPV6.finditer(text):
        if _is_ip(match[0]):
            yield Finding("IP_ADDRESS", match.start(), match.end(), "ip", 0.85)


def _is_ip(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def find_urls(text: str) -> Iterator[Finding]:
    """Find web addresses; off unless the recipe asks for URL."""
    for match in _URL.finditer(text):
        end = match.start() + len(match[0].rstrip(".,;:!?)'\""))
        yield Finding("URL", match.start(), end, "url", 0.6)
