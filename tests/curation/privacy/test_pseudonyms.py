import json
from ipaddress import ip_address, ip_network

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.privacy.entities import PSEUDONYMOUS
from curation.privacy.numbers import passes_luhn
from curation.privacy.placeholders import is_placeholder
from curation.privacy.pseudonyms import pseudonym

KEY = b"pepper-and-salt"
DOCUMENTATION = [ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]


def test_one_value_has_one_pseudonym_under_one_key() -> None:
    assert pseudonym("EMAIL", "Ann.Lee@corp.com", KEY) == pseudonym("EMAIL", "ann.lee@corp.com", KEY)
    assert pseudonym("PHONE_NUMBER", "415 867 5309", KEY) == pseudonym("PHONE_NUMBER", "(415) 867-5309", KEY)
    assert pseudonym("EMAIL", "ann.lee@corp.com", KEY) != pseudonym("EMAIL", "ann.lee@corp.com", b"another key")
    assert len({pseudonym("EMAIL", f"person{number}@corp.com", KEY) for number in range(500)}) == 500


def test_a_surname_alone_gets_the_surname_of_the_full_name() -> None:
    full = pseudonym("PERSON", "Alice Weber", KEY)
    assert full.split()[-1] == pseudonym("PERSON", "Weber", KEY)
    assert len(full.split()) == 2


def test_pseudonyms_keep_the_form_and_stand_for_nobody() -> None:
    assert pseudonym("EMAIL", "ann@corp.com", KEY).endswith("@example.org")
    card = pseudonym("CREDIT_CARD", "4539 1488 0343 6467", KEY)
    assert [len(group) for group in card.split()] == [4, 4, 4, 4]
    assert not passes_luhn(card.replace(" ", ""))
    assert "555 01" in pseudonym("PHONE_NUMBER", "+44 20 7183 8750", KEY)
    assert phonenumbers.parse(pseudonym("PHONE_NUMBER", "+44 20 7183 8750", KEY)).country_code == 1
    for value in ("81.2.69.142", "2a02:c7f::1"):
        assert any(ip_address(pseudonym("IP_ADDRESS", value, KEY)) in net for net in DOCUMENTATION)
    assert pseudonym("DATE_OF_BIRTH", "3/4/1980", KEY) == "01/01/1980"
    assert pseudonym("DATE_OF_BIRTH", "1980-04-03", KEY) == "1980-01-01"
    assert pseudonym("NATIONAL_ID", "536-22-8471", KEY).startswith("000-")


@pytest.mark.parametrize(
    ("entity", "value"),
    [
        ("EMAIL", "ann@corp.com"),
        ("PHONE_NUMBER", "+44 20 7183 8750"),
        ("PHONE_NUMBER", "0688 872 49 99"),
        ("IBAN", "DE44 5001 0517 5407 3249 31"),
        ("CRYPTO_WALLET", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"),
        ("IP_ADDRESS", "81.2.69.142"),
        ("MAC_ADDRESS", "3c:22:fb:9a:11:7e"),
        ("NATIONAL_ID", "536-22-8471"),
        ("PASSPORT", "C03005988"),
        ("DRIVER_LICENSE", "D7315502"),
        ("DATE_OF_BIRTH", "12 March 1984"),
        ("PERSON", "Alice Weber"),
        ("STREET_ADDRESS", "221 Baker Street"),
        ("ORGANIZATION", "Acme Corp"),
        ("ZIP_CODE", "80331"),
    ],
)
def test_a_pseudonym_is_known_as_one(entity: str, value: str) -> None:
    assert is_placeholder(entity, pseudonym(entity, value, KEY))


@given(st.sampled_from(sorted(PSEUDONYMOUS)), st.text(min_size=1, max_size=20))
def test_any_value_gets_a_pseudonym_that_fits_into_json(entity: str, value: str) -> None:
    first = pseudonym(entity, value, KEY)
    assert first == pseudonym(entity, value, KEY)
    assert json.loads(f'"{first}"') == first
