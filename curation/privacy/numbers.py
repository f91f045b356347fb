"""Numbers that belong to one person: cards, accounts, wallets, identity papers, dates of birth.

find_cards("card 4539 1488 0343 6467")       CREDIT_CARD, span 5 to 24, score 1 (checksum)
"""

import re
from collections.abc import Iterator

from curation.privacy.clues import Clues, near
from curation.privacy.finding import Finding
from curation.privacy.presidio_patterns import Paper, recogniser, recognisers_of

_CARD = re.compile(r"(?<![\w.+\-])\d(?:[ \-]?\d){11,18}(?![\w]|[.\-]\d)")
_CARD_WORDS = re.compile(r"card|\bcc\b|credit|debit|visa|master|amex|maestro|discover|diners|payment|atm")
_GROUPINGS = {(16,), (15,), (4, 4, 4, 4), (4, 6, 5)}
_CARD_PREFIX = re.compile(r"4|5[0-8]|2[2-7]|3[0-9]|6[0-9]|1800|2131")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ \-]?[A-Za-z0-9]{4}){2,7}(?:[ \-]?[A-Za-z0-9]{1,3})?(?![A-Za-z0-9])")
_BITCOIN = re.compile(r"(?<![A-Za-z0-9])(?:bc1[a-z0-9]{25,59}|[13][a-km-zA-HJ-NP-Z1-9]{25,34})(?![A-Za-z0-9])")
_ETHEREUM = re.compile(r"(?<![A-Za-z0-9])0x[0-9a-fA-F]{40}(?![A-Za-z0-9])")
_ETHEREUM_WORDS = re.compile(r"wallet|ethereum|\beth\b|address|send|\bpay|metamask|usdt|usdc")
_SSN = re.compile(r"(?<![\w.\-])\d{3}([ \-])\d{2}\1\d{4}(?![\w]|[.\-]\d)|(?<![\w.\-])\d{9}(?![\w]|[.\-]\d)")
_SSN_WORDS = re.compile(r"\bssns?\b|social security|tax ?payer|\btin\b|\bitin\b")
_PAPER = re.compile(r"(?<![\w\-])(?=[A-Za-z0-9]{0,14}\d[A-Za-z0-9]{0,14}\d)[A-Za-z0-9]{6,15}(?![\w\-])")
_PASSPORT_WORDS = re.compile(r"passport")
_LICENSE_WORDS = re.compile(r"driv\w{0,6}(?:'s)?[ -]licen[sc]e|licen[sc]e (?:no|number|#)")
_DATE = re.compile(
    r"(?<![\w/.\-])(?:\d{1,2}([/.\-])\d{1,2}\1(?:\d{4}|\d{2})|\d{4}([/.\-])\d{1,2}\2\d{1,2}"
    r"|\d{1,2}(?:st|nd|rd|th)? (?:of )?[A-Za-z]{3,9}\.?,? \d{4}|[A-Za-z]{3,9}\.? \d{1,2}(?:st|nd|rd|th)?,? \d{4})(?!\w|[/\-]\d)"
)
_BIRTH_WORDS = re.compile(r"born|birth|\bd\.?o\.?b\b|geboren")
_AGE = re.compile(
    r"(?i)(?<![\w.,])(?:aged?|turn(?:ed|s)?|age of|i'm|i am|was|he is|she is)[ :]{1,2}(\d{1,3})(?![\w,.]?\d)"
    r"|(?<![\w.,])(\d{1,3})[ \-]?(?:years?[ \-]olds?|y/o|yo)(?!\w)"
)
_ZIP = re.compile(
    r"(?i:zip(?: ?code)?|postal code|post ?code|plz)(?: is|:| =|#)*[ ]{1,2}([A-Za-z0-9]{2,8}(?:[ \-][A-Za-z0-9]{2,4})?)(?!\w)"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def passes_luhn(digits: str) -> bool:
    """Check the last digit of a card number (ISO/IEC 7812-1)."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def find_cards(text: str) -> Iterator[Finding]:
    """Find 12 to 19 digits with a right checksum and a known prefix; without a telling word only as cards are printed."""
    for match in _CARD.finditer(text):
        digits = "".join(char for char in match[0] if char.isdigit())
        if not _CARD_PREFIX.match(digits) or not passes_luhn(digits):
            continue
        if _CARD_WORDS.search(near(text, *match.span())):
            yield Finding("CREDIT_CARD", match.start(), match.end(), "card", 1.0)
        elif _grouping(match[0]) in _GROUPINGS:
            yield Finding("CREDIT_CARD", match.start(), match.end(), "card", 0.8)


def _grouping(number: str) -> tuple[int, ...]:
    return tuple(len(group) for group in re.split(r"[ \-]", number))


def find_accounts(text: str) -> Iterator[Finding]:
    """Find IBANs (country format and checksum), Bitcoin (checksum) and, beside a telling word, Ethereum addresses."""
    for match in _IBAN.finditer(text):
        if _may_be_iban(match[0]):
            yield from _by_presidio("IbanRecognizer", "IBAN", text, *match.span(), upper=True)
    for match in _BITCOIN.finditer(text):
        yield from _by_presidio("CryptoRecognizer", "CRYPTO_WALLET", text, *match.span())
    for match in _ETHEREUM.finditer(text):
        if _ETHEREUM_WORDS.search(near(text, *match.span())):
            yield Finding("CRYPTO_WALLET", match.start(), match.end(), "ethereum", 0.75)


def _may_be_iban(value: str) -> bool:
    """Check the remainder (ISO 7064) of the value or of a shorter part, since a match can run into the next word."""
    plain = re.sub(r"[ \-]", "", value).upper()
    return any(_remainder(plain[:length]) == 1 for length in range(15, len(plain) + 1))


def _remainder(iban: str) -> int:
    return int("".join(str(int(char, 36)) for char in iban[4:] + iban[:4])) % 97


def _by_presidio(name: str, entity: str, text: str, start: int, end: int, *, upper: bool = False) -> Iterator[Finding]:
    found = recogniser(name)
    window = text[start:end].upper() if upper else text[start:end]
    for result in found.analyze(window, found.supported_entities):
        yield Finding(entity, start + result.start, start + result.end, f"presidio:{name}", float(result.score))


def find_papers(text: str, clues: Clues, countries: tuple[str, ...]) -> Iterator[Finding]:
    """Find identity numbers, each only beside a word that says what it is."""
    lowered = clues.lowered
    if "us" in countries and _SSN_WORDS.search(lowered):
        yield from _told(text, _SSN, _SSN_WORDS, "NATIONAL_ID", "us_ssn")
    if "passport" in lowered:
        yield from _told(text, _PAPER, _PASSPORT_WORDS, "PASSPORT", "passport")
    if _LICENSE_WORDS.search(lowered):
        yield from _told(text, _PAPER, _LICENSE_WORDS, "DRIVER_LICENSE", "driver_license")
    for paper in recognisers_of(countries):
        if clues.has_word(paper.words):
            yield from _find_paper(text, paper)


def _find_paper(text: str, paper: Paper) -> Iterator[Finding]:
    for cue in paper.cue.finditer(text):
        start = max(0, cue.start() - 40)
        window = text[start : cue.end() + 60]
        if not any(char.isdigit() for char in window):
            continue
        found = paper.recogniser()
        for result in found.analyze(window, found.supported_entities):
            span = start + result.start, start + result.end
            yield Finding("NATIONAL_ID", *span, f"presidio:{paper.name}", max(0.75, float(result.score)))


def _told(text: str, pattern: re.Pattern[str], words: re.Pattern[str], entity: str, detector: str) -> Iterator[Finding]:
    for match in pattern.finditer(text):
        if words.search(near(text, *match.span(), before=50, after=20)):
            yield Finding(entity, match.start(), match.end(), detector, 0.8)


def find_births(text: str) -> Iterator[Finding]:
    """Find dates that stand beside a word about birth."""
    for match in _DATE.finditer(text):
        if _BIRTH_WORDS.search(near(text, *match.span(), before=40, after=0)) and _is_date(match[0]):
            yield Finding("DATE_OF_BIRTH", match.start(), match.end(), "date_of_birth", 0.75)


def find_dates(text: str) -> Iterator[Finding]:
    """Find dates with a year; off unless the recipe asks for DATE_TIME."""
    for match in _DATE.finditer(text):
        if _is_date(match[0]):
            yield Finding("DATE_TIME", match.start(), match.end(), "date", 0.6)


def _is_date(value: str) -> bool:
    words = re.findall(r"[A-Za-z]{3,}", value)
    return not words or any(word.lower().startswith(_MONTHS) for word in words)


def find_ages(text: str) -> Iterator[Finding]:
    """Find ages in years; off unless the recipe asks for AGE."""
    for match in _AGE.finditer(text):
        group = 1 if match[1] else 2
        if int(match[group]) <= 120:
            yield Finding("AGE", match.start(group), match.end(group), "age", 0.6)


def find_zip_codes(text: str) -> Iterator[Finding]:
    """Find what follows `zip code` or `postcode` and holds a digit."""
    for match in _ZIP.finditer(text):
        if any(char.isdigit() for char in match[1]):
            start = match.start(1)
            value = match[1] if any(char.isdigit() for char in match[1][-4:]) else match[1].split()[0]
            yield Finding("ZIP_CODE", start, start + len(value), "zip_code", 0.75)
