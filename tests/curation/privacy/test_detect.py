import socket
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.privacy.config import PrivacyConfig
from curation.privacy.contacts import offline_suffixes
from curation.privacy.detect import find_findings, screen_texts
from curation.privacy.finding import Finding

CONFIG = PrivacyConfig()


def found(text: str, config: PrivacyConfig = CONFIG) -> list[tuple[str, str]]:
    return [(item.entity, text[item.start : item.end]) for item in find_findings(text, config)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to ann.lee@corp-mail.de, please.", [("EMAIL", "ann.lee@corp-mail.de")]),
        (
            "<Ann Lee> mail: Ann Lee <a.lee@corp.co.uk>",
            [("PERSON", "Ann Lee"), ("PERSON", "Ann Lee"), ("EMAIL", "a.lee@corp.co.uk")],
        ),
        ("Ring me: +44 20 7183 8750.", [("PHONE_NUMBER", "+44 20 7183 8750")]),
        ("Her mobile is 0688 872 49 99", [("PHONE_NUMBER", "0688 872 49 99")]),
        ("(415) 867-5309 is written there", [("PHONE_NUMBER", "(415) 867-5309")]),
        ("My card 4539 1488 0343 6467 was stolen", [("CREDIT_CARD", "4539 1488 0343 6467")]),
        ("seen from 81.2.69.142 and 2a02:c7f:8e3a::12", [("IP_ADDRESS", "81.2.69.142"), ("IP_ADDRESS", "2a02:c7f:8e3a::12")]),
        ("device 3c:22:fb:9a:11:7e joined", [("MAC_ADDRESS", "3c:22:fb:9a:11:7e")]),
        ("My SSN is 536-22-8471.", [("NATIONAL_ID", "536-22-8471")]),
        ("passport no. C03005988", [("PASSPORT", "C03005988")]),
        ("driver's license D7315502 expired", [("DRIVER_LICENSE", "D7315502")]),
        ("born on 12 March 1984 in Rome", [("DATE_OF_BIRTH", "12 March 1984")]),
        ("My name is Alice Weber.", [("PERSON", "Alice Weber")]),
        ("my name is codey ross", [("PERSON", "codey ross")]),
        ("Ask Dr. van der Berg's nurse", [("PERSON", "van der Berg")]),
        ("Best regards,\nTomasz K. Nowak", [("PERSON", "Tomasz K. Nowak")]),
        ("Ship to 221 Baker Street, Apt 4, London NW1 6XE.", [("STREET_ADDRESS", "221 Baker Street, Apt 4, London NW1 6XE")]),
        ("Sie wohnt Hauptstra\u00dfe 12", [("STREET_ADDRESS", "Hauptstra\u00dfe 12")]),
        ("my zip code is 80331", [("ZIP_CODE", "80331")]),
    ],
)
def test_personal_data_is_found_exactly(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


@pytest.mark.slow  # importing presidio takes seconds
def test_checksummed_numbers_are_found_by_presidio_without_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_the_network(monkeypatch)
    wallet = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"
    assert found("Pay to DE44 5001 0517 5407 3249 31 today") == [("IBAN", "DE44 5001 0517 5407 3249 31")]
    assert found("my iban is gb33bukb20201555555555") == [("IBAN", "gb33bukb20201555555555")]
    assert found(f"send to {wallet}") == [("CRYPTO_WALLET", wallet)]
    assert found("His NHS number is 401 023 2137 now") == [("NATIONAL_ID", "401 023 2137")]
    assert found("PESEL 44051401359", PrivacyConfig(countries=("pl",))) == [("NATIONAL_ID", "44051401359")]
    assert found("DE89 3704 0044 0532 0130 00, DE44 5001 0517 5407 3249 32, PESEL 44051401359") == []


@pytest.mark.parametrize(
    "text",
    [
        "Email user@example.com or jane.doe@domain.com, or noreply@github.com",
        "git clone git@github.com:org/repo.git",
        "curl http://127.0.0.1:8000 and 192.168.0.12, 10.0.0.1, 8.8.8.8, 203.0.113.9",
        "Call 555-0123 or (212) 555-0147 or 123-456-7890",
        "card 4111 1111 1111 1111 or 4242424242424242",
        "John Doe said: my name is John Doe. Dr. Jane Doe agreed.",
        "pip install polars==1.2.3.4, version 2.0.1.1",
        "In 1914-1918 and 1939-1945, 12,000,000 people; 3.14159265358979",
        "2024-05-17 10:22:31 ISBN 978-3-16-148410-0",
        "The order 4539148803436468 was sent",  # no checksum
        "def f(x: int) -> str: return x::y",
        "Dear Sir or Madam, I am going home",
        "5 cars passing the street, 4 miles of road, 20 Happy days",
        "There are 974000 / 1000 = <<974000/1000=974>>974 phones",
        "123 Main Street",
        "00:00:00:00:00:00 at 12:30:45",
    ],
)
def test_placeholders_and_ordinary_text_are_left_alone(text: str) -> None:
    assert found(text) == []


def test_a_value_that_was_introduced_is_found_again() -> None:
    text = "My name is Alice Weber. Weber signed it, and so did AliceWeberX."
    assert found(text) == [("PERSON", "Alice Weber"), ("PERSON", "Weber")]


def test_ignored_entities_low_scores_and_allowed_values_are_left_out() -> None:
    text = "Mail ann@corp.com, phone 415 867 5309"
    assert found(text, PrivacyConfig(entities={"EMAIL": "ignore"})) == [("PHONE_NUMBER", "415 867 5309")]
    assert found(text, PrivacyConfig(min_score=0.9)) == [("EMAIL", "ann@corp.com")]
    assert found(text, PrivacyConfig(placeholders=("ANN@corp.com",))) == [("PHONE_NUMBER", "415 867 5309")]


def test_another_recogniser_can_be_plugged_in() -> None:
    class Towns:
        def find(self, text: str) -> list[Finding]:
            start = text.find("Kyoto")
            return [Finding("LOCATION", start, start + 5, "towns", 0.9)] if start >= 0 else []

    findings = find_findings("She lives in Kyoto.", CONFIG, [Towns()])
    assert [(item.entity, item.start, item.detector) for item in findings] == [("LOCATION", 13, "towns")]


def cut_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a network connection was tried")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_nothing_reaches_for_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_the_network(monkeypatch)
    offline_suffixes.cache_clear()
    text = "https://shop.corp-mail.de/a ann@corp-mail.de token=ghp_" + "q8Zr4LxN2vKc7TbW9mHd3FsJ6pYg5RaE1uQi"
    assert [entity for entity, _ in found(text, PrivacyConfig(entities={"URL": "keep"}))] == ["URL", "EMAIL", "API_KEY"]


def test_heavy_libraries_are_imported_only_when_needed() -> None:
    code = (
        "import sys\nfrom curation.privacy.config import PrivacyConfig\nfrom curation.privacy.screen import screen_rows\n"
        "from curation.privacy.detect import screen_texts\n"
        "screen_texts(['Mail ann@corp.com, call +1 212-736-5000'], PrivacyConfig())\n"
        "print([name for name in ('presidio_analyzer', 'spacy', 'torch', 'requests') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # tldextract imports requests; presidio, spaCy and torch have to wait for a text that needs them
    assert done.stdout.strip() in ("[]", "['requests']")


HOSTILE = (
    "@" * 20_000,
    "a@" * 20_000,
    "a." * 20_000 + "@",
    "1 " * 20_000,
    "1" * 40_000,
    "+1-" * 15_000,
    "Dr. A" * 10_000,
    "my name is " * 5_000,
    "A b Street " * 5_000,
    "1 Aa " * 10_000,
    "1 rue " * 8_000,
    "password = " * 5_000,
    'password = "' * 5_000,
    "-----BEGIN PRIVATE KEY-----" * 2_000,
    "sk-" * 15_000,
    "eyJ" * 15_000,
    "eyJaaaaaaaaaa." * 4_000,
    "http://a:" * 6_000 + "@",
    "::" * 20_000,
    "aa:" * 15_000,
    "AA11" * 12_000,
    "x" * 40_000,
    "\x00\ud800\u202e" * 10_000,
    "ssn 1" * 10_000,
    "born 1/1/" * 6_000,
    "key=" * 12_000,
    "Bearer " * 8_000,
    "{" * 10_000,
)


@pytest.mark.parametrize("text", HOSTILE, ids=[repr(text[:12]) for text in HOSTILE])
def test_time_is_linear_on_hostile_text(text: str) -> None:
    half = text[: len(text) // 2]
    find_findings(half[:200], CONFIG)
    times = []
    for part in (half, text):
        started = time.thread_time()
        find_findings(part, CONFIG)
        times.append(time.thread_time() - started)
    assert times[1] < 3 * times[0] + 2


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_findings_lie_in_the_text_and_do_not_overlap(text: str) -> None:
    findings = find_findings(text, CONFIG)
    ends = [0, *(item.end for item in findings)]
    assert all(0 <= before <= item.start < item.end <= len(text) for before, item in zip(ends, findings, strict=False))


def test_texts_are_answered_in_their_order() -> None:
    texts = ["Sort a list", "Mail ann@corp.com", "", "Sort a list"]
    assert [len(item) for item in screen_texts(texts, CONFIG)] == [0, 1, 0, 0]
