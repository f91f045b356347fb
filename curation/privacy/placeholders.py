"""Values that only look private: examples, documentation ranges, test cards, variables, and our own pseudonyms.

is_placeholder("EMAIL", "user@example.com")              True
is_placeholder("AWS_KEY", "AKIAIOSFODNN7EXAMPLE")        True
is_placeholder("PHONE_NUMBER", "+1 202 555 0143")        True
"""

import re
from collections.abc import Callable
from ipaddress import ip_address

from curation.privacy.entities import is_secret
from curation.privacy.invented import is_invented_name
from curation.privacy.word_lists import lines_of, words_of

_EXAMPLE_DOMAIN = re.compile(
    r"(?:[^@]*\.)?(?:example\.(?:com|org|net|edu)|(?:your|my)?(?:domain|company|site|website|email|mail|organization)\.(?:com|org|net)"
    r"|(?:test|sample)\.com|localhost|example|test|invalid)"
)
_EXAMPLE_MAIL = re.compile(
    r"(?:git|noreply|no-reply|donotreply|do-not-reply)@.*|(?:user|your|you|name|username|email|foo|test|someone|john\.?doe|jane\.?doe|me"
    r"|your[._\-]?(?:name|email))@(?:domain|email|mail|company|foo|bar|test|localhost|server|host|gmail|site|website)\.\w+"
)
_TEST_IBANS = frozenset(
    (
        "GB82WEST12345698765432",
        "DE89370400440532013000",
        "GB29NWBK60161331926819",
        "FR1420041010050500013M02606",
        "NL91ABNA0417164300",
    )
)
_SAMPLE_SSNS = frozenset(("123456789", "987654320", "987654321", "078051120", "219099999", "111223333"))
_NEW_YEAR = re.compile(r"0?1[/.\-]0?1[/.\-]\d{2,4}|\d{4}[/.\-]0?1[/.\-]0?1|(?:1(?:st)? )?January (?:1(?:st)?,? )?\d{4}")
_EXAMPLE_STREET = re.compile(r"(?i)1?234? (?:main|elm|fake|any|some|example|oak)\b|1600 (?:amphitheatre|pennsylvania)")
_PUBLIC_IPS = frozenset(("8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "1.2.3.4", "2001:4860:4860::8888"))
_SECRET_WORDS = re.compile(
    r"(?i)example|placeholder|change[_\-]?(?:me|it|this)|your[_\-. ]|^your|dummy|redacted|sample|insert|replace|todo"
    r"|foobar|xxxx|eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4|^(?:secret|password|pass|pwd|token|test|user|admin)\d{0,4}$|\*{3}|\.{3}|\u2026|<.*>|\{.*\}|^\$|^%\w+%$|\[\w+\]"
    r"|^(?:my|the|a|some|super|top|this[_\-]?is)[_\-]?(?:\w+[_\-])?(?:secret|password|token|key)\w{0,12}$"
)


def is_placeholder(entity: str, value: str) -> bool:
    """Tell whether a found value is an example, a test value or a variable, and so nothing to hide."""
    if is_secret(entity):
        return _is_placeholder_secret(value)
    rule = _RULES.get(entity)
    return rule is not None and rule(value)


def _is_placeholder_secret(value: str) -> bool:
    plain = value.strip("\"'`").lower()
    return plain in words_of("passwords") or len(set(plain)) <= 3 or bool(_SECRET_WORDS.search(value)) or _is_sequence(plain)


def _is_sequence(value: str) -> bool:
    """Letters or digits in their own order, such as `abcdefgh12345`."""
    steps = sum(ord(after) - ord(before) == 1 for before, after in zip(value, value[1:], strict=False))
    return len(value) >= 6 and steps >= 0.5 * (len(value) - 1)


def _digits(value: str) -> str:
    return "".join(char for char in value if char.isdigit())


def _is_example_mail(value: str) -> bool:
    lowered = value.lower()
    return bool(_EXAMPLE_MAIL.fullmatch(lowered) or _EXAMPLE_DOMAIN.fullmatch(lowered.rpartition("@")[2]))


def _is_example_phone(value: str) -> bool:
    digits = _digits(re.split(r"x|ext", value)[0])
    national = digits[-10:]
    fictional = national[-7:-4] == "555" and len(digits) >= 10 and (national[-4:-2] == "01" or national[:3] in ("555", "123"))
    local = len(digits) == 7 and digits.startswith("555")
    return fictional or local or len(set(digits[-9:])) <= 2 or "123456" in digits or "987654" in digits or "0000000" in digits


def _is_test_card(value: str) -> bool:
    digits = _digits(value)
    return digits in words_of("test_cards") or len(set(digits)) <= 3 or "12345678" in digits


def _is_test_iban(value: str) -> bool:
    plain = re.sub(r"[ \-]", "", value).upper()
    return plain in _TEST_IBANS or plain[2:4] == "00"


def _is_example_ip(value: str) -> bool:
    try:
        address = ip_address(value)
    except ValueError:
        return False
    documentation = value.lower().startswith(("2001:db8:", "192.0.2.", "198.51.100.", "203.0.113."))
    return value in _PUBLIC_IPS or documentation or not address.is_global or address.is_multicast


def _is_example_mac(value: str) -> bool:
    plain = re.sub(r"[^0-9a-f]", "", value.lower())
    return (
        plain.startswith("00005e0053")
        or len(set(plain)) <= 2
        or plain in ("001122334455", "0123456789ab", "aabbccddeeff", "123456789abc")
    )


def _is_example_paper(value: str) -> bool:
    digits = _digits(value)
    return digits.startswith("000") or digits in _SAMPLE_SSNS or len(set(digits)) <= 1 or "123456" in digits


def _is_example_person(value: str) -> bool:
    return value.lower() in lines_of("people") or is_invented_name(value)


_RULES: dict[str, Callable[[str], bool]] = {
    "EMAIL": _is_example_mail,
    "PHONE_NUMBER": _is_example_phone,
    "CREDIT_CARD": _is_test_card,
    "IBAN": _is_test_iban,
    "IP_ADDRESS": _is_example_ip,
    "MAC_ADDRESS": _is_example_mac,
    "NATIONAL_ID": _is_example_paper,
    "PASSPORT": _is_example_paper,
    "DRIVER_LICENSE": _is_example_paper,
    "PERSON": _is_example_person,
    "STREET_ADDRESS": lambda value: is_invented_name(value) or bool(_EXAMPLE_STREET.match(value)),
    "ORGANIZATION": is_invented_name,
    "ZIP_CODE": lambda value: set(_digits(value)) <= {"0"} or _digits(value) in ("12345", "90210"),
    "DATE_OF_BIRTH": lambda value: _NEW_YEAR.fullmatch(value) is not None,
    "CRYPTO_WALLET": lambda value: len(set(value[3:])) <= 3,
}
